"""The provider's API: does it take the token, and does its clock agree with this machine's?"""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Final

from infra.deadline import Deadline
from infra.doctor.checks import Finding, failed, ok, warning
from infra.http import HttpClient
from infra.http_errors import HttpStatusError

if TYPE_CHECKING:
    from infra.doctor.target import Direct
    from infra.http_answers import Answer

#: Seconds. Expiries and tokens are off by as much; AWS refuses requests that are 5 minutes off.
_DRIFT: Final = 5.0
_TOO_FAR: Final = 300.0
#: HTTP dates have whole seconds.
_DATE_RESOLUTION: Final = 1.0

_FIX_CLOCK: Final = "let the system set its clock (NTP)"


@dataclass(frozen=True, slots=True)
class ProviderApi:
    """Where the provider's API answers, and for which project.

    Args:
        service: Its name, for messages.
        base_url: Of the API.
        token: Sent as bearer.
        path: Of the project below the base URL, the cheapest question that needs the token.
        seconds: What a request may take.
    """

    service: str
    base_url: str
    token: str = field(repr=False)
    path: tuple[str, ...]
    seconds: float

    def project(self) -> Answer:
        """Ask for the project.

        Raises:
            HttpError: It was not answered.
        """
        with HttpClient(self.base_url, self.token, service=self.service, announce=lambda _: None) as client:
            return client.request("GET", *self.path, deadline=Deadline(self.seconds))


def token(api: ProviderApi | Finding) -> Finding:
    """Does the provider take the token, and may it see the project?"""
    if isinstance(api, Finding):
        return api
    try:
        api.project()
    except HttpStatusError as error:
        reasons = {
            401: "the token is wrong, expired or revoked",
            403: "the token may not see this project",
            404: "there is no such project, or the token may not see it",
        }
        if error.status not in reasons:
            raise
        fix = "make a new token at the provider, and check the project's id"
        return failed(f"{api.service}: {reasons[error.status]} ({error.status})", fix)
    return ok(f"{api.service} knows the project {api.path[-1]}, and the token may see it")


def clock(direct: Direct, api: ProviderApi | Finding) -> Finding:
    """Does this machine's clock agree with the database's and the provider's?"""
    with direct.connected() as connection:
        begun = time.time()
        row = connection.execute("SELECT extract(epoch FROM clock_timestamp())::float8").fetchone()
        offsets = {"the database": _offset(begun, row[0] if row else begun, 0.0)}
    if isinstance(api, ProviderApi):
        begun = time.time()
        if date := api.project().headers.get("date"):
            moment = parsedate_to_datetime(date).timestamp()
            offsets[api.service] = _offset(begun, moment, _DATE_RESOLUTION)
    said = ", ".join(
        f"{abs(offset):.1f} s {'behind' if offset < 0 else 'ahead of'} {whose}"
        for whose, offset in offsets.items()
    )
    worst = max(abs(offset) for offset in offsets.values())
    if worst > _TOO_FAR:
        return failed(f"this machine's clock is {said}: requests to AWS are refused", _FIX_CLOCK)
    if worst > _DRIFT:
        return warning(f"this machine's clock is {said}", _FIX_CLOCK)
    return ok(f"within {max(worst, 0.1):.1f} s of {' and '.join(offsets)}")


def _offset(begun: float, told: float, resolution: float) -> float:
    """Return how far this machine's clock is ahead, in seconds, as far as the question's length shows."""
    earliest, latest = told, told + resolution
    ended = time.time()
    if begun > latest:
        return begun - latest
    return ended - earliest if ended < earliest else 0.0
