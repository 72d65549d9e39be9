"""One branch of a name at Supabase: what is asked for, in Supabase's terms."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from infra.branches import lookup
from infra.branches.creation import ask_until_there, limit_reached, refuse_different
from infra.branches.errors import (
    BranchConflictError,
    BranchError,
    BranchLimitError,
    NotSupportedError,
)
from infra.branches.provider import Compute

if TYPE_CHECKING:
    from collections.abc import Callable

    from infra.branches.provider import BranchSpec
    from infra.branches.supabase.answers import SupabaseBranch
    from infra.branches.supabase.api import SupabaseApi

#: How often a branch is looked for in between: Supabase may be at work on it unseen for a while.
_LOOKS: Final = 3


def refuse_unsupported(spec: BranchSpec) -> None:
    """Refuse what Supabase does not have.

    Raises:
        NotSupportedError: The spec asks for an expiry or a size.
    """
    if spec.expires_at is not None:
        raise no_expiry()
    if spec.compute != Compute():
        raise NotSupportedError(
            "a Supabase branch has no compute to size or suspend", hint="leave its size and suspension away"
        )


def no_expiry() -> NotSupportedError:
    """Return why there is no expiry, and what there is instead."""
    return NotSupportedError(
        "Supabase deletes no branch at a time", hint="delete what is left over with: bough branch sweep"
    )


def found_or_made(
    api: SupabaseApi, spec: BranchSpec, *, announce: Callable[[str], None], poll: float
) -> SupabaseBranch:
    """Return the branch of this name, begun unless it exists.

    Args:
        api: Of the project.
        spec: Has passed `refuse_unsupported`.
        announce: Is told when an answer was lost.
        poll: Seconds between two looks.

    Raises:
        BranchDiffersError: It exists and is not what was asked for.
        BranchLimitError: The project has as many branches as it may have.
        NotSupportedError: Its parent was to be another than the default branch.
    """
    name = lookup.checked_name(spec.name)
    branches = api.branches()
    parent = next(branch for branch in branches if branch.is_default)
    if spec.parent is not None and lookup.get(branches, spec.parent) != parent:
        raise NotSupportedError(
            f"Supabase makes branches of the default one only, not of {spec.parent!r}",
            hint="name no parent",
        )
    found = lookup.named(branches, name)
    if found is None:
        lookup.refuse_id(branches, name)
        try:
            found = ask_until_there(
                api,
                name,
                make=lambda: _make(api, spec, name),
                find=lambda: lookup.named(api.branches(), name),
                announce=announce,
                looks=_LOOKS,
                pause=poll,
            )
        except BranchLimitError as refused:
            now = [branch.to_branch(api.project_ref) for branch in api.branches()]
            raise limit_reached(now, refused) from refused
    ours, default, *every = (branch.to_branch(api.project_ref) for branch in (found, parent, *branches))
    refuse_different(ours, spec, every, parent=default, has_data=found.with_data)
    return found


def _make(api: SupabaseApi, spec: BranchSpec, name: str) -> SupabaseBranch:
    """Ask for the branch once: Supabase takes a name once, so there are never two."""
    body = {"branch_name": name, "persistent": spec.protected, "with_data": spec.with_data}
    try:
        return api.create_branch(body)
    except (BranchConflictError, BranchLimitError):
        raise
    except BranchError as refused:
        if spec.with_data and refused.hint is None:
            refused.hint = "with data it takes the PITR add-on; without: bough branch create --schema-only"
        raise
