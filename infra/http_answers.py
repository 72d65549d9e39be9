"""What an HTTP API answered: a body to be read, or an error in one of the usual forms."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any, Final

from infra.http_errors import HttpUnreachableError

if TYPE_CHECKING:
    from collections.abc import Mapping

    import httpx2

#: Characters of an answer that is no JSON.
_QUOTED: Final = 200


@dataclass(frozen=True, slots=True)
class Answer:
    """A successful answer.

    Args:
        status: 200 to 299.
        headers: By name in lower case.
        text: The body; it may hold a password.
        request: What was asked, for messages.
    """

    status: int
    headers: Mapping[str, str] = field(repr=False)
    text: str = field(repr=False)
    request: str

    def json(self) -> Any:
        """Return the body read as JSON.

        Raises:
            HttpUnreachableError: It is none: something else than the API answered.
        """
        try:
            return json.loads(self.text)
        except ValueError:
            pass
        # Raised here: the reader's own error holds the text.
        message = f"{self.request}: the answer is no JSON"
        raise HttpUnreachableError(message, hint="is the API's address right, is a proxy between?")


def error_of(response: httpx2.Response) -> tuple[str, str]:
    """Return the code and the message of an error; empty where it has none."""
    try:
        body = response.json()
    except ValueError:
        return "", " ".join(response.text[:_QUOTED].split())
    if not isinstance(body, dict):
        return "", ""
    return str(body.get("code") or ""), str(body.get("message") or body.get("error") or "")


def retry_after(value: str) -> float | None:
    """Return the seconds of a `Retry-After`, which may also be an HTTP date."""
    if not value:
        return None
    if value.isdecimal():
        return float(value)
    try:
        moment = parsedate_to_datetime(value)
    except ValueError:
        return None
    return max(0.0, moment.timestamp() - time.time())
