"""How a request to an HTTP API can fail, told apart by what is known about whether it was done."""

from __future__ import annotations

from typing import ClassVar

from infra.errors import InfraError


class HttpError(InfraError):
    """A request failed. Neither the error nor its traceback holds the token or what was sent."""

    code: ClassVar[str] = "HTTP_ERROR"


class HttpConfigurationError(HttpError):
    """The API's address or token cannot be used; nothing was sent."""

    code = "HTTP_CONFIGURATION"
    exit_code = 2


class HttpStatusError(HttpError):
    """The API answered that it did not do it.

    Args:
        message: Names the request and quotes the answer.
        status: Of the answer, 300 to 599.
        api_code: The answer's `code`, often empty.
        api_message: The answer's `message` or `error`, or the beginning of its text.
        retry_after: Seconds that the API asks to wait, if it does.
        hint: What to do next.
    """

    code = "HTTP_STATUS"

    def __init__(
        self,
        message: str,
        *,
        status: int,
        api_code: str = "",
        api_message: str = "",
        retry_after: float | None = None,
        hint: str | None = None,
    ) -> None:
        """Keep what adapters translate by."""
        super().__init__(message, hint=hint)
        self.status = status
        self.api_code = api_code
        self.api_message = api_message
        self.retry_after = retry_after


class HttpUnreachableError(HttpError):
    """The API gave no answer that can be used; the request may be sent again without harm."""

    code = "HTTP_UNREACHABLE"


class HttpNotConnectedError(HttpUnreachableError):
    """No connection could be made: nothing listens there, or no way leads there."""


class HttpAmbiguousError(HttpError):
    """The answer to a write was lost: it may have been done. Look before trying again."""

    code = "HTTP_AMBIGUOUS"
