"""What the adapter reads of Neon's answers; what else they hold is ignored."""

from __future__ import annotations

from typing import Final

from pydantic import AwareDatetime, BaseModel, ConfigDict, SecretStr

from infra.branches.provider import Branch, BranchState

_STATES: Final = {
    "init": BranchState.CREATING,
    "resetting": BranchState.RESETTING,
    "archived": BranchState.ARCHIVED,
}


class _Answer(BaseModel):
    # An error about a connection string must not quote it.
    model_config = ConfigDict(frozen=True, hide_input_in_errors=True)


class NeonBranch(_Answer):
    """A branch, as Neon's `Branch`."""

    id: str
    name: str
    project_id: str
    parent_id: str | None = None
    current_state: str
    pending_state: str | None = None
    default: bool
    protected: bool
    created_at: AwareDatetime
    expires_at: AwareDatetime | None = None
    init_source: str | None = None
    last_reset_at: AwareDatetime | None = None

    @property
    def is_settled(self) -> bool:
        """Whether nothing is being done to it."""
        busy = {"init", "resetting"}
        return self.current_state not in busy and self.pending_state in {None, "", self.current_state}

    @property
    def has_data(self) -> bool | None:
        """Whether it was made with data; `None` for a root of which Neon does not say it."""
        is_unsaid = self.init_source is None and not self.parent_id
        return None if is_unsaid else self.init_source != "schema-only"

    def to_branch(self) -> Branch:
        """Return it in the kit's words."""
        return Branch(
            id=self.id,
            name=self.name,
            project_id=self.project_id,
            parent_id=self.parent_id or None,
            is_default=self.default,
            is_protected=self.protected,
            # A state that Neon adds later is no reason to wait: a connection shows what it means.
            state=_STATES.get(self.current_state, BranchState.READY),
            created_at=self.created_at,
            expires_at=self.expires_at,
        )


class Operation(_Answer):
    """A piece of work of Neon's."""

    id: str
    action: str
    status: str
    error: str | None = None


class Endpoint(_Answer):
    """A compute of a branch."""

    id: str
    type: str


class Database(_Answer):
    """A database of a branch."""

    name: str
    owner_name: str


class _Pagination(_Answer):
    next: str | None = None


class BranchPage(_Answer):
    """One page of a project's branches."""

    branches: list[NeonBranch]
    pagination: _Pagination = _Pagination()


class BranchAnswer(_Answer):
    """A branch with the work that was begun on it."""

    branch: NeonBranch
    operations: list[Operation] = []
    endpoints: list[Endpoint] = []


class OperationAnswer(_Answer):
    """One operation."""

    operation: Operation


class OperationsAnswer(_Answer):
    """The work that was begun."""

    operations: list[Operation] = []


class Endpoints(_Answer):
    """The computes of a branch."""

    endpoints: list[Endpoint]


class Databases(_Answer):
    """The databases of a branch."""

    databases: list[Database]


class ConnectionUri(_Answer):
    """A connection string with its password."""

    uri: SecretStr


class Schema(_Answer):
    """A database's schema as SQL."""

    sql: str = ""
