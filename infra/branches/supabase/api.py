"""Supabase's Management API as the adapter uses it: one method a route, each naming its branch."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from infra.branches import lookup
from infra.branches.errors import (
    BranchError,
    BranchNameInvalidError,
    BranchProtectedError,
    ProjectNotFoundError,
    TargetError,
)
from infra.branches.provider_api import ProviderApi
from infra.branches.supabase.answers import (
    Backups,
    BegunRun,
    BranchDetail,
    PoolerConfig,
    Project,
    Run,
    SupabaseBranch,
)
from infra.branches.supabase.errors import translated

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from infra.deadline import Deadline
    from infra.http import HttpClient
    from infra.http_errors import HttpError

#: As Supabase's API document has it; the UUIDs that it also takes are deprecated.
_REF: Final = re.compile(r"[a-z]{20}")


class SupabaseApi(ProviderApi):
    """Requests about one project and its branches, all until one deadline.

    A branch is named by its project's reference alone, and every reference passes `_checked_ref`.
    """

    service = "Supabase"
    status_page = "status.supabase.com"

    def __init__(self, http: HttpClient, project_ref: str, deadline: Deadline) -> None:
        """Send nothing yet.

        Raises:
            ProjectNotFoundError: This cannot be a project's reference.
        """
        if not _REF.fullmatch(project_ref):
            raise ProjectNotFoundError(
                f"{project_ref!r} is no project's reference",
                hint="set the 20 letters that the project's dashboard has in its address",
            )
        super().__init__(http, "v1", deadline=deadline)
        self.project_ref = project_ref

    def branches(self) -> list[SupabaseBranch]:
        """Return all branches, oldest first, the default one always among them."""
        branches = self._get(list[SupabaseBranch], "projects", self.project_ref, "branches")
        if not any(branch.is_default for branch in branches):
            branches.append(self._get(Project, "projects", self.project_ref).as_default_branch())
        return sorted(branches, key=lambda branch: branch.created_at)

    def create_branch(self, body: Mapping[str, object]) -> SupabaseBranch:
        """Begin a branch.

        Raises:
            HttpAmbiguousError: It may have been begun.
            BranchConflictError: There is one of this name.
        """
        path = ("projects", self.project_ref, "branches")
        return self._read(SupabaseBranch, self._send("POST", *path, body=body))

    def protect_branch(self, ref: str, *, on: bool) -> SupabaseBranch:
        """Let a branch be persistent, or no longer."""
        path = ("branches", _checked_ref(ref))
        return self._read(
            SupabaseBranch, self._send("PATCH", *path, body={"persistent": on}, repeatable=True)
        )

    def delete_branch(self, ref: str) -> None:
        """Delete a branch at once, without the hour in which it could be had back."""
        path = ("branches", self._previews_ref(ref))
        self._send("DELETE", *path, query={"force": True}, repeatable=True)

    def keep_branch(self, ref: str) -> None:
        """Let a branch that is to be deleted live on."""
        self._send("POST", "branches", _checked_ref(ref), "restore", repeatable=True)

    def reset_branch(self, ref: str) -> str:
        """Begin to reset a branch to its migrations; return the run's id."""
        answer = self._send("POST", "branches", self._previews_ref(ref), "reset", body={})
        return self._read(BegunRun, answer).workflow_run_id

    def resume_branch(self, ref: str) -> None:
        """Begin to start a paused branch's project."""
        self._send("POST", "projects", _checked_ref(ref), "restore", branch_id=ref)

    def detail(self, ref: str) -> BranchDetail:
        """Return how a branch's database is reached, and the state of its project."""
        detail = self._get(BranchDetail, "branches", _checked_ref(ref))
        if detail.ref != ref:
            raise TargetError(
                f"asked how the branch {ref} is reached, Supabase described {detail.ref}",
                hint="nothing was sent there; is the API's address right, is a proxy between?",
            )
        return detail

    def runs(self, ref: str) -> Sequence[Run]:
        """Return what Supabase did with a branch, in no particular order."""
        return self._get(list[Run], "projects", _checked_ref(ref), "actions", branch_id=ref)

    def run(self, ref: str, run_id: str) -> Run:
        """Return one thing that Supabase does with a branch."""
        return self._get(Run, "projects", _checked_ref(ref), "actions", run_id, branch_id=ref)

    def poolers(self, ref: str) -> Sequence[PoolerConfig]:
        """Return the poolers of a branch, its replicas' too."""
        path = ("projects", _checked_ref(ref), "config", "database", "pooler")
        return self._get(list[PoolerConfig], *path, branch_id=ref)

    def backups(self, ref: str) -> Backups:
        """Return what a branch can be taken back to."""
        return self._get(Backups, "projects", _checked_ref(ref), "database", "backups", branch_id=ref)

    def restore_branch(self, ref: str, at: datetime) -> None:
        """Begin to take a branch back to a second of its past."""
        path = ("projects", _checked_ref(ref), "database", "backups", "restore-pitr")
        body = {"recovery_time_target_unix": int(at.timestamp())}
        self._send("POST", *path, body=body, branch_id=ref)

    def _previews_ref(self, ref: str) -> str:
        """Return the reference of a branch that is not the project itself, whatever the API lists it as."""
        if ref == self.project_ref:
            raise BranchProtectedError(
                f"{ref} is the project itself, and not one of its previews", hint="it is production"
            )
        return _checked_ref(ref)

    def _translated(self, error: HttpError, branch_id: str | None) -> BranchError:
        return translated(error, project_ref=self.project_ref, branch_ref=branch_id)


def _checked_ref(ref: str) -> str:
    """Return the reference: the one way of a branch into a request.

    Raises:
        BranchNameMissingError: It is empty.
        BranchNameInvalidError: It is no reference.
    """
    if not _REF.fullmatch(lookup.required(ref)):
        raise BranchNameInvalidError(f"{ref!r} is no branch's reference")
    return ref
