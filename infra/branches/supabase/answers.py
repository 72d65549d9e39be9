"""What the adapter reads of Supabase's answers; what else they hold is ignored."""

from __future__ import annotations

from typing import Final

from pydantic import AwareDatetime, BaseModel, ConfigDict, SecretStr

from infra.branches.provider import Branch, BranchState

HEALTHY: Final = "ACTIVE_HEALTHY"
PAUSED: Final = "INACTIVE"
FAILED: Final = frozenset({"INIT_FAILED", "RESTORE_FAILED", "PAUSE_FAILED", "REMOVED", "GOING_DOWN"})
_STATES: Final = {
    HEALTHY: BranchState.READY,
    PAUSED: BranchState.ARCHIVED,
    "PAUSING": BranchState.ARCHIVED,
    "RESTORING": BranchState.RESETTING,
    **dict.fromkeys(FAILED, BranchState.FAILED),
}
#: What Supabase names the default branch when the project's first other branch is made.
_DEFAULT_NAME: Final = "main"


class _Answer(BaseModel):
    # An error about a password must not quote it.
    model_config = ConfigDict(frozen=True, hide_input_in_errors=True)


class SupabaseBranch(_Answer):
    """A branch: a project of its own, known by the same reference."""

    name: str
    project_ref: str
    parent_project_ref: str
    is_default: bool
    persistent: bool
    with_data: bool
    created_at: AwareDatetime
    deletion_scheduled_at: AwareDatetime | None = None
    # Beside it stands `status`, which is deprecated.
    preview_project_status: str | None = None

    @property
    def id(self) -> str:
        """Its project's reference: the UUID beside it is deprecated."""
        return self.project_ref

    def to_branch(self, project_id: str) -> Branch:
        """Return it in the kit's words."""
        unknown = BranchState.READY if self.is_default else BranchState.CREATING
        return Branch(
            id=self.project_ref,
            name=self.name,
            project_id=project_id,
            parent_id=None if self.is_default else self.parent_project_ref,
            is_default=self.is_default,
            is_protected=self.persistent,
            state=_STATES.get(self.preview_project_status or "", unknown),
            created_at=self.created_at,
            expires_at=self.deletion_scheduled_at,
        )


class Project(_Answer):
    """The project itself."""

    ref: str
    status: str
    created_at: AwareDatetime

    def as_default_branch(self) -> SupabaseBranch:
        """Return it as its default branch, which Supabase lists only when there is another one."""
        return SupabaseBranch(
            name=_DEFAULT_NAME,
            project_ref=self.ref,
            parent_project_ref=self.ref,
            is_default=True,
            persistent=True,
            with_data=True,
            created_at=self.created_at,
            preview_project_status=self.status,
        )


class BranchDetail(_Answer):
    """How a branch's database is reached; what may be secret is left out where the token may not see it."""

    ref: str
    status: str
    db_host: str
    db_port: int
    db_user: str = "postgres"
    db_pass: SecretStr | None = None


class PoolerConfig(_Answer):
    """A pooler of a project."""

    database_type: str
    db_user: str
    db_host: str
    db_port: int
    db_name: str
    pool_mode: str


class _Step(_Answer):
    name: str
    status: str


class Run(_Answer):
    """What Supabase does with a branch, in steps, from cloning the repository to deploying functions."""

    id: str
    run_steps: list[_Step]
    created_at: str

    @property
    def failed_step(self) -> str | None:
        """The step that failed, if one did."""
        return next((step.name for step in self.run_steps if step.status == "DEAD"), None)

    @property
    def current_step(self) -> str | None:
        """The step that it is at; `None` when all are done."""
        return next((step.name for step in self.run_steps if step.status != "EXITED"), None)


class BegunRun(_Answer):
    """A run that was begun."""

    workflow_run_id: str


class _Kept(_Answer):
    earliest_physical_backup_date_unix: int | None = None
    latest_physical_backup_date_unix: int | None = None


class Backups(_Answer):
    """What a project can be taken back to."""

    pitr_enabled: bool
    physical_backup_data: _Kept
