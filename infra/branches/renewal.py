"""Make a branch that expires some time after it was last asked for."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from infra.branches.errors import BranchDiffersError

if TYPE_CHECKING:
    from infra.branches.provider import Branch, BranchProvider, BranchSpec


def create_or_renew(provider: BranchProvider, spec: BranchSpec) -> Branch:
    """Return the branch of this name, made unless it exists, its expiry moved to the spec's.

    `BranchProvider.create` alone refuses another expiry, and "in 7 days" is another one every time.

    Raises:
        BranchDiffersError: It exists and differs in more than the time of its expiry, or never expires.
    """
    try:
        return provider.create(spec)
    except BranchDiffersError:
        found = provider.get(spec.name)
        if found.expires_at is None or spec.expires_at is None:
            raise
        # Refuses whatever else differs, before anything is changed.
        branch = provider.create(replace(spec, expires_at=found.expires_at))
        return provider.set_expiry(branch.id, spec.expires_at)
