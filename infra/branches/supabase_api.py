"""Supabase's Management API as the adapter uses it: one method a route, each naming its branch."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final, TypeVar

from pydantic import TypeAdapter

from infra.branches import lookup
from infra.branches.answers import read
from infra.branches.errors import (
    BranchNameInvalidError,
    BranchProtectedError,
    ProjectNotFoundError,
    TargetError,
)
from infra.branches.supabase_answers import (
    Backups,
    BegunRun,
    BranchDetail,
    PoolerConfig,
    Project,
    Run,
    SupabaseBranch,
)
from infra.branches.supabase_errors import translated
from infra.http_errors import HttpAmbiguousError, HttpError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from infra.deadline import Deadline
    from infra.http import HttpClient
    from infra.http_answers import Answer

_T = TypeVar("_T")

#: As Supabase's API document has it; the UUIDs that it also takes are deprecated.
_REF: Final = re.compile(r"[a-z]{20}")

_BRANCHES: Final = TypeAdapter(list[SupabaseBranch])
_BRANCH: Final = TypeAdapter(SupabaseBranch)
_PROJECT: Final = TypeAdapter(Project)
_DETAIL: Final = TypeAdapter(BranchDetail)
_RUNS: Final = TypeAdapter(list[Run])
_RUN: Final = TypeAdapter(Run)
_BEGUN: Final = TypeAdapter(BegunRun)
_POOLERS: Final = TypeAdapter(list[PoolerConfig])
_BACKUPS: Final = TypeAdapter(Backups)


class SupabaseApi:
    """Requests about one project and its branches, all until one deadline.

    A branch is named by its project's reference alone, and every reference passes `_checked_ref`.
    """

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
        self._http = http
        self.project_ref = project_ref
        self.deadline = deadline

    def branches(self) -> list[SupabaseBranch]:
        """Return all branches, oldest first, the default one always among them."""
        branches = self._get(_BRANCHES, "projects", self.project_ref, "branches")
        if not any(branch.is_default for branch in branches):
            branches.append(self._get(_PROJECT, "projects", self.project_ref).as_default_branch())
        return sorted(branches, key=lambda branch: branch.created_at)

    def create_branch(self, body: Mapping[str, object]) -> SupabaseBranch:
        """Begin a branch.

        Raises:
            HttpAmbiguousError: It may have been begun.
            BranchConflictError: There is one of this name.
        """
        path = ("projects", self.project_ref, "branches")
        return _read(_BRANCH, self._request("POST", path, body=body))

    def protect_branch(self, ref: str, *, on: bool) -> SupabaseBranch:
        """Let a branch be persistent, or no longer."""
        path = ("branches", _checked_ref(ref))
        return _read(_BRANCH, self._request("PATCH", path, body={"persistent": on}, repeatable=True))

    def delete_branch(self, ref: str) -> None:
        """Delete a branch at once, without the hour in which it could be had back."""
        path = ("branches", self._previews_ref(ref))
        self._request("DELETE", path, query={"force": True}, repeatable=True)

    def keep_branch(self, ref: str) -> None:
        """Let a branch that is to be deleted live on."""
        self._request("POST", ("branches", _checked_ref(ref), "restore"), repeatable=True)

    def reset_branch(self, ref: str) -> str:
        """Begin to reset a branch to its migrations; return the run's id."""
        answer = self._request("POST", ("branches", self._previews_ref(ref), "reset"), body={})
        return _read(_BEGUN, answer).workflow_run_id

    def resume_branch(self, ref: str) -> None:
        """Begin to start a paused branch's project."""
        self._request("POST", ("projects", _checked_ref(ref), "restore"), branch_ref=ref)

    def detail(self, ref: str) -> BranchDetail:
        """Return how a branch's database is reached, and the state of its project."""
        detail = self._get(_DETAIL, "branches", _checked_ref(ref))
        if detail.ref != ref:
            raise TargetError(
                f"asked how the branch {ref} is reached, Supabase described {detail.ref}",
                hint="nothing was sent there; is the API's address right, is a proxy between?",
            )
        return detail

    def runs(self, ref: str) -> Sequence[Run]:
        """Return what Supabase did with a branch, in no particular order."""
        return self._get(_RUNS, "projects", _checked_ref(ref), "actions", branch_ref=ref)

    def run(self, ref: str, run_id: str) -> Run:
        """Return one thing that Supabase does with a branch."""
        return self._get(_RUN, "projects", _checked_ref(ref), "actions", run_id, branch_ref=ref)

    def poolers(self, ref: str) -> Sequence[PoolerConfig]:
        """Return the poolers of a branch, its replicas' too."""
        path = ("projects", _checked_ref(ref), "config", "database", "pooler")
        return self._get(_POOLERS, *path, branch_ref=ref)

    def backups(self, ref: str) -> Backups:
        """Return what a branch can be taken back to."""
        return self._get(_BACKUPS, "projects", _checked_ref(ref), "database", "backups", branch_ref=ref)

    def restore_branch(self, ref: str, at: datetime) -> None:
        """Begin to take a branch back to a second of its past."""
        path = ("projects", _checked_ref(ref), "database", "backups", "restore-pitr")
        body = {"recovery_time_target_unix": int(at.timestamp())}
        self._request("POST", path, body=body, branch_ref=ref)

    def _previews_ref(self, ref: str) -> str:
        """Return the reference of a branch that is not the project itself, whatever the API lists it as."""
        if ref == self.project_ref:
            raise BranchProtectedError(
                f"{ref} is the project itself, and not one of its previews", hint="it is production"
            )
        return _checked_ref(ref)

    def _get(self, kind: TypeAdapter[_T], *path: str, branch_ref: str | None = None) -> _T:
        return _read(kind, self._request("GET", path, branch_ref=branch_ref))

    def _request(
        self,
        method: str,
        path: tuple[str, ...],
        *,
        query: Mapping[str, str | int | bool] | None = None,
        body: Mapping[str, Any] | None = None,
        repeatable: bool | None = None,
        branch_ref: str | None = None,
    ) -> Answer:
        try:
            return self._http.request(
                method,
                "v1",
                *path,
                query=query,
                body=body,
                repeatable=repeatable,
                deadline=self.deadline,
            )
        except HttpAmbiguousError:
            raise
        except HttpError as error:
            named = branch_ref or (path[1] if path[0] == "branches" else None)
            raise translated(error, project_ref=self.project_ref, branch_ref=named) from error


def _checked_ref(ref: str) -> str:
    """Return the reference: the one way of a branch into a request.

    Raises:
        BranchNameMissingError: It is empty.
        BranchNameInvalidError: It is no reference.
    """
    if not _REF.fullmatch(lookup.required(ref)):
        raise BranchNameInvalidError(f"{ref!r} is no branch's reference")
    return ref


def _read(kind: TypeAdapter[_T], answer: Answer) -> _T:
    return read(kind.validate_python, answer, service="Supabase")
