"""One branch of a name at Neon: what is asked for, in Neon's terms, and with a compute."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from infra.branches import lookup
from infra.branches.creation import ask_until_there, limit_reached, refuse_different
from infra.branches.errors import (
    BranchError,
    BranchLimitError,
    ComputeInvalidError,
    ProviderUnavailableError,
)
from infra.branches.timestamps import checked_expiry, rfc3339
from infra.http_errors import HttpAmbiguousError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from infra.branches.neon.answers import NeonBranch
    from infra.branches.neon.api import NeonApi
    from infra.branches.provider import BranchSpec, Compute

#: By Neon's API document: compute units, and seconds besides 0 (its default) and -1 (never).
_SMALLEST_CU: Final = 0.25
_SUSPEND_AFTER: Final = range(60, 604_800 + 1)
#: Seconds between a look for a branch and the next request for it.
_PAUSE: Final = 1.0


def found_or_made(api: NeonApi, spec: BranchSpec, announce: Callable[[str], None]) -> NeonBranch:
    """Return the branch of this name, made unless it exists, with a compute, nothing under way on it.

    Raises:
        BranchDiffersError: It exists and is not what was asked for.
        BranchLimitError: The project has as many branches as it may have.
    """
    expires_at = None if spec.expires_at is None else checked_expiry(spec.expires_at)
    spec = replace(spec, name=lookup.checked_name(spec.name), expires_at=expires_at)
    named_parent = None if spec.parent is None else lookup.required(spec.parent)
    endpoint = _endpoint_options(spec.compute)
    if spec.protected and expires_at is not None:
        raise BranchError(
            f"the branch {spec.name!r} cannot be protected and expire", hint="ask for one of them"
        )
    branches = api.branches()
    parent = _parent(branches, named_parent)

    def refuse_other(found: NeonBranch, among: Sequence[NeonBranch]) -> None:
        every = [branch.to_branch() for branch in among]
        refuse_different(found.to_branch(), spec, every, parent=parent.to_branch(), has_data=found.has_data)

    def complete(found: NeonBranch, among: Sequence[NeonBranch]) -> NeonBranch:
        refuse_other(found, among)
        settled = api.settled(found.id)
        _ensure_compute(api, found.id, endpoint)
        return settled

    def make() -> NeonBranch:
        made = api.create_branch(parent.id, _fields(spec), endpoint)
        api.finish(made.operations)
        settled = api.settled(made.branch.id)
        # A plan without a feature may leave it out in silence.
        refuse_other(settled, branches)
        return settled

    def find() -> NeonBranch | None:
        now = api.branches()
        found = lookup.named(now, spec.name)
        return None if found is None else complete(found, now)

    if found := lookup.named(branches, spec.name):
        return complete(found, branches)
    _refuse_expiring(parent, spec)
    lookup.refuse_id(branches, spec.name)
    try:
        return ask_until_there(api, spec.name, make=make, find=find, announce=announce, pause=_PAUSE)
    except BranchLimitError as refused:
        raise limit_reached([branch.to_branch() for branch in api.branches()], refused) from refused


def _fields(spec: BranchSpec) -> dict[str, object]:
    """Return what the request says of the branch itself."""
    fields: dict[str, object] = {"name": spec.name}
    if not spec.with_data:
        fields["init_source"] = "schema-only"
    if spec.protected:
        fields["protected"] = True
    if spec.expires_at is not None:
        fields["expires_at"] = rfc3339(spec.expires_at)
    return fields


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


def _parent(branches: Sequence[NeonBranch], named: str | None) -> NeonBranch:
    if named is not None:
        return lookup.get(branches, named)
    default = next((branch for branch in branches if branch.default), None)
    if default is None:
        raise BranchError("the project has no default branch", hint="name the parent")
    return default


def _refuse_expiring(parent: NeonBranch, spec: BranchSpec) -> None:
    """Refuse a parent that Neon would, with its reason.

    Raises:
        BranchError: It expires.
    """
    if spec.with_data and parent.expires_at is not None:
        raise BranchError(
            f"the branch {parent.name!r} expires at {rfc3339(parent.expires_at)}, and so cannot be a parent",
            hint="let it stay, or take another parent",
        )


def _endpoint_options(compute: Compute) -> dict[str, object]:
    """Return what Neon takes for a compute that reads and writes; what is `None` is left out.

    The Free plan refuses any value for the suspension, even its own default.

    Raises:
        ComputeInvalidError: A size or a time that no compute can have.
    """
    low, high, seconds = compute.min_cu, compute.max_cu, compute.suspend_after
    sizes = [size for size in (low, high) if size is not None]
    if wrong := [size for size in sizes if not _SMALLEST_CU <= size < math.inf]:
        raise ComputeInvalidError(f"a compute has at least {_SMALLEST_CU} units, not {wrong[0]:g}")
    if low is not None and high is not None and low > high:
        raise ComputeInvalidError(f"a compute cannot shrink to {low:g} units and grow to {high:g}")
    if seconds is not None and seconds not in {-1, 0} and seconds not in _SUSPEND_AFTER:
        raise ComputeInvalidError(
            f"a compute cannot be suspended after {seconds} s",
            hint=f"give {_SUSPEND_AFTER[0]} to {_SUSPEND_AFTER[-1]}, 0 for the default, -1 for never",
        )
    options = {
        "type": "read_write",
        "autoscaling_limit_min_cu": low,
        "autoscaling_limit_max_cu": high,
        "suspend_timeout_seconds": seconds,
    }
    return {name: value for name, value in options.items() if value is not None}
