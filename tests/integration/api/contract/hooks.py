"""What schemathesis cannot know from the OpenAPI document alone."""

from __future__ import annotations

import re
from datetime import date
from typing import TYPE_CHECKING, Final

import schemathesis
from hypothesis import strategies as st

if TYPE_CHECKING:
    from schemathesis import Case, CheckContext, Response

#: Rules about the form of a request that JSON Schema has no words for, as pointer and message.
UNSPEAKABLE: Final = re.compile(
    # JSON Schema takes 1.0 for an integer. We do not: who sends it has computed with floats.
    ".*: Input should be a valid integer"
    # A schema as deep as the rule allows would be longer than all others together.
    "|.*: lists and objects may be nested 3 deep"
    # Tags are checked once more as they are stored: what NFKC makes of a letter may be none.
    "|/(body/tags|query/tag)/.*: String should"
)

# The format has reserved domains as well, such as `.test`, where nobody can have an address.
schemathesis.openapi.format("email", st.from_regex(r"[a-z0-9]{1,20}@[a-z]{2,20}\.(com|org)", fullmatch=True))
# The first and the last day of Python's calendar stand for infinity at the database.
schemathesis.openapi.format("date", st.dates(date(1, 1, 2), date(9999, 12, 30)).map(date.isoformat))


@schemathesis.check
def documented_form_is_accepted(_: CheckContext, response: Response, case: Case) -> None:
    """What has the documented form is refused by rules of the domain alone, which have codes of their own."""
    if case.meta is None or case.meta.generation.mode.is_negative or response.status_code != 422:
        return
    document = response.json()
    if document["code"] == "VALIDATION_FAILED":
        errors = [f"{error['pointer']}: {error['detail']}" for error in document["errors"]]
        wrong = [error for error in errors if not UNSPEAKABLE.match(error)]
        assert not wrong, f"the document allows this: {wrong}"


@schemathesis.check
class SomethingSucceeds:
    """Of a third of the operations at least: a run that is refused everywhere would prove nothing."""

    def __init__(self) -> None:
        self.asked: set[str] = set()
        self.succeeded: set[str] = set()

    def after_response(self, _: CheckContext, response: Response, case: Case) -> None:
        """Note what was asked for, and what succeeded."""
        self.asked.add(case.operation.label)
        if 200 <= response.status_code < 300:
            self.succeeded.add(case.operation.label)

    def after_run(self, _: CheckContext) -> None:
        """Compare the two."""
        assert len(self.succeeded) * 3 >= len(self.asked), sorted(self.asked - self.succeeded)
