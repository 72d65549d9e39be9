"""One branch of a name at Neon, whatever happens on the way: made, or found and verified."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from infra.branches import lookup
from infra.branches.errors import (
    BranchConflictError,
    BranchDiffersError,
    BranchError,
    BranchLimitError,
    ProviderUnavailableError,
)
from infra.branches.moments import checked_expiry, rfc3339, whole_seconds
from infra.branches.neon_compute import endpoint_options
from infra.branches.neon_limits import limit_reached
from infra.http_errors import HttpAmbiguousError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import datetime

    from infra.branches.neon_answers import NeonBranch
    from infra.branches.neon_api import NeonApi
    from infra.branches.provider import BranchSpec

#: How often a branch is asked for before its answers count as lost for good.
_TRIES: Final = 3
#: Seconds between them: a request whose answer was lost may still be at work.
_PAUSE: Final = 1.0


@dataclass(frozen=True, slots=True)
class _Wanted:
    """A spec in Neon's terms, checked."""

    name: str
    parent: NeonBranch
    with_data: bool
    protected: bool
    expires_at: datetime | None
    endpoint: dict[str, object]

    def fields(self) -> dict[str, object]:
        """Return what the request that makes it says besides its parent and compute."""
        branch: dict[str, object] = {"name": self.name}
        if not self.with_data:
            branch["init_source"] = "schema-only"
        if self.protected:
            branch["protected"] = True
        if self.expires_at is not None:
            branch["expires_at"] = rfc3339(self.expires_at)
        return branch


def create(api: NeonApi, spec: BranchSpec, announce: Callable[[str], None]) -> NeonBranch:
    """Return the branch of this name, made unless it exists, with a compute, nothing under way on it.

    Raises:
        BranchDiffersError: It exists and is not what was asked for.
        BranchLimitError: The project has as many branches as it may have.
    """
    name = lookup.checked_name(spec.name)
    parent = None if spec.parent is None else lookup.required(spec.parent)
    endpoint = endpoint_options(spec.compute)
    expires_at = None if spec.expires_at is None else checked_expiry(spec.expires_at)
    if spec.protected and expires_at is not None:
        raise BranchError(f"the branch {name!r} cannot be protected and expire", hint="ask for one of them")
    branches = api.branches()
    wanted = _Wanted(
        name=name,
        parent=_parent(branches, parent),
        with_data=spec.with_data,
        protected=spec.protected,
        expires_at=expires_at,
        endpoint=endpoint,
    )
    found = lookup.named(branches, name)
    if found is None:
        _refuse_parent(wanted)
        lookup.refuse_id(branches, name)
        return _make(api, branches, wanted, announce)
    return _verified(api, branches, found, wanted)


def _make(
    api: NeonApi, branches: Sequence[NeonBranch], wanted: _Wanted, announce: Callable[[str], None]
) -> NeonBranch:
    """Ask for the branch until it is there: whoever made it, there is one of its name."""
    for left in reversed(range(_TRIES)):
        error: Exception
        try:
            made = api.create_branch(wanted.parent.id, wanted.fields(), wanted.endpoint)
        except (BranchConflictError, HttpAmbiguousError) as lost:
            error = lost
        except BranchLimitError as refused:
            raise limit_reached(api.branches(), refused) from refused
        else:
            api.finish(made.operations)
            settled = api.settled(made.branch.id)
            # A plan without a feature may leave it out in silence.
            _refuse_other(branches, settled, wanted)
            return settled
        if isinstance(error, HttpAmbiguousError):
            announce(f"{error}; looking whether the branch {wanted.name!r} is there")
        branches = api.branches()
        if found := lookup.named(branches, wanted.name):
            return _verified(api, branches, found, wanted)
        if left:
            api.pause(_PAUSE, f"the branch {wanted.name!r}")
    message = f"the branch {wanted.name!r} is not there after {_TRIES} tries: {error}"
    raise ProviderUnavailableError(message, hint="try again later; Neon's status is at neonstatus.com")


def _verified(api: NeonApi, branches: Sequence[NeonBranch], found: NeonBranch, wanted: _Wanted) -> NeonBranch:
    """Return the branch that was found, awaited and with a compute, if it is what was asked for."""
    _refuse_other(branches, found, wanted)
    settled = api.settled(found.id)
    _ensure_compute(api, found.id, wanted.endpoint)
    return settled


def _refuse_other(branches: Sequence[NeonBranch], found: NeonBranch, wanted: _Wanted) -> None:
    if differences := _differences(branches, found, wanted):
        raise BranchDiffersError(
            f"the branch {found.name!r} ({found.id}) is there and is not what was asked for: "
            + "; ".join(differences.values()),
            hint=_how_to_go_on(found.name, wanted, differences),
        )


def _ensure_compute(api: NeonApi, branch_id: str, options: dict[str, object]) -> None:
    """Give the branch a compute that reads and writes, unless it has one."""
    if _has_compute(api, branch_id):
        return
    try:
        operations = api.create_endpoint(branch_id, options)
    except (BranchError, HttpAmbiguousError) as error:
        if not _has_compute(api, branch_id):
            kind = type(error) if isinstance(error, BranchError) else ProviderUnavailableError
            raise kind(f"the branch {branch_id} got no compute: {error}", hint=error.hint) from error
        operations = ()
    api.finish(operations)


def _has_compute(api: NeonApi, branch_id: str) -> bool:
    return any(endpoint.type == "read_write" for endpoint in api.endpoints(branch_id))


def _differences(branches: Sequence[NeonBranch], found: NeonBranch, wanted: _Wanted) -> dict[str, str]:
    """Return what is not as asked for, by what it is."""
    differences = {}
    # A branch with the schema only has no parent at Neon, which may leave its source unsaid.
    has_schema_only = found.has_schema_only or (found.init_source is None and not found.parent_id)
    if found.default:
        differences["default"] = "it is the default branch"
    elif found.has_schema_only if wanted.with_data else not has_schema_only:
        has, not_ = ("the schema only", "the data") if wanted.with_data else ("data", "the schema only")
        differences["data"] = f"it was made with {has}, not with {not_}"
    elif wanted.with_data and found.parent_id != wanted.parent.id:
        names = {branch.id: branch.name for branch in branches}
        parent = names.get(found.parent_id or "", found.parent_id) or "nothing"
        differences["parent"] = f"it was made from {parent}, not from {wanted.parent.name}"
    if found.protected is not wanted.protected:
        differences["protection"] = "it is protected" if found.protected else "it is not protected"
    expires_at = None if found.expires_at is None else whole_seconds(found.expires_at)
    if expires_at != wanted.expires_at:
        differences["expiry"] = f"it expires {_at(expires_at)}, not {_at(wanted.expires_at)}"
    return differences


def _how_to_go_on(name: str, wanted: _Wanted, differences: dict[str, str]) -> str:
    if "default" in differences:
        return "take another name"
    if differences.keys() & {"data", "parent"}:
        return f"take another name, or first run: bough branch delete {name}"
    expiry = "never" if wanted.expires_at is None else rfc3339(wanted.expires_at)
    commands = {
        "expiry": f"bough branch expire {name} {expiry}",
        "protection": f"bough branch protect {name}{'' if wanted.protected else ' --off'}",
    }
    needed = [command for difference, command in commands.items() if difference in differences]
    # Neither goes with the other: what is taken away goes first.
    if wanted.expires_at is not None:
        needed.reverse()
    return f"ask for it as it is, or first run: {' && '.join(needed)}"


def _at(moment: datetime | None) -> str:
    return "never" if moment is None else f"at {rfc3339(moment)}"


def _parent(branches: Sequence[NeonBranch], named: str | None) -> NeonBranch:
    if named is not None:
        return lookup.get(branches, named)
    default = next((branch for branch in branches if branch.default), None)
    if default is None:
        raise BranchError("the project has no default branch", hint="name the parent")
    return default


def _refuse_parent(wanted: _Wanted) -> None:
    """Refuse what Neon would, with its reason.

    Raises:
        BranchError: The parent expires.
    """
    parent = wanted.parent
    if wanted.with_data and parent.expires_at is not None:
        raise BranchError(
            f"the branch {parent.name!r} expires {_at(parent.expires_at)}, and so cannot be a parent",
            hint="let it stay, or take another parent",
        )
