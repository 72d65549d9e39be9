"""What an HTTP API answered: a body to be read, or an error in one of the usual forms."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any, Final

import httpx2

from infra.http_errors import HttpUnreachableError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from infra.deadline import Deadline

#: Characters of an error's text.
_QUOTED: Final = 500


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
        except (ValueError, RecursionError):
            pass
        # Raised here: the reader's own error holds the text.
        message = f"{self.request}: the answer is no JSON"
        raise HttpUnreachableError(message, hint="is the API's address right, is a proxy between?")


def text_of(response: httpx2.Response, limit: Deadline) -> str:
    """Return the body of a response that is being received.

    Raises:
        ReadTimeout: It was not all there in time: a server that sends a little now and then would
            otherwise be waited for without end.
    """
    content = bytearray()
    for chunk in response.iter_bytes():
        content += chunk
        if not limit.remaining():
            message = f"its answer took longer than {limit.seconds:.3g} s"
            raise httpx2.ReadTimeout(message)
    return content.decode(response.encoding or "utf-8", errors="replace")


def error_of(text: str) -> tuple[str, str]:
    """Return the code and the message of an error, fit to be shown; empty where it has none."""
    try:
        body = json.loads(text)
    except (ValueError, RecursionError):
        return "", _quoted(text)
    if not isinstance(body, dict):
        return "", ""
    return str(body.get("code") or ""), _quoted(str(body.get("message") or body.get("error") or ""))


def _quoted(text: str) -> str:
    """Return the beginning of a text in one line, without what would act on a terminal."""
    shown = "".join(each if each.isprintable() else " " for each in text[:_QUOTED])
    return " ".join(shown.split())


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
