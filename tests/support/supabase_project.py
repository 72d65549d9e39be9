"""One project of the Supabase stub, a branch or the production itself, in the Management API's words."""

from __future__ import annotations

import secrets
import shutil
import string
import threading
import uuid
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from tests.support.supabase_database import ProjectDatabase

REF_LENGTH: Final = 20


def new_ref() -> str:
    """Return a project's reference."""
    return "".join(secrets.choice(string.ascii_lowercase) for _ in range(REF_LENGTH))


def now(ahead: timedelta = timedelta()) -> str:
    """Return the time, or a later one, as the API writes it."""
    return (datetime.now(UTC) + ahead).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def step(each: dict[str, Any], status: str) -> None:
    """Let a step of a run have a status."""
    each.update(status=status, updated_at=now())


class StubProject:
    """A project.

    Attributes:
        database: Where its URLs lead, once it has been made.
        status: The project's own.
        runs: What Supabase did to it, newest first.
        backups: Data that it can be taken back to, by moment.
        pooler_changes: What its pooler's description has instead of the truth.
        detail_changes: What its own description has instead of the truth.
    """

    def __init__(
        self,
        ref: str,
        name: str,
        *,
        parent: str,
        is_default: bool = False,
        persistent: bool = False,
        with_data: bool = False,
        hidden_answers: int = 0,
    ) -> None:
        """Describe a project that is coming up, or the production, which is there."""
        self.ref, self.name, self.parent = ref, name, parent
        self.is_default, self.persistent, self.with_data = is_default, persistent, with_data
        self.status = "ACTIVE_HEALTHY" if is_default else "COMING_UP"
        self.database: ProjectDatabase | None = None
        self.runs: list[dict[str, Any]] = []
        self.backups: dict[datetime, Path] = {}
        self.pooler_changes: dict[str, Any] = {}
        self.detail_changes: dict[str, Any] = {}
        self.deletion_scheduled_at: str | None = None
        self._id = str(uuid.uuid4())
        self._created_at = now()
        self._hidden_answers = hidden_answers
        self._work: threading.Thread | None = None

    def is_hidden(self) -> bool:
        """Say whether it is not yet to be found by its reference, once more."""
        self._hidden_answers -= 1
        return self._hidden_answers >= 0

    def new_run(self, steps: Sequence[str]) -> dict[str, Any]:
        """Add a run none of whose steps has begun."""
        made = now()
        run = {
            "id": uuid.uuid4().hex,
            "branch_id": self._id,
            "run_steps": [
                {"name": name, "status": "CREATED", "created_at": made, "updated_at": made} for name in steps
            ],
            "git_config": None,
            "workdir": None,
            "check_run_id": None,
            "created_at": made,
            "updated_at": made,
        }
        self.runs.insert(0, run)
        return run

    def later(self, work: Callable[[], None]) -> None:
        """Work in the background; the project is healthy afterwards."""

        def run() -> None:
            work()
            if self.database:
                self.status = "ACTIVE_HEALTHY"

        self._work = threading.Thread(target=run)
        self._work.start()

    def remove(self) -> None:
        """Wait for the work in the background, then delete the database with all that was kept of it."""
        if self._work:
            self._work.join()
        if self.database:
            self.database.remove()
        for backup in set(self.backups.values()):
            shutil.rmtree(backup)

    def as_branch(self) -> dict[str, Any]:
        """Return `BranchResponse`."""
        body = {
            "id": self._id,
            "name": self.name,
            "project_ref": self.ref,
            "parent_project_ref": self.parent,
            "is_default": self.is_default,
            "persistent": self.persistent,
            # Deprecated: what it says is of no use to anybody.
            "status": "CREATING_PROJECT",
            "created_at": self._created_at,
            "updated_at": self._created_at,
            "with_data": self.with_data,
            "preview_project_status": self.status,
        }
        if self.deletion_scheduled_at:
            body["deletion_scheduled_at"] = self.deletion_scheduled_at
        return body

    def as_detail(self, *, hides_password: bool) -> dict[str, Any]:
        """Return `BranchDetailResponse`."""
        body = {
            "ref": self.ref,
            "postgres_version": "supabase-postgres-17.6.1.171",
            "postgres_engine": "17",
            "release_channel": "ga",
            "status": self.status,
            "db_host": "127.0.0.1",
            # Something is to be said before there is a server.
            "db_port": self.database.port if self.database else 5432,
        }
        if self.database and not hides_password:
            body |= {"db_user": "postgres", "db_pass": self.database.password}
        return body | self.detail_changes

    def as_pooler(self, port: int) -> dict[str, Any]:
        """Return the primary's `SupavisorConfigResponse`."""
        url = f"postgresql://postgres.{self.ref}:[YOUR-PASSWORD]@127.0.0.1:{port}/postgres"
        return {
            "identifier": self.ref,
            "database_type": "PRIMARY",
            "is_using_scram_auth": True,
            "db_user": f"postgres.{self.ref}",
            "db_host": "127.0.0.1",
            "db_port": port,
            "db_name": "postgres",
            "connection_string": url,
            "connectionString": url,
            "default_pool_size": 15,
            "max_client_conn": 200,
            "pool_mode": "transaction",
        } | self.pooler_changes

    def as_project(self) -> dict[str, Any]:
        """Return `V1ProjectWithDatabaseResponse`."""
        return {
            "id": self.ref,
            "ref": self.ref,
            "organization_id": "a-team",
            "organization_slug": "a-team",
            "name": "A project",
            "region": "eu-central-1",
            "created_at": self._created_at,
            "status": self.status,
            "database": {
                "host": "127.0.0.1",
                "version": "17.6.1.171",
                "postgres_engine": "17",
                "release_channel": "ga",
            },
        }

    def as_backups(self, *, pitr: bool) -> dict[str, Any]:
        """Return `V1BackupsResponse`."""
        moments = sorted(moment.timestamp() for moment in self.backups)
        kept = (
            {
                "earliest_physical_backup_date_unix": int(moments[0]),
                "latest_physical_backup_date_unix": int(moments[-1]),
            }
            if moments
            else {}
        )
        return {
            "region": "eu-central-1",
            "walg_enabled": True,
            "pitr_enabled": pitr,
            "backups": [],
            "physical_backup_data": kept,
        }
