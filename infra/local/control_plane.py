"""The project's control plane: started when needed, found again, ended.

It is one process, `python -m infra.local.neon_api --folder <project>/.bough` (`infra.local.own_process`),
whose base URL is that of its Neon API. It takes requests with the bearer key
`read_secrets(root).neon_api_key`, prefers the port that it had before, and ends its servers first.
"""

from __future__ import annotations

import json
import os
import signal
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final

from infra.branches.errors import BranchError
from infra.deadline import Deadline
from infra.http_errors import HttpUnreachableError
from infra.local import local_project, names, processes, servers
from infra.local.errors import PoolerMissingError, ServerStartError, start_error
from infra.local.own_folder import folder, read_secrets, write_private
from infra.local.own_process import OwnProcess

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from infra.branches.neon.provider import NeonProvider
    from infra.http import HttpClient
    from infra.local.own_process import Address

#: Seconds: for an end, in which each PostgreSQL writes a checkpoint; for an answer; until it is
#: looked whether it still runs.
_END_PATIENCE: Final = 45.0
_ANSWER_PATIENCE: Final = 10.0
_LOOK: Final = 1.0


@dataclass(frozen=True, slots=True)
class ControlPlane:
    """A running control plane, and how to speak to it.

    Args:
        base_url: Of its Neon API, `http://127.0.0.1:<port>/api/v2`.
        api_key: Made for this project, kept in its `.bough/`.
        project_id: The one project of this folder.
        pid: The process that runs it.
    """

    base_url: str
    api_key: str = field(repr=False)
    project_id: str
    pid: int


def ensure_running(root: Path, *, announce: Callable[[str], None]) -> ControlPlane:
    """Return the project's control plane, started when none runs; it outlives the calling process.

    The first start makes the project, with one branch and its two roles.

    Args:
        root: The project's folder.
        announce: Is told, in one sentence each, that it was started, and what is not covered where
            PgBouncer is missing.

    Raises:
        PoolerMissingError: No PgBouncer in CI, where what is not covered would go unseen.
        ServerStartError: It, or its first branch, did not start, or does not answer.
        DiskFullError: The disk is full; earlier data is untouched.
    """
    folder(root)
    if (found := find(root)) is not None:
        return found
    process = _process(root)
    with process.starting():
        address = process.address()
        if address is None:
            _require_pooler(announce)
            announce("Starting the control plane of this project's branches")
            address = _started(process)
        if (found := find(root)) is not None:
            return found
        return _with_project(root, address, announce)


def find(root: Path) -> ControlPlane | None:
    """Return the one that runs, if any; what a killed one left behind does not count."""
    process = _process(root)
    address, project = process.address(), process.folder / "project.json"
    if address is None or not project.exists():
        return None
    running = ControlPlane(
        address.base_url, read_secrets(root).neon_api_key, json.loads(project.read_text())["id"], address.pid
    )
    deadline = Deadline(_ANSWER_PATIENCE)
    while True:
        try:
            with _client(running, lambda _: None, patience=_LOOK) as client:
                return running if running.project_id in local_project.ids(client) else None
        except HttpUnreachableError:
            if process.address() != address:
                return None  # it has begun to end since
            if not deadline.remaining():
                raise


def provider(
    running: ControlPlane, announce: Callable[[str], None], *, application_role: str = names.APPLICATION
) -> NeonProvider:
    """Return the adapter of the project's branches: Neon's own, speaking to this machine."""
    from infra.branches.neon.provider import NeonProvider  # noqa: PLC0415  its models take time that --help need not pay

    return NeonProvider(
        running.project_id,
        running.api_key,
        announce=announce,
        base_url=running.base_url,
        database=names.DATABASE,
        owner_role=names.OWNER,
        application_role=application_role,
    )


def branches(running: ControlPlane) -> dict[str, str]:
    """Return, by the name of each branch, the state of its endpoint: `active`, `idle`, `init` or `none`."""
    with _client(running, lambda _: None) as client:
        path = ("projects", running.project_id)
        found = client.request("GET", *path, "branches", query={"limit": 10_000}).json()["branches"]
        endpoints = client.request("GET", *path, "endpoints").json()["endpoints"]
    states = {each["branch_id"]: str(each["current_state"]) for each in endpoints}
    return {each["name"]: states.get(each["id"], "none") for each in found}


def stop(root: Path) -> list[str]:
    """End it and all servers of its branches, also those that a killed one left; return what was ended."""
    process = _process(root)
    if not process.folder.exists():
        return []
    with process.starting():
        ended = ["control plane"] if process.end(_END_PATIENCE) else []
        for server in left_running(root):
            # PostgreSQL's fast shutdown; PgBouncer has nothing to lose either way.
            processes.end(server.pid, signal.SIGINT if server.name == "postgres" else signal.SIGTERM)
            ended.append(str(server))
    return ended


def left_running(root: Path) -> list[servers.Server]:
    """Return the servers of branches that run though no control plane does: it was killed."""
    process = _process(root)
    if not process.folder.exists() or process.pid() is not None:
        return []
    return servers.running_below(process.folder)


def delete(root: Path) -> None:
    """Delete all local branches, wherever their data lies; what was started since `stop` ends at once."""
    process = _process(root)
    if not process.folder.exists():
        return
    with process.starting():
        if (pid := process.pid()) is not None:
            processes.end(pid, signal.SIGKILL)
        servers.remove_below(process.folder)


def _process(root: Path) -> OwnProcess:
    return OwnProcess(root, "neon", "infra.local.neon_api", "the control plane")


def _client(
    running: ControlPlane, announce: Callable[[str], None], *, patience: float = _ANSWER_PATIENCE
) -> HttpClient:
    from infra.http import HttpClient  # noqa: PLC0415  a tenth of a second that --help need not pay

    return HttpClient(
        running.base_url,
        running.api_key,
        service="the local control plane",
        announce=announce,
        deadline=patience,
    )


def _require_pooler(announce: Callable[[str], None]) -> None:
    from infra.local.pooler import find_pgbouncer  # noqa: PLC0415  psycopg takes as long

    if find_pgbouncer() is not None:
        return
    if os.environ.get("CI", "").lower() not in {"", "0", "false"}:
        raise PoolerMissingError(
            "PgBouncer is not installed, and in CI nothing may go uncovered unseen",
            hint="apt-get install pgbouncer",
        )
    announce("PgBouncer is not installed: what a transaction-mode pooler changes is not covered")


def _started(process: OwnProcess) -> Address:
    """Start the process, unless one starts already, and return its address once it answers."""
    own = process.folder
    if (own / "project.json").exists() and servers.data_is_missing(own):
        raise ServerStartError(
            f"the data of the branches in {own} is not there: the folder is a copy without it",
            hint="give the branches up, here only, with: bough down --delete",
        )
    return process.start()


def _with_project(root: Path, address: Address, announce: Callable[[str], None]) -> ControlPlane:
    """Return the one that answers there once it has its project: made, or what a killed start left of it.

    `project.json` is written last: those who come meanwhile wait.
    """
    running = ControlPlane(address.base_url, read_secrets(root).neon_api_key, "", address.pid)
    with _client(running, announce) as client:
        project_id = next(iter(local_project.ids(client)), None)
        try:
            project_id = project_id or local_project.make(client, root.name)
        except BranchError as error:
            raise start_error("the first branch", str(error), _process(root).log) from error
        local_project.await_main(client, project_id)
    running = replace(running, project_id=project_id)
    with provider(running, announce) as neon:
        neon.provision(names.MAIN)
    write_private(_process(root).folder / "project.json", json.dumps({"id": running.project_id}))
    return running
