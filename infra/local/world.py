"""The local world of one project: what runs, who holds it, and how it is found again after a crash.

Everything lies in the project's `.bough/`. The lock on `up.lock` says whether a world runs: the
system releases it however the process ends, so it cannot be stale as a pid file can.
"""

from __future__ import annotations

import json
import os
import signal
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Self

import psycopg
from psycopg import sql

from api.database.connection_url import DirectUrl, PooledUrl
from infra.branches import application_role
from infra.local import lock_file, ports, postgres, processes
from infra.local import pooler as pooler_module
from infra.local.errors import PoolerMissingError, WorldRunningError
from infra.local.home import Home
from infra.local.own_folder import Secrets, folder, read_secrets, write_private
from infra.local.pooler import Pooler, find_pgbouncer
from infra.local.postgres import PostgresCluster

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

DATABASE: Final = "app"
OWNER: Final = "bough_owner"
APPLICATION: Final = "bough_app"

#: What the server says of itself, as Neon's do: migrations ask for it.
_IDENTITY: Final = {"neon.project_id": "local", "neon.branch_id": "main"}

#: Seconds that a world gets to end: PostgreSQL writes a checkpoint, invocations are cut short.
_END_PATIENCE: Final = 45.0


@dataclass(frozen=True, slots=True)
class State:
    """A running world, as `bough status` and other commands see it."""

    pid: int
    api_url: str
    database_url: PooledUrl
    database_url_unpooled: DirectUrl
    artifact: str
    handler: str
    postgres_pid: int
    pooler_pid: int | None

    def to_json(self) -> dict[str, Any]:
        """Return the state as JSON takes it, **with the passwords**."""
        return {
            "api_url": self.api_url,
            "database_url": self.database_url.libpq(),
            "database_url_unpooled": self.database_url_unpooled.libpq(),
            "artifact": self.artifact,
            "handler": self.handler,
            "pids": {"bough": self.pid, "postgres": self.postgres_pid, "pooler": self.pooler_pid},
        }

    @classmethod
    def from_json(cls, document: dict[str, Any]) -> Self:
        """Read what `to_json` returned."""
        return cls(
            pid=document["pids"]["bough"],
            api_url=document["api_url"],
            database_url=PooledUrl.parse(document["database_url"]),
            database_url_unpooled=DirectUrl.parse(document["database_url_unpooled"]),
            artifact=document["artifact"],
            handler=document["handler"],
            postgres_pid=document["pids"]["postgres"],
            pooler_pid=document["pids"]["pooler"],
        )


@dataclass(frozen=True, slots=True)
class Databases:
    """The part of a world that serves the database."""

    postgres: PostgresCluster
    pooler: Pooler | None
    database_url: PooledUrl
    database_url_unpooled: DirectUrl

    def environment(self, auth_secret: str) -> dict[str, str]:
        """Return the environment variables that the function gets, **with the password**."""
        return {
            "DATABASE_URL": self.database_url.libpq(),
            "BOUGH_ENVIRONMENT": "development",
            "AUTH_SECRET": auth_secret,
        }


def read_state(root: Path) -> State | None:
    """Return the project's running world, or `None`; what a killed one left behind does not count."""
    path = root / ".bough" / "state.json"
    if not path.exists() or lock_file.holder(_lock(root)) is None:
        return None
    return State.from_json(json.loads(path.read_text()))


@contextmanager
def hold(root: Path, port: int) -> Iterator[None]:
    """Be the one world of the project for the length of the block, on a port that is free.

    Raises:
        WorldRunningError: Another one runs.
        PortInUseError: The port is taken; nothing was started.
    """
    own = folder(root)
    with ExitStack() as stack:
        try:
            stack.enter_context(lock_file.held(_lock(root)))
        except BlockingIOError as error:
            state = read_state(root)
            raise WorldRunningError(
                f"the local world of {root} runs already (pid {lock_file.holder(_lock(root))}"
                f"{f', {state.api_url}' if state else ', still starting'})",
                hint="stop it with `bough down`",
            ) from error
        ports.require_free(port, hint="stop what uses it, or choose another with --port")
        try:
            yield
        finally:
            (own / "state.json").unlink(missing_ok=True)


@contextmanager
def databases(root: Path, *, fresh: bool, warn: Callable[[str], None]) -> Iterator[Databases]:
    """Run PostgreSQL and the pooler, with roles and an app database, for the length of the block.

    Args:
        root: The project's folder; the caller holds it (`hold`).
        fresh: Delete the local data first.
        warn: Is told, in one sentence, what is not covered where PgBouncer is missing.

    Raises:
        PoolerMissingError: No PgBouncer in CI, where what is not covered would go unseen.
        ServerStartError: A server refused to start.
        DiskFullError: The disk is full; earlier data is untouched.
    """
    own = folder(root)
    passwords = read_secrets(root)
    if fresh:
        delete(root)
    with ExitStack() as stack:
        cluster = PostgresCluster.start(own / "postgres", settings=_IDENTITY)
        stack.callback(cluster.stop)
        _make_database(cluster, passwords)
        unpooled = cluster.superuser_url(DATABASE).replace(user=OWNER, password=passwords.owner_password)
        pooler = None
        if find_pgbouncer():
            users = {APPLICATION: passwords.application_password}
            pooler = Pooler.start(own / "pooler", postgres=cluster, users=users)
            stack.callback(pooler.stop)
            pooled = pooler.url(DATABASE, APPLICATION, passwords.application_password)
        else:
            _require_no_ci()
            warn("PgBouncer is not installed: what a transaction-mode pooler changes is not covered")
            url = unpooled.replace(user=APPLICATION, password=passwords.application_password)
            pooled = PooledUrl.parse(url.libpq())
        yield Databases(cluster, pooler, pooled, unpooled)


def write_state(root: Path, state: State) -> None:
    """Publish the world: from here on `read_state` finds it."""
    write_private(folder(root) / "state.json", json.dumps(state.to_json()))


def down(root: Path) -> list[str]:
    """End the project's world, or what a killed one left; return the names of what was ended."""
    ended = []
    holder = lock_file.holder(_lock(root))
    if holder is not None:
        processes.end(holder, signal.SIGTERM, patience=_END_PATIENCE)
        ended.append("bough up")
    ended += _end_servers(root)
    (root / ".bough" / "state.json").unlink(missing_ok=True)
    return ended


def left_running(root: Path) -> dict[str, int]:
    """Return the pids of servers that run though no world holds them: it was killed."""
    if lock_file.holder(_lock(root)) is not None:
        return {}
    found = {
        name: find(root / ".bough" / name)
        for name, find in (("pooler", pooler_module.running), ("postgres", postgres.running))
        if (root / ".bough" / name).exists()
    }
    return {name: pid for name, pid in found.items() if pid is not None}


def delete(root: Path) -> None:
    """Delete the local databases, wherever they lie; nothing may hold the project but the caller."""
    for name, find in (("pooler", pooler_module.running), ("postgres", postgres.running)):
        path = root / ".bough" / name
        if path.exists():
            if (pid := find(path)) is not None:
                processes.end(pid, signal.SIGKILL)
            Home.of(path).remove(path)


def _end_servers(root: Path) -> list[str]:
    ended = []
    for name, pid in left_running(root).items():
        # PostgreSQL's fast shutdown; PgBouncer has nothing to lose either way.
        processes.end(pid, signal.SIGINT if name == "postgres" else signal.SIGTERM, patience=10.0)
        ended.append(name)
    return ended


def _make_database(cluster: PostgresCluster, passwords: Secrets) -> None:
    with psycopg.connect(cluster.superuser_url().libpq(), autocommit=True) as connection:
        found = connection.execute("SELECT FROM pg_database WHERE datname = %s", [DATABASE])
        if found.rowcount == 0:
            connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(DATABASE)))
    with psycopg.connect(cluster.superuser_url(DATABASE).libpq()) as connection:
        application_role.provision(
            connection,
            owner=OWNER,
            owner_password=passwords.owner_password,
            application=APPLICATION,
            application_password=passwords.application_password,
        )


def _require_no_ci() -> None:
    if os.environ.get("CI", "").lower() not in {"", "0", "false"}:
        raise PoolerMissingError(
            "PgBouncer is not installed, and in CI nothing may go uncovered unseen",
            hint="apt-get install pgbouncer",
        )


def _lock(root: Path) -> Path:
    return root / ".bough" / "up.lock"
