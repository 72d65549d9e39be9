"""What every host of database branches can do, in the words of this kit.

An adapter (`neon`, `supabase`) puts it into its provider's terms; the local world has none of
its own: there the Neon adapter speaks to our control plane.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from api.database.connection_url import DirectUrl, PooledUrl


class DatabaseRole(StrEnum):
    """Who connects: the owner migrates, the application serves requests."""

    OWNER = "owner"
    APP = "app"


class BranchState(StrEnum):
    """Where a branch is in its life."""

    CREATING = "creating"
    READY = "ready"
    RESETTING = "resetting"
    ARCHIVED = "archived"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Branch:
    """A database branch as its provider describes it.

    Args:
        id: The provider's own, never reused.
        name: Unique in the project, may change.
        project_id: Of the project that it belongs to.
        parent_id: The branch that it was made from; `None` for a root.
        is_default: Production, by every provider's convention.
        is_protected: May be neither deleted nor reset. On Supabase: persistent.
        state: Where it is in its life.
        created_at: With time zone.
        expires_at: When the provider deletes it, with time zone; `None` for never.
    """

    id: str
    name: str
    project_id: str
    parent_id: str | None
    is_default: bool
    is_protected: bool
    state: BranchState
    created_at: datetime
    expires_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Compute:
    """The size of a branch's compute; `None` leaves it to the provider.

    Args:
        min_cu: Compute units that it shrinks to, at least 0.25.
        max_cu: Compute units that it grows to.
        suspend_after: Seconds without a query until it is suspended; -1 for never.
    """

    min_cu: float | None = None
    max_cu: float | None = None
    suspend_after: int | None = None


@dataclass(frozen=True, slots=True)
class BranchSpec:
    """What a branch shall be.

    Args:
        name: 1 to 256 characters.
        parent: Id or name; `None` for the default branch.
        with_data: The parent's data too, or only its schema.
        protected: May then be neither deleted nor reset.
        expires_at: When the provider deletes it, with time zone; `None` for never.
        compute: The size of its compute.
    """

    name: str
    parent: str | None = None
    with_data: bool = True
    protected: bool = False
    expires_at: datetime | None = None
    compute: Compute = field(default_factory=Compute)


class BranchProvider(Protocol):
    """The branches of one project.

    A branch is named by its id or its name; an empty one is refused before anything is sent, since
    providers take it for production. All methods block until what they asked for is done, and raise
    what `infra.branches.errors` lists.
    """

    @property
    def project_id(self) -> str:
        """The project that all methods act on."""

    def create(self, spec: BranchSpec) -> Branch:
        """Return the branch of this name, made unless it exists; ready, with its application role.

        Raises:
            BranchDiffersError: It exists with another parent, protection or expiry; the message says
                which, and nothing was changed.
            BranchLimitError: The project has as many branches as it may have.
        """

    def get(self, branch: str) -> Branch:
        """Return a branch.

        Raises:
            BranchNotFoundError: There is none; the message has the nearest names.
        """

    def list(self) -> Sequence[Branch]:
        """Return all branches, oldest first."""

    def reset(self, branch: str) -> Branch:
        """Make the branch what its parent is now. Its own changes are lost, its URLs stay."""

    def restore(self, branch: str, at: datetime, *, preserve_as: str | None = None) -> Branch:
        """Take the branch back to a moment of its own past.

        Args:
            branch: Id or name.
            at: With time zone.
            preserve_as: Keeps its present under this name, as a branch of its own.

        Raises:
            HistoryError: The provider keeps nothing that old.
        """

    def set_expiry(self, branch: str, at: datetime | None) -> Branch:
        """Let the provider delete the branch at a time, or never."""

    def protect(self, branch: str, *, on: bool) -> Branch:
        """Protect a branch from deletion and reset, or no longer."""

    def delete(self, branch: str) -> None:
        """Delete a branch; nothing happens when it is gone already.

        Raises:
            BranchProtectedError: It is protected, the default branch, or the parent of others.
        """

    def direct_url(self, branch: str, role: DatabaseRole) -> DirectUrl:
        """Return the direct connection string, **with the password**."""

    def pooled_url(self, branch: str, role: DatabaseRole) -> PooledUrl:
        """Return the connection string through the pooler, **with the password**."""

    def schema(self, branch: str) -> str:
        """Return the branch's schema as SQL, without the kit's own tables."""

    def diff(self, base: str, branch: str) -> str:
        """Return how the schema of `branch` differs from that of `base`: a unified diff, empty when equal."""
