"""What is not done to the default branch, protected ones and parents, said before a provider is asked."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING

from infra.branches.errors import BranchError, BranchProtectedError

if TYPE_CHECKING:
    from collections.abc import Sequence

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


def refuse_default(branch: Branch, what: str) -> None:
    """Refuse to touch the default branch.

    Args:
        branch: That is to be changed.
        what: That is to be done, such as `be reset`.

    Raises:
        BranchProtectedError: It is the default branch.
    """
    if branch.is_default:
        raise BranchProtectedError(
            f"the branch {branch.name!r} is the default branch, and cannot {what}",
            hint="did you mean another branch?",
        )


def refuse_protected(branch: Branch, what: str) -> None:
    """Refuse to touch a protected branch.

    Raises:
        BranchProtectedError: It is protected.
    """
    if branch.is_protected:
        raise BranchProtectedError(
            f"the branch {branch.name!r} is protected, and cannot {what}",
            hint=f"if it is meant, first run: bough branch protect {branch.name} --off",
        )


def refuse_parent(branch: Branch, branches: Sequence[Branch], what: str) -> None:
    """Refuse to touch a branch that others were made from.

    Raises:
        BranchProtectedError: It has children; the message names them.
    """
    if children := [each.name for each in branches if each.parent_id == branch.id]:
        raise BranchProtectedError(
            f"the branch {branch.name!r} is the parent of {', '.join(children)}, and cannot {what}",
            hint="delete those first",
        )


def refuse_taken(name: str, branches: Sequence[Branch]) -> None:
    """Refuse a name that a branch has.

    Raises:
        BranchError: One has it.
    """
    if any(branch.name == name for branch in branches):
        raise BranchError(f"there is a branch {name!r} already", hint="take another name")
