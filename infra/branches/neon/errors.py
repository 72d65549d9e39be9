"""Neon's errors in the kit's words: matched on `code`, then status, then what the message says."""

from __future__ import annotations

import re
from http import HTTPStatus
from typing import Final

from infra.branches.errors import (
    BranchBusyError,
    BranchConflictError,
    BranchError,
    BranchLimitError,
    BranchNotFoundError,
    HistoryError,
    ProjectNotFoundError,
    ProviderAuthError,
    ProviderUnavailableError,
)
from infra.http_errors import HttpError, HttpStatusError

_LIMIT: Final = "LIMIT_EXCEEDED"
#: Neon gives these errors no code of their own.
_HISTORY: Final = re.compile(r"history|retention|restore window|timestamp|lsn", re.IGNORECASE)
_BRANCH_LIMIT: Final = re.compile(r"branch(es)? limit|limit .*branch|too many branches", re.IGNORECASE)


_BY_STATUS: Final[dict[int, type[BranchError]]] = {
    401: ProviderAuthError,
    403: ProviderAuthError,
    409: BranchConflictError,
    423: BranchBusyError,
    **dict.fromkeys((429, 502, 503, 504, 524), ProviderUnavailableError),
}
_KEY_HINT: Final = "is NEON_API_KEY right, and may it act on this project? Neon's console makes keys"
_HINTS: Final = {
    401: _KEY_HINT,
    403: _KEY_HINT,
    412: "the project's plan or settings do not allow it: on the Free plan leave the compute's size and "
    "suspension away; connection strings need the project to store passwords",
}


def translated(error: HttpError, *, project_id: str, branch_id: str | None) -> BranchError:
    """Return the error that callers of a provider know.

    Args:
        error: Of a request to Neon.
        project_id: Of the request's path.
        branch_id: Of the request's path, where it has one.
    """
    message = str(error)
    if not isinstance(error, HttpStatusError):
        return ProviderUnavailableError(message, hint=error.hint)
    is_422 = error.status == HTTPStatus.UNPROCESSABLE_ENTITY
    if error.api_code.endswith(_LIMIT) or (is_422 and _BRANCH_LIMIT.search(error.api_message)):
        return BranchLimitError(message, hint=error.hint)
    if error.status == HTTPStatus.NOT_FOUND:
        if branch_id is not None:
            return BranchNotFoundError(f"the branch {branch_id} is gone ({message})")
        message = f"Neon knows no project {project_id!r}, or the key may not see it ({message})"
        return ProjectNotFoundError(message, hint="set the project's id as Neon's console shows it")
    kind = _BY_STATUS.get(error.status, BranchError)
    return kind(message, hint=error.hint or _HINTS.get(error.status))


def history_translated(error: BranchError) -> BranchError:
    """Return the error of a restore to a moment: that Neon keeps nothing of it, where it says so."""
    cause = error.__cause__
    if not isinstance(cause, HttpStatusError) or not _HISTORY.search(cause.api_message):
        return error
    return HistoryError(str(error), hint="take a later moment: how far back Neon goes is a project's setting")
