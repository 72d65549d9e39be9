"""What is refused before Supabase is asked: what it does not have, and what would hit production."""

from __future__ import annotations

from typing import TYPE_CHECKING

from infra.branches.errors import BranchProtectedError, NotSupportedError
from infra.branches.provider import Compute

if TYPE_CHECKING:
    from infra.branches.supabase_answers import SupabaseBranch


def refuse_default(branch: SupabaseBranch, what: str) -> None:
    """Refuse to do something to the default branch.

    Raises:
        BranchProtectedError: It is that.
    """
    if branch.is_default:
        raise BranchProtectedError(
            f"the branch {branch.name!r} is the default branch, and cannot be {what}", hint="it is production"
        )


def refuse_protected(branch: SupabaseBranch, what: str) -> None:
    """Refuse to do something to a protected branch.

    Raises:
        BranchProtectedError: It is one.
    """
    if branch.persistent:
        raise BranchProtectedError(
            f"the branch {branch.name!r} is persistent, and so cannot be {what}",
            hint=f"if it is meant, first run: bough branch protect {branch.name} --off",
        )


def refuse_compute(compute: Compute) -> None:
    """Refuse a size.

    Raises:
        NotSupportedError: One was given.
    """
    if compute != Compute():
        raise NotSupportedError(
            "a Supabase branch has no compute to size or suspend", hint="leave its size and suspension away"
        )


def no_expiry() -> NotSupportedError:
    """Return why there is no expiry, and what there is instead."""
    return NotSupportedError(
        "Supabase deletes no branch at a time", hint="delete what is left over with: bough branch sweep"
    )
