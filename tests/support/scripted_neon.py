"""Neon's API as a script, for answers that no control plane can be made to give."""

from __future__ import annotations

import uuid
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from tests.support.scripted_api import DROP, Received, Reply

if TYPE_CHECKING:
    from collections.abc import Callable

PROJECT = "quiet-oak-12345678"
PREFIX = f"/projects/{PROJECT}"
MOMENT = "2026-01-01T00:00:00Z"


def branch(id: str, name: str, **changes: Any) -> dict[str, Any]:  # noqa: A002  Neon's word
    """Return a branch as Neon's API describes it."""
    counters = ("cpu_used_sec", "active_time_seconds", "compute_time_seconds")
    return {
        "id": id,
        "project_id": PROJECT,
        "name": name,
        "parent_id": "br-main",
        "current_state": "ready",
        "state_changed_at": MOMENT,
        "creation_source": "console",
        "created_at": MOMENT,
        "updated_at": MOMENT,
        "default": False,
        "protected": False,
        **dict.fromkeys((*counters, "written_data_bytes", "data_transfer_bytes"), 0),
        **changes,
    }


def main(**changes: Any) -> dict[str, Any]:
    """Return the default branch."""
    return {
        key: value for key, value in branch("br-main", "main", **changes).items() if key != "parent_id"
    } | {"default": True}


def error(status: int, message: str, code: str = "") -> Reply:
    """Return an error in Neon's form."""
    return Reply(status, {"code": code, "message": message})


@dataclass
class ScriptedNeon:
    """Answers as Neon would; `before` may answer first, and `lose` names requests whose answers are lost.

    Args:
        database: URL parts of a real database that all branches stand for: host, port, name.
        branches: By id.
        lose: Methods with paths: each is done once and its answer dropped.
        before: Is asked first; what it returns is the answer.
        polls: How often an operation is said to run before it is finished.
    """

    host: str = "127.0.0.1:9"
    database: str = "app"
    owner: str = "owner"
    password: str = "owner-password"
    branches: dict[str, dict[str, Any]] = field(default_factory=lambda: {"br-main": main()})
    lose: list[str] = field(default_factory=list)
    before: Callable[[Received], Reply | None] = lambda _: None
    operations: dict[str, int] = field(default_factory=dict)
    endpoints: set[str] = field(default_factory=lambda: {"br-main"})
    polls: int = 1

    def __call__(self, request: Received) -> Reply:
        """Answer a request."""
        answered = self.before(request)
        if answered is not None:
            return answered
        path = request.path.removeprefix(PREFIX)
        reply = self._answer(request.method, path.strip("/").split("/"), request)
        if (line := f"{request.method} {path}") in self.lose:
            self.lose.remove(line)
            return DROP
        return reply

    def _answer(self, method: str, parts: list[str], request: Received) -> Reply:  # noqa: C901, PLR0911  a table
        match method, parts:
            case "GET", ["branches"]:
                return Reply(200, {"branches": list(self.branches.values()), "annotations": {}})
            case "POST", ["branches"]:
                return self._create(request.body)
            case "GET", ["branches", id]:
                return self._of(id, lambda found: {"branch": found})
            case "PATCH", ["branches", id]:
                self.branches[id] |= request.body["branch"]
                return self._of(id, lambda found: {"branch": found, "operations": []})
            case "DELETE", ["branches", id]:
                found = self.branches.pop(id, None)
                return (
                    Reply(200, {"branch": found, "operations": [self._operation()]}) if found else Reply(204)
                )
            case "POST", ["branches", id, "restore"]:
                return self._restore(id, request.body)
            case "GET", ["branches", id, "endpoints"]:
                there = [{"id": f"ep-{id}", "type": "read_write"}] if id in self.endpoints else []
                return self._of(id, lambda _: {"endpoints": there})
            case "POST", ["endpoints"]:
                self.endpoints.add(request.body["endpoint"]["branch_id"])
                return Reply(201, {"operations": [self._operation()]})
            case "GET", ["branches", id, "databases"]:
                return self._of(
                    id, lambda _: {"databases": [{"name": self.database, "owner_name": self.owner}]}
                )
            case "GET", ["branches", id, "schema"]:
                name = self.branches[id]["name"]
                return Reply(200, {"sql": f"\\restrict {uuid.uuid4().hex}\nCREATE TABLE a ();\n-- {name}\n"})
            case "GET", ["connection_uri"]:
                credentials = f"{self.owner}:{quote(self.password)}" if self.password else self.owner
                uri = f"postgresql://{credentials}@{self.host}/{self.database}?sslmode=disable"
                return Reply(200, {"uri": uri})
            case "GET", ["operations", id]:
                self.operations[id] -= 1
                status = "running" if self.operations[id] > 0 else "finished"
                return Reply(200, {"operation": {"id": id, "action": "start_compute", "status": status}})
        return error(404, "this route does not exist")

    def _of(self, id: str, body: Callable[[dict[str, Any]], Any]) -> Reply:  # noqa: A002
        found = self.branches.get(id)
        return Reply(200, body(found)) if found else error(404, "branch not found")

    def _create(self, body: dict[str, Any]) -> Reply:
        wanted = body["branch"]
        if any(each["name"] == wanted["name"] for each in self.branches.values()):
            return error(409, f"branch with the name {wanted['name']} already exists")
        made = branch(f"br-{len(self.branches)}", **wanted)
        self.branches[made["id"]] = made
        self.endpoints.add(made["id"])
        return Reply(201, {"branch": made, "operations": [self._operation(), self._operation()]})

    def _restore(self, id: str, body: dict[str, Any]) -> Reply:  # noqa: A002
        self.branches[id]["last_reset_at"] = "2026-02-02T00:00:00Z"
        if name := body.get("preserve_under_name"):
            self.branches["br-kept"] = branch("br-kept", name)
        return Reply(200, {"branch": self.branches[id], "operations": [self._operation()]})

    def _operation(self) -> dict[str, Any]:
        id = str(uuid.uuid4())  # noqa: A001
        self.operations[id] = self.polls
        return {"id": id, "action": "create_branch", "status": "scheduling"}
