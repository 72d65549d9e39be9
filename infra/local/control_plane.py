"""The project's control plane: started when needed, found again, ended.

It is one process, `python -m infra.local.neon_api --folder <project>/.bough`, which outlives the
command that needed it first. In `.bough/neon/` it

- holds `lock` (`infra.local.lock_file.held`) from before it touches anything else until all its
  servers have ended: the lock says whether one runs, whatever else lies there;
- writes `address.json`, `{"base_url": "http://127.0.0.1:<port>/api/v2", "pid": <its own>}`, once it
  answers, and prefers the port that stood there before;
- takes requests with the bearer key `read_secrets(root).neon_api_key`;
- ends in order at SIGTERM, its servers first.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import sys
import time
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from infra.branches.errors import BranchError
from infra.deadline import Deadline
from infra.http_errors import HttpUnreachableError
from infra.local import local_project, lock_file, names, ports, processes, servers
from infra.local.errors import PoolerMissingError, ServerStartError, start_error
from infra.local.own_folder import folder, read_secrets, write_private

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from infra.branches.neon.provider import NeonProvider
    from infra.http import HttpClient

#: Seconds: for a start on a busy machine; for an end, in which each PostgreSQL writes a checkpoint;
#: for an answer; until it is looked whether it still runs.
_START_PATIENCE: Final = 60.0
_END_PATIENCE: Final = 45.0
_ANSWER_PATIENCE: Final = 10.0
_LOOK: Final = 1.0
_POLL: Final = 0.02


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


@dataclass(frozen=True, slots=True)
class _Address:
    base_url: str
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
    with lock_file.waited_for(_start_lock(root)):
        address = _address(root)
        if address is None:
            _require_pooler(announce)
            announce("Starting the control plane of this project's branches")
            address = _started(root)
        if (found := find(root)) is not None:
            return found
        return _with_project(root, address, announce)


def find(root: Path) -> ControlPlane | None:
    """Return the one that runs, if any; what a killed one left behind does not count."""
    address, project = _address(root), _own(root) / "project.json"
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
            if _address(root) != address:
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
    if not _own(root).exists():
        return []
    ended = []
    with lock_file.waited_for(_start_lock(root)):
        if (pid := lock_file.holder(_own(root) / "lock")) is not None:
            processes.end(pid, signal.SIGTERM, patience=_END_PATIENCE)
            ended.append("control plane")
        for server in left_running(root):
            # PostgreSQL's fast shutdown; PgBouncer has nothing to lose either way.
            processes.end(server.pid, signal.SIGINT if server.name == "postgres" else signal.SIGTERM)
            ended.append(str(server))
    return ended


def left_running(root: Path) -> list[servers.Server]:
    """Return the servers of branches that run though no control plane does: it was killed."""
    own = _own(root)
    if not own.exists() or lock_file.holder(own / "lock") is not None:
        return []
    return servers.running_below(own)


def delete(root: Path) -> None:
    """Delete all local branches, wherever their data lies; what was started since `stop` ends at once."""
    if not _own(root).exists():
        return
    with lock_file.waited_for(_start_lock(root)):
        if (pid := lock_file.holder(_own(root) / "lock")) is not None:
            processes.end(pid, signal.SIGKILL)
        servers.remove_below(_own(root))


def _own(root: Path) -> Path:
    return root / ".bough" / "neon"


def _log(root: Path) -> Path:
    return _own(root) / "control_plane.log"


def _start_lock(root: Path) -> Path:
    """Outside of what `delete` deletes: a lock is only one as long as all open the same file."""
    return root / ".bough" / "neon.lock"


def _address(root: Path) -> _Address | None:
    """Return where the running one answers; `None` also while it starts or ends."""
    own = _own(root)
    holder = lock_file.holder(own / "lock")
    if holder is None:
        return None
    with suppress(FileNotFoundError):
        document = json.loads((own / "address.json").read_text())
        # What its predecessor wrote may still lie there, and that port be anybody's by now.
        if document["pid"] == holder and _answers(document["base_url"]):
            return _Address(document["base_url"], holder)
    return None


def _answers(base_url: str) -> bool:
    """Say whether it takes connections: while it ends it holds the lock, but takes none."""
    port = urlsplit(base_url).port
    with suppress(OSError), socket.create_connection((ports.LOOPBACK, port), timeout=_ANSWER_PATIENCE):
        return True
    return False


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


def _started(root: Path) -> _Address:
    """Start the process, unless one starts already, and return its address once it answers."""
    own = _own(root)
    own.mkdir(mode=0o700, exist_ok=True)
    if (own / "project.json").exists() and servers.data_is_missing(own):
        raise ServerStartError(
            f"the data of the branches in {own} is not there: the folder is a copy without it",
            hint="give the branches up, here only, with: bough down --delete",
        )
    log = _log(root)
    said_before = log.stat().st_size if log.exists() else 0
    pid: int | None = None
    deadline = time.monotonic() + _START_PATIENCE
    while time.monotonic() < deadline:
        if (address := _address(root)) is not None:
            return address
        if lock_file.holder(own / "lock") is None:
            # None starts, and one that was ending has ended.
            if pid is None:
                pid = _spawn(own, log)
            elif not processes.is_running(pid):
                said = log.read_bytes()[said_before:].decode(errors="replace")
                raise start_error("the control plane", said, log)
        time.sleep(_POLL)
    raise ServerStartError(
        f"the control plane did not answer within {_START_PATIENCE:.0f} s",
        hint=f"end it with `bough down`; the whole story is in {log}",
    )


def _spawn(own: Path, log: Path) -> int:
    # -P: a folder of the user's that is called `infra` is not ours.
    command = [sys.executable, "-P", "-m", "infra.local.neon_api", "--folder", str(own.parent.resolve())]
    path = {"PATH": os.environ.get("PATH", os.defpath)}  # where PgBouncer may be
    return processes.spawn(command, cwd=own, log=log, account=None, environment=path)


def _with_project(root: Path, address: _Address, announce: Callable[[str], None]) -> ControlPlane:
    """Return the one that answers there once it has its project: made, or what a killed start left of it.

    `project.json` is written last: those who come meanwhile wait.
    """
    running = ControlPlane(address.base_url, read_secrets(root).neon_api_key, "", address.pid)
    with _client(running, announce) as client:
        project_id = next(iter(local_project.ids(client)), None)
        try:
            project_id = project_id or local_project.make(client, root.name)
        except BranchError as error:
            raise start_error("the first branch", str(error), _log(root)) from error
        local_project.await_main(client, project_id)
    running = replace(running, project_id=project_id)
    with provider(running, announce) as neon:
        neon.provision(names.MAIN)
    write_private(_own(root) / "project.json", json.dumps({"id": running.project_id}))
    return running
