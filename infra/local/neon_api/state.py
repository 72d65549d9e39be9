"""What the control plane knows, and the file that it survives a kill in.

Every change is written before anybody hears of it, whole or not at all. What is still to be done on
servers lies in it too, as operations.
"""

from __future__ import annotations

import datetime as dt
from contextlib import contextmanager
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Final
from uuid import UUID, uuid4

from pydantic import BaseModel, Field, ValidationError

from infra.local.errors import StateError
from infra.local.neon_api import errors
from infra.local.own_folder import write_private

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

#: Operations that have ended are forgotten beyond this number: each change writes all of them.
_KEPT_OPERATIONS: Final = 200


def now() -> dt.datetime:
    """Return the time, in UTC."""
    return dt.datetime.now(dt.UTC)


class BranchState(StrEnum):
    """Where a branch is in its life."""

    INIT = "init"
    READY = "ready"
    RESETTING = "resetting"


class OperationStatus(StrEnum):
    """Where an operation is in its life; Neon has more."""

    SCHEDULING = "scheduling"
    RUNNING = "running"
    FINISHED = "finished"
    FAILED = "failed"
    CANCELLED = "cancelled"


class Action(StrEnum):
    """What an operation does, in Neon's words."""

    CREATE_TIMELINE = "create_timeline"
    CREATE_BRANCH = "create_branch"
    RESTORE = "import_data"
    CREATE_COMPUTE = "create_compute"
    APPLY_CONFIG = "apply_config"
    START_COMPUTE = "start_compute"
    SUSPEND_COMPUTE = "suspend_compute"
    DELETE_TIMELINE = "delete_timeline"


class Role(BaseModel):
    """A role made through the API; those made by SQL are PostgreSQL's alone."""

    name: str
    password: str | None = Field(repr=False)
    created_at: dt.datetime = Field(default_factory=now)
    updated_at: dt.datetime = Field(default_factory=now)


class Database(BaseModel):
    """A database made through the API."""

    id: int
    name: str
    owner_name: str
    created_at: dt.datetime = Field(default_factory=now)
    updated_at: dt.datetime = Field(default_factory=now)


class EndpointSettings(BaseModel):
    """The size of a compute and when it is suspended; nothing here is ever resized."""

    autoscaling_limit_min_cu: float = 0.25
    autoscaling_limit_max_cu: float = 0.25
    suspend_timeout_seconds: int = 0


class Project(BaseModel):
    """A project."""

    id: str
    name: str
    default_endpoint_settings: EndpointSettings
    created_at: dt.datetime = Field(default_factory=now)
    updated_at: dt.datetime = Field(default_factory=now)


class Branch(BaseModel):
    """A branch."""

    id: str
    project_id: str
    parent_id: str | None = None
    name: str
    current_state: BranchState = BranchState.INIT
    pending_state: BranchState | None = BranchState.READY
    state_changed_at: dt.datetime = Field(default_factory=now)
    creation_source: str = "console"
    init_source: str = "parent-data"
    default: bool = False
    protected: bool = False
    created_at: dt.datetime = Field(default_factory=now)
    updated_at: dt.datetime = Field(default_factory=now)
    expires_at: dt.datetime | None = None
    ttl_interval_seconds: int | None = None
    parent_timestamp: dt.datetime | None = None
    last_reset_at: dt.datetime | None = None
    annotation: dict[str, Any] | None = None
    roles: list[Role] = Field(default_factory=list)
    databases: list[Database] = Field(default_factory=list)
    deleted_at: dt.datetime | None = None


class Endpoint(EndpointSettings):
    """The read-write endpoint of a branch, and the ports that clients know it by."""

    id: str
    project_id: str
    branch_id: str
    name: str | None = None
    direct_port: int
    pooled_port: int
    created_at: dt.datetime = Field(default_factory=now)
    updated_at: dt.datetime = Field(default_factory=now)
    started_at: dt.datetime | None = None
    suspended_at: dt.datetime | None = None


class Operation(BaseModel):
    """Something to be done on servers, again if need be until it has been done once.

    Args:
        batch: Operations of one request share it; they run in order, and after a failure no more.
        source_id: A branch that is read meanwhile, and may not change.
        details: What the action needs to know beyond the branch.
    """

    id: UUID = Field(default_factory=uuid4)
    batch: UUID
    project_id: str
    branch_id: str
    endpoint_id: str | None = None
    source_id: str | None = None
    action: Action
    details: dict[str, Any] = Field(default_factory=dict)
    status: OperationStatus = OperationStatus.SCHEDULING
    error: str | None = None
    failures_count: int = 0
    created_at: dt.datetime = Field(default_factory=now)
    updated_at: dt.datetime = Field(default_factory=now)

    @property
    def is_unfinished(self) -> bool:
        """Whether it has yet to run or runs."""
        return self.status in (OperationStatus.SCHEDULING, OperationStatus.RUNNING)

    def changes(self, branch_id: str) -> bool:
        """Say whether it changes the branch, or makes it."""
        return branch_id in (self.branch_id, self.details.get("preserved_id"))


class State(BaseModel):
    """All that is known. Look things up anew after every `await`: a refused change takes it back."""

    projects: dict[str, Project] = Field(default_factory=dict)
    branches: dict[str, Branch] = Field(default_factory=dict)
    endpoints: dict[str, Endpoint] = Field(default_factory=dict)
    operations: dict[UUID, Operation] = Field(default_factory=dict)

    def project(self, project_id: str) -> Project:
        """Return a project, or refuse with 404."""
        if project_id not in self.projects:
            raise errors.not_found("project")
        return self.projects[project_id]

    def branch(self, project_id: str, branch_id: str) -> Branch:
        """Return a branch that is not deleted, or refuse with 404."""
        self.project(project_id)
        branch = self.branches.get(branch_id)
        if branch is None or branch.project_id != project_id or branch.deleted_at:
            raise errors.not_found("branch")
        return branch

    def live_branches(self, project_id: str) -> list[Branch]:
        """Return the project's branches that are not deleted."""
        self.project(project_id)
        return [
            each for each in self.branches.values() if each.project_id == project_id and not each.deleted_at
        ]

    def recoverable_branches(self, project_id: str) -> list[Branch]:
        """Return the project's branches that are deleted, but not for good."""
        going = {each.branch_id for each in self.unfinished() if each.action is Action.DELETE_TIMELINE}
        return [
            each
            for each in self.branches.values()
            if each.project_id == project_id and each.deleted_at and each.id not in going
        ]

    def default_branch(self, project_id: str) -> Branch:
        """Return the project's default branch; there always is one."""
        return next(each for each in self.live_branches(project_id) if each.default)

    def children(self, branch: Branch) -> list[Branch]:
        """Return the branches made from this one, except deleted ones."""
        return [each for each in self.live_branches(branch.project_id) if each.parent_id == branch.id]

    def endpoint(self, project_id: str, endpoint_id: str) -> Endpoint:
        """Return an endpoint, or refuse with 404."""
        self.project(project_id)
        endpoint = self.endpoints.get(endpoint_id)
        if (
            endpoint is None
            or endpoint.project_id != project_id
            or self.branches[endpoint.branch_id].deleted_at
        ):
            raise errors.not_found("endpoint")
        return endpoint

    def endpoint_of(self, branch_id: str) -> Endpoint | None:
        """Return the branch's endpoint, if it has one."""
        return next((each for each in self.endpoints.values() if each.branch_id == branch_id), None)

    def unfinished(self) -> Iterable[Operation]:
        """Return the operations that have yet to run or run, oldest first."""
        return (each for each in self.operations.values() if each.is_unfinished)

    def require_idle(self, branch_id: str) -> None:
        """Refuse with 423 while an operation changes or reads the branch."""
        if any(each.changes(branch_id) or each.source_id == branch_id for each in self.unfinished()):
            raise errors.busy()

    def require_unchanging(self, branch_id: str) -> None:
        """Refuse with 423 while an operation changes the branch; others may read it meanwhile."""
        if any(each.changes(branch_id) for each in self.unfinished()):
            raise errors.busy()


class Store:
    """The state and its file."""

    def __init__(self, path: Path) -> None:
        """Read the file, if there is one.

        Raises:
            StateError: It cannot be understood.
        """
        self._path = path
        self._written = path.read_text() if path.exists() else State().model_dump_json()
        try:
            self.state = State.model_validate_json(self._written)
        except ValidationError:
            # Not what it says: it quotes what it read, and passwords are there.
            raise StateError(
                f"{path} is damaged, or of another version",
                hint="`bough down --delete` deletes all local branches",
            ) from None

    @contextmanager
    def change(self) -> Iterator[State]:
        """Change the state in the block, which must not await: written after it, or taken back.

        Raises:
            DiskFullError: Nothing has changed.
        """
        try:
            yield self.state
            _forget_old_operations(self.state)
            text = self.state.model_dump_json()
            write_private(self._path, text)
        except BaseException:
            self.state = State.model_validate_json(self._written)
            raise
        self._written = text


def _forget_old_operations(state: State) -> None:
    ended = [each.id for each in state.operations.values() if not each.is_unfinished]
    for operation_id in ended[:-_KEPT_OPERATIONS]:
        del state.operations[operation_id]
