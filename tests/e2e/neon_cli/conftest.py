"""A control plane with one project, and Neon's own clients on it."""

from __future__ import annotations

import time
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import psycopg
import pytest

from tests.support.neon_api import NeonApi, neon_api
from tests.support.node_clients import NodeClients, require_node

if TYPE_CHECKING:
    from collections.abc import Iterator


@dataclass(frozen=True)
class Neon:
    """The project as its clients see it.

    Args:
        api: The control plane, behind the proxy that holds every exchange to Neon's document.
        project_id: With the branch `main`, which has one table with one row.
        main: Id of that branch.
    """

    api: NeonApi
    project_id: str
    main: str

    def call(self, method: str, path: str, body: Any = None, **query: Any) -> Any:
        """Send a request below the project and wait for all operations; return the answer."""
        answer = self.api.call(method, f"/projects/{self.project_id}{path}", body, **query)
        self.settle()
        return answer

    def settle(self) -> None:
        """Wait for all operations: the CLI never does."""
        running = {"scheduling", "running"}
        deadline = time.monotonic() + 30
        operations = f"/projects/{self.project_id}/operations"
        while any(each["status"] in running for each in self.api.call("GET", operations)["operations"]):
            assert time.monotonic() < deadline
            time.sleep(0.01)

    def uri(self, branch_id: str, *, pooled: bool = False) -> str:
        """Return the owner's connection string."""
        query = {"branch_id": branch_id, "database_name": "app", "role_name": "bough_owner"}
        return self.call("GET", "/connection_uri", pooled=str(pooled).lower(), **query)["uri"]

    def new_branch(self, name: str) -> str:
        """Make a branch of main with an endpoint; return its id."""
        body = {"branch": {"name": name, "parent_id": self.main}, "endpoints": [{"type": "read_write"}]}
        return self.call("POST", "/branches", body)["branch"]["id"]

    def delete(self, name: str) -> None:
        """Delete a branch."""
        self.settle()
        for branch in self.call("GET", "/branches", search=name)["branches"]:
            self.call("DELETE", f"/branches/{branch['id']}")

    def run(self, branch_id: str, statement: str) -> list[tuple[Any, ...]]:
        """Run a statement on the branch, as it is when all is done, as its owner; return the rows."""
        with psycopg.connect(self.uri(branch_id), autocommit=True) as connection:
            cursor = connection.execute(statement)
            return cursor.fetchall() if cursor.description else []

    @contextmanager
    def branch(self, name: str) -> Iterator[str]:
        """Make a branch for the length of the block; yield its id."""
        branch_id = self.new_branch(name)
        try:
            yield branch_id
        finally:
            self.delete(name)


@pytest.fixture(scope="session")
def neon(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Neon]:
    """The project."""
    with neon_api(tmp_path_factory.mktemp("project")) as api:
        project_id = api.new_project()
        (main,) = api.call("GET", f"/projects/{project_id}/branches")["branches"]
        neon = Neon(api, project_id, main["id"])
        neon.run(neon.main, "CREATE TABLE fruit (name text PRIMARY KEY)")
        neon.run(neon.main, "INSERT INTO fruit VALUES ('apple')")
        yield neon


@pytest.fixture
def clients(request: pytest.FixtureRequest, tmp_path: Any) -> Iterator[NodeClients]:
    """Neon's own clients, which never left this machine when the test ends."""
    require_node()
    neon: Neon = request.getfixturevalue("neon")
    clients = NodeClients(
        tmp_path, base_url=neon.api.base_url, api_key=neon.api.api_key, project_id=neon.project_id
    )
    yield clients
    assert clients.refused_connections() == []
