"""Reading providers' answers: what is not as their API documents say is no answer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

from pydantic import ValidationError

from infra.branches.errors import ProviderUnavailableError
from infra.http_errors import HttpError

if TYPE_CHECKING:
    from collections.abc import Callable

    from infra.http_answers import Answer

_T = TypeVar("_T")


def read(validate: Callable[[Any], _T], answer: Answer, *, service: str) -> _T:
    """Return what an answer holds; one without a body is an empty object.

    Raises:
        ProviderUnavailableError: It is not as the service's API document says.
    """
    try:
        return validate(answer.json() if answer.text.strip() else {})
    except ValidationError as error:
        what = "; ".join(f"{'.'.join(map(str, each['loc']))}: {each['msg']}" for each in error.errors())
    except HttpError as error:
        what = str(error)
    # Raised here: the errors' tracebacks hold the answer.
    raise ProviderUnavailableError(
        f"{service}'s answer is not as its API document says: {what} ({answer.request})",
        hint="is the API's address right, is a proxy between?",
    )
