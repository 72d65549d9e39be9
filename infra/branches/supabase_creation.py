"""One branch of a name at Supabase, whatever happens on the way: made, or found and verified."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

from infra.branches import lookup
from infra.branches.errors import (
    BranchConflictError,
    BranchDiffersError,
    BranchError,
    BranchLimitError,
    NotSupportedError,
    ProviderUnavailableError,
)
from infra.branches.moments import rfc3339
from infra.http_errors import HttpAmbiguousError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from infra.branches.provider import BranchSpec
    from infra.branches.supabase_answers import SupabaseBranch
    from infra.branches.supabase_api import SupabaseApi

#: How often a branch is asked for before its answers count as lost for good.
_TRIES: Final = 3
#: How often it is looked for in between: Supabase may be at work on it unseen for a while.
_LOOKS: Final = 3
#: Branches in a hint.
_NAMED: Final = 5


def found_or_made(
    api: SupabaseApi, spec: BranchSpec, *, announce: Callable[[str], None], poll: float
) -> SupabaseBranch:
    """Return the branch of this name, begun unless it exists.

    Args:
        api: Of the project.
        spec: Checked for what Supabase does not have, its parent excepted.
        announce: Is told when an answer was lost.
        poll: Seconds between two looks.

    Raises:
        BranchDiffersError: It exists and is not what was asked for.
        BranchLimitError: The project has as many branches as it may have.
        NotSupportedError: Its parent was to be another than the default branch.
    """
    name = lookup.checked_name(spec.name)
    branches = api.branches()
    if spec.parent is not None and not lookup.get(branches, spec.parent).is_default:
        raise NotSupportedError(
            f"Supabase makes branches of the default one only, not of {spec.parent!r}",
            hint="name no parent",
        )
    found = lookup.named(branches, name)
    if found is None:
        lookup.refuse_id(branches, name)
        found = _make(api, spec, name, announce=announce, poll=poll)
    if differences := _differences(found, spec):
        raise BranchDiffersError(
            f"the branch {name!r} ({found.id}) is there and is not what was asked for: "
            + "; ".join(differences.values()),
            hint=_how_to_go_on(spec, name, differences),
        )
    return found


def _make(
    api: SupabaseApi, spec: BranchSpec, name: str, *, announce: Callable[[str], None], poll: float
) -> SupabaseBranch:
    """Ask for the branch until it is there: Supabase takes a name once, so there are never two."""
    body = {"branch_name": name, "persistent": spec.protected, "with_data": spec.with_data}
    for _ in range(_TRIES):
        error: Exception
        try:
            return api.create_branch(body)
        except (BranchConflictError, HttpAmbiguousError) as lost:
            error = lost
        except BranchLimitError as refused:
            raise _limit_reached(api.branches(), refused) from refused
        except BranchError as refused:
            if spec.with_data and refused.hint is None:
                refused.hint = (
                    "with data it takes the PITR add-on; without: bough branch create --schema-only"
                )
            raise
        if isinstance(error, HttpAmbiguousError):
            announce(f"{error}; looking whether the branch {name!r} is there")
        for _ in range(_LOOKS):
            if found := lookup.named(api.branches(), name):
                return found
            time.sleep(min(poll, api.deadline.remaining()))
    message = f"the branch {name!r} is not there after {_TRIES} tries: {error}"
    raise ProviderUnavailableError(message, hint="try again later; see status.supabase.com")


def _differences(found: SupabaseBranch, spec: BranchSpec) -> dict[str, str]:
    """Return what is not as asked for, by what it is."""
    differences = {}
    if found.is_default:
        differences["parent"] = "it is the default branch"
    elif found.with_data is not spec.with_data:
        has, not_ = ("data", "without") if found.with_data else ("no data", "with")
        differences["data"] = f"it was made with {has}, not {not_} it"
    if found.persistent is not spec.protected:
        differences["protection"] = (
            "it is persistent (protected)" if found.persistent else "it is not protected"
        )
    if found.deletion_scheduled_at is not None:
        differences["expiry"] = f"it is to be deleted at {rfc3339(found.deletion_scheduled_at)}"
    return differences


def _how_to_go_on(spec: BranchSpec, name: str, differences: dict[str, str]) -> str:
    if "parent" in differences:
        return "take another name"
    if "data" in differences:
        return f"take another name, or first run: bough branch delete {name}"
    commands = {
        "protection": f"bough branch protect {name}{'' if spec.protected else ' --off'}",
        "expiry": f"bough branch expire {name} never",
    }
    return "ask for it as it is, or first run: " + " && ".join(commands[each] for each in differences)


def _limit_reached(branches: Sequence[SupabaseBranch], refused: BranchLimitError) -> BranchLimitError:
    free = [branch.name for branch in branches if not (branch.is_default or branch.persistent)]
    return BranchLimitError(
        f"the project has {len(branches)} branches, and may have no more ({refused})",
        hint=f"the oldest that are not persistent: {', '.join(free[:_NAMED]) or 'none'}; "
        "to make room: bough branch delete NAME",
    )
