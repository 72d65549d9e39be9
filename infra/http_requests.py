"""What is checked of a request to an HTTP API before it is built, and what is then sent."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final
from urllib.parse import quote, urlsplit

import httpx2

from infra.http_errors import HttpConfigurationError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from api.database.connection_url_syntax import Secret
    from infra.deadline import Deadline

_LOOPBACK: Final = frozenset({"127.0.0.1", "::1", "localhost"})


@dataclass(frozen=True, slots=True)
class HttpRequest:
    """A request, for all its tries."""

    method: str
    url: str
    parameters: Mapping[str, str]
    body: object = field(repr=False)
    headers: Mapping[str, str] = field(repr=False)
    repeatable: bool
    deadline: Deadline

    def __str__(self) -> str:
        """Return what errors say of it."""
        return f"{self.method} {urlsplit(self.url).path}, request {self.headers['X-Request-ID']}"


def checked_url(base_url: str, service: str) -> httpx2.URL:
    """Return the address of an API, which a token may be sent to.

    Raises:
        HttpConfigurationError: It is none, or is not encrypted.
    """
    try:
        url = httpx2.URL(base_url)
    except httpx2.InvalidURL:
        url = httpx2.URL("")
    if not url.host or url.userinfo or url.query or url.scheme not in {"http", "https"}:
        message = f"the address of {service}'s API is not a plain URL"
        raise HttpConfigurationError(message, hint="it begins with https://")
    if url.scheme == "http" and not is_on_this_machine(url):
        message = f"{service}'s API at {url.host} would get the token unencrypted"
        raise HttpConfigurationError(message, hint="use https://")
    return url


def is_on_this_machine(url: httpx2.URL) -> bool:
    """Return whether requests to it stay on this machine."""
    return url.host in _LOOPBACK


def check_token(token: Secret, service: str) -> None:
    """Refuse what cannot be a token, before an HTTP library's own error quotes it.

    Raises:
        HttpConfigurationError: It is empty, or has characters that no token has.
    """
    if problem := _problem_of(token):
        raise HttpConfigurationError(f"the token for {service} {problem}", hint="copy it once more")


def _problem_of(token: Secret) -> str | None:
    """Return what is wrong with it, from a frame that no traceback shows."""
    text = token.reveal()
    if not text:
        return "is empty"
    is_one = text.isascii() and text.isprintable() and " " not in text
    return None if is_one else "has characters that no token has"


def checked_segment(segment: str) -> str:
    """Return a segment of a path, encoded.

    Raises:
        ValueError: It is blank or relative.
    """
    if not segment.strip() or segment in {".", ".."}:
        raise ValueError("a blank or relative segment would make the request another one")
    return quote(segment, safe="")


def checked_parameters(query: Mapping[str, str | int | bool] | None) -> dict[str, str]:
    """Return parameters as they are sent.

    Raises:
        ValueError: One is blank.
    """
    parameters = {
        name: str(value).lower() if isinstance(value, bool) else str(value)
        for name, value in (query or {}).items()
    }
    if blank := [name for name, value in parameters.items() if not value.strip()]:
        raise ValueError(f"the parameter {blank[0]} is blank, which would make the request another one")
    return parameters
