"""Neon's API v2 as the adapter uses it: one method a route, each with the branch that it must name."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final, TypeVar

from api.database.connection_url import ConnectionUrl, ConnectionUrlError
from infra.branches import lookup
from infra.branches.errors import (
    BranchError,
    BranchNameInvalidError,
    BranchNotFoundError,
    ProjectNotFoundError,
    ProviderUnavailableError,
)
from infra.branches.neon.answers import (
    BranchAnswer,
    BranchPage,
    ConnectionUri,
    Database,
    Databases,
    Endpoint,
    Endpoints,
    NeonBranch,
    Operation,
    OperationAnswer,
    OperationsAnswer,
    Schema,
)
from infra.branches.neon.errors import translated
from infra.branches.provider_api import ProviderApi

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from infra.deadline import Deadline
    from infra.http import HttpClient
    from infra.http_errors import HttpError

_Url = TypeVar("_Url", bound=ConnectionUrl)

#: As Neon's API document has it: nothing else is ever put into a path.
_ID: Final = re.compile(r"[a-z0-9-]{1,60}")
#: Branches a page; Neon allows 10,000.
_PAGE: Final = 1000
_DONE: Final = frozenset({"finished", "skipped"})
_FAILED: Final = frozenset({"failed", "error", "cancelled"})
#: Seconds between two looks at an operation: from the first to the longest.
_FIRST_POLL: Final = 0.1
_LONGEST_POLL: Final = 1.0


class NeonApi(ProviderApi):
    """Requests about one project, all until one deadline.

    A branch is named by its id alone, and every id passes `_branch_id`: no request that must name a
    branch is built without one, since Neon would take it for one about the default branch.
    """

    service = "Neon"
    status_page = "neonstatus.com"

    def __init__(self, http: HttpClient, project_id: str, deadline: Deadline) -> None:
        """Send nothing yet.

        Raises:
            ProjectNotFoundError: This cannot be a project's id.
        """
        if not _ID.fullmatch(project_id):
            raise ProjectNotFoundError(
                f"{project_id!r} is no project's id", hint="set the project's id as Neon's console shows it"
            )
        super().__init__(http, "projects", project_id, deadline=deadline)
        self.project_id = project_id

    def branches(self) -> list[NeonBranch]:
        """Return all branches, oldest first."""
        branches: dict[str, NeonBranch] = {}
        query: dict[str, str | int | bool] = {"limit": _PAGE, "sort_by": "created_at", "sort_order": "asc"}
        seen: set[str] = set()
        while True:
            page = self._get(BranchPage, "branches", query=query)
            branches |= {branch.id: branch for branch in page.branches}
            cursor = page.pagination.next
            # A cursor may come with the last page, with an empty one, or again and again.
            if not page.branches or not cursor or cursor in seen:
                return sorted(branches.values(), key=lambda branch: branch.created_at)
            seen.add(cursor)
            query["cursor"] = cursor

    def branch(self, branch_id: str) -> NeonBranch:
        """Return a branch."""
        return self._get(BranchAnswer, "branches", _branch_id(branch_id)).branch

    def create_branch(
        self, parent_id: str, fields: Mapping[str, object], endpoint: Mapping[str, object]
    ) -> BranchAnswer:
        """Begin a branch with a compute.

        Raises:
            HttpAmbiguousError: It may have been begun.
            BranchConflictError: There is one of this name.
        """
        body = {"branch": {**fields, "parent_id": _branch_id(parent_id)}, "endpoints": [endpoint]}
        return self._read(BranchAnswer, self._send("POST", "branches", body=body))

    def update_branch(self, branch_id: str, changes: Mapping[str, object]) -> BranchAnswer:
        """Set fields of a branch."""
        path = ("branches", _branch_id(branch_id))
        return self._read(BranchAnswer, self._send("PATCH", *path, body={"branch": changes}, repeatable=True))

    def delete_branch(self, branch_id: str) -> Sequence[Operation]:
        """Begin to delete a branch; nothing is begun where it is gone."""
        try:
            answer = self._send("DELETE", "branches", _branch_id(branch_id), repeatable=True)
        except BranchNotFoundError:
            return ()
        return self._read(OperationsAnswer, answer).operations

    def restore_branch(self, branch_id: str, source_id: str, options: Mapping[str, object]) -> BranchAnswer:
        """Begin to replace a branch's data by that of another, or by its own of a moment ago.

        Raises:
            HttpAmbiguousError: It may have been begun.
        """
        body = {**options, "source_branch_id": _branch_id(source_id)}
        path = ("branches", _branch_id(branch_id), "restore")
        return self._read(BranchAnswer, self._send("POST", *path, body=body))

    def endpoints(self, branch_id: str) -> Sequence[Endpoint]:
        """Return a branch's computes."""
        return self._get(Endpoints, "branches", _branch_id(branch_id), "endpoints").endpoints

    def create_endpoint(self, branch_id: str, options: Mapping[str, object]) -> Sequence[Operation]:
        """Begin a compute of a branch.

        Raises:
            HttpAmbiguousError: It may have been begun.
            BranchConflictError: There is one for reading and writing.
        """
        body = {"endpoint": {"branch_id": _branch_id(branch_id), **options}}
        answer = self._send("POST", "endpoints", body=body, branch_id=branch_id)
        return self._read(OperationsAnswer, answer).operations

    def databases(self, branch_id: str) -> Sequence[Database]:
        """Return a branch's databases."""
        return self._get(Databases, "branches", _branch_id(branch_id), "databases").databases

    def connection_url(
        self, kind: type[_Url], branch_id: str, database: str, role: str, *, pooled: bool
    ) -> _Url:
        """Return a role's connection string, which holds its password."""
        query: dict[str, str | int | bool] = {
            "branch_id": _branch_id(branch_id),
            "database_name": database,
            "role_name": role,
            "pooled": pooled,
        }
        sealed = self._get(ConnectionUri, "connection_uri", query=query, branch_id=branch_id).uri
        try:
            return kind.parse(sealed.get_secret_value())
        except ConnectionUrlError as error:
            message = f"Neon's connection string cannot be used: {error}"
            raise ProviderUnavailableError(message, hint=error.hint) from None

    def schema(self, branch_id: str, database: str) -> str:
        """Return the schema of a branch's database as SQL."""
        return self._get(Schema, "branches", _branch_id(branch_id), "schema", query={"db_name": database}).sql

    def finish(self, operations: Sequence[Operation]) -> None:
        """Wait until Neon has done all this.

        Raises:
            BranchError: Neon failed at one; the message quotes why.
            BranchBusyError: It was still at work at the deadline.
        """
        for begun in operations:
            operation, wait = begun, _FIRST_POLL
            while operation.status not in _DONE:
                if operation.status in _FAILED:
                    reason = operation.error or operation.status
                    message = f"Neon could not finish {operation.action}: {reason} (operation {operation.id})"
                    raise BranchError(message, hint="look at the project in Neon's console, then try again")
                self.pause(wait, f"Neon's {operation.action} (operation {operation.id})")
                wait = min(_LONGEST_POLL, wait * 1.5)
                operation = self._get(OperationAnswer, "operations", operation.id).operation

    def settled(self, branch_id: str) -> NeonBranch:
        """Return the branch once nothing is being done to it.

        Raises:
            BranchBusyError: Something still was at the deadline.
        """
        branch, wait = self.branch(branch_id), _FIRST_POLL
        while not branch.is_settled:
            self.pause(wait, f"the branch {branch.name!r} ({branch.current_state})")
            wait = min(_LONGEST_POLL, wait * 1.5)
            branch = self.branch(branch_id)
        return branch

    def _translated(self, error: HttpError, branch_id: str | None) -> BranchError:
        return translated(error, project_id=self.project_id, branch_id=branch_id)


def _branch_id(branch_id: str) -> str:
    """Return the id: the one way of a branch into a request.

    Raises:
        BranchNameMissingError: It is empty.
        BranchNameInvalidError: It is no id.
    """
    lookup.required(branch_id)
    if not _ID.fullmatch(branch_id):
        raise BranchNameInvalidError(f"{branch_id!r} is no branch's id")
    return branch_id
