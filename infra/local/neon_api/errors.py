"""Refusals, in the form that Neon gives them: a status, a code that may be empty, and a message.

Statuses, codes and messages that clients are known to look at are Neon's own.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping


class ApiError(Exception):
    """What a request is answered with instead."""

    def __init__(
        self, status: int, message: str, *, code: str = "", headers: Mapping[str, str] | None = None
    ) -> None:
        """Keep what the answer is made of."""
        super().__init__(message)
        self.status = status
        self.code = code
        self.headers = dict(headers or {})


def bad_request(message: str) -> ApiError:
    """Return the error for a request that is malformed, whatever the state."""
    return ApiError(400, message)


def not_found(kind: str) -> ApiError:
    """Return the error for something that does not exist, or no longer."""
    return ApiError(404, f"{kind} not found")


def conflict(message: str, code: str = "") -> ApiError:
    """Return the error for something that exists already."""
    return ApiError(409, message, code=code)


def refused(message: str) -> ApiError:
    """Return the error for a request that the state forbids."""
    return ApiError(422, message)


def limit_exceeded(what: str, limit: int) -> ApiError:
    """Return the error for one too many of `what`, such as `branches` or `root branches`."""
    code = f"{what.upper().replace(' ', '_')}_LIMIT_EXCEEDED"
    return ApiError(422, f"{what} limit exceeded; limit: {limit}", code=code)


def busy() -> ApiError:
    """Return the error for a request that has to wait for the operations that run."""
    return ApiError(
        423, "project already has running conflicting operations, scheduling of new ones is prohibited"
    )


def history_not_kept() -> ApiError:
    """Return the error for a point in the past.

    Status and text are those of Neon's storage. Here nothing of the past is kept.
    """
    return ApiError(406, "invalid branch start lsn: less than latest GC cutoff")
