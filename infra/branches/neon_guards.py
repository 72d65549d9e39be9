"""What Neon refuses to do to a branch, said before it is asked, with the names that Neon leaves out."""

from __future__ import annotations

from typing import TYPE_CHECKING

from infra.branches.errors import BranchError, BranchProtectedError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from infra.branches.neon_answers import NeonBranch


def refuse_protected(branch: NeonBranch, what: str) -> None:
    """Refuse to touch a protected branch.

    Args:
        branch: That is to be changed.
        what: That is to be done, such as `be reset`.

    Raises:
        BranchProtectedError: It is protected.
    """
    if branch.protected:
        raise BranchProtectedError(
            f"the branch {branch.name!r} is protected, and cannot {what}",
            hint=f"if it is meant, first run: bough branch protect {branch.name} --off",
        )


def refuse_parent(branch: NeonBranch, branches: Sequence[NeonBranch], what: str) -> None:
    """Refuse to touch a branch that others were made from.

    Raises:
        BranchProtectedError: It has children; the message names them.
    """
    if children := [each.name for each in branches if each.parent_id == branch.id]:
        raise BranchProtectedError(
            f"the branch {branch.name!r} is the parent of {', '.join(children)}, and cannot {what}",
            hint="delete those first",
        )


def refuse_default(branch: NeonBranch, what: str) -> None:
    """Refuse to touch the default branch.

    Raises:
        BranchProtectedError: It is the default branch.
    """
    if branch.default:
        raise BranchProtectedError(
            f"the branch {branch.name!r} is the project's default branch, and cannot {what}",
            hint="did you mean another branch?",
        )


def refuse_taken(name: str, branches: Sequence[NeonBranch]) -> None:
    """Refuse a name that a branch has.

    Raises:
        BranchError: One has it.
    """
    if any(branch.name == name for branch in branches):
        raise BranchError(f"there is a branch {name!r} already", hint="take another name")
