"""Which branches are too dear to be changed or deleted without a word that allows it by name."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING

from infra.branches.errors import BranchProtectedError

if TYPE_CHECKING:
    from infra.branches.provider import Branch


class Destruction(StrEnum):
    """What takes data away, now or later."""

    RESET = "reset"
    RESTORE = "restore"
    DELETE = "delete"


def require_permission(
    branch: Branch, action: Destruction, *, allow_default: bool = False, allow_protected: bool = False
) -> None:
    """Do nothing for a branch that may go; for the default and protected ones only with permission.

    Nothing permits to delete the default branch: no provider does that.

    Args:
        branch: As the provider describes it now.
        action: What is about to be done to it.
        allow_default: It may be the default branch.
        allow_protected: It may be protected.

    Raises:
        BranchProtectedError: It is what was not allowed; nothing was sent.
    """
    if branch.is_default and action is Destruction.DELETE:
        raise BranchProtectedError(
            f"will not delete {branch.name} ({branch.id}): it is the default branch",
            hint="nothing was changed; first make another branch the default one, at the provider",
        )
    refused = []
    if branch.is_default and not allow_default:
        refused.append(("the default branch", "--allow-default"))
    if branch.is_protected and not allow_protected:
        refused.append(("protected", "--allow-protected"))
    if refused:
        what = " and ".join(reason for reason, _ in refused)
        flags = " ".join(flag for _, flag in refused)
        raise BranchProtectedError(
            f"will not {action} {branch.name} ({branch.id}): it is {what}",
            hint=f"nothing was changed; if it is meant, add {flags}",
        )
