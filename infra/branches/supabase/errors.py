"""Supabase's errors in the kit's words: it documents few, so they are matched on status and message."""

from __future__ import annotations

import re
from typing import Final

from infra.branches.errors import (
    BranchConflictError,
    BranchError,
    BranchLimitError,
    BranchNotFoundError,
    BranchProtectedError,
    ProjectNotFoundError,
    ProviderAuthError,
    ProviderUnavailableError,
)
from infra.http_errors import HttpError, HttpStatusError

_BRANCH_LIMIT: Final = re.compile(r"branch\w* limit|limit .*branch|too many branches", re.IGNORECASE)
_PERSISTENT: Final = re.compile(r"persistent", re.IGNORECASE)
_AUTH_HINT: Final = (
    "is SUPABASE_ACCESS_TOKEN right, and may it act on this project? "
    "https://supabase.com/dashboard/account/tokens makes tokens"
)
_PROJECT_HINT: Final = "set the project's reference: the 20 letters that its dashboard has in its address"
_RATE_LIMIT: Final = 429
_SERVER_ERROR: Final = 500


def translated(error: HttpError, *, project_ref: str, branch_ref: str | None) -> BranchError:
    """Return the error that callers of a provider know.

    Args:
        error: Of a request to Supabase.
        project_ref: Of the project whose branches are meant.
        branch_ref: Of the branch in the request's path, where there is one.
    """
    message, hint = str(error), error.hint
    if not isinstance(error, HttpStatusError):
        return ProviderUnavailableError(message, hint=hint)
    kind: type[BranchError] = BranchError
    match error.status:
        case 401 | 403:
            kind, hint = ProviderAuthError, _AUTH_HINT
        case 402:
            hint = "the organization's plan does not have it: branches need Pro"
        case 404 if branch_ref is None:
            kind, hint = ProjectNotFoundError, _PROJECT_HINT
            message = f"Supabase knows no project {project_ref!r}, or the token may not see it ({message})"
        case 404:
            kind = BranchNotFoundError
            message = f"the branch {branch_ref} is gone ({message})"
        case 409:
            kind = BranchConflictError
        case 400 | 422 if _BRANCH_LIMIT.search(error.api_message):
            kind = BranchLimitError
        case 422 if _PERSISTENT.search(error.api_message):
            kind, hint = (
                BranchProtectedError,
                "on Supabase a persistent branch is protected: unprotect it first",
            )
        case status if status == _RATE_LIMIT or status >= _SERVER_ERROR:
            kind = ProviderUnavailableError
    return kind(message, hint=hint)
