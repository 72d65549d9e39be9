"""One branch's compute: its data, its PostgreSQL and PgBouncer, and the two ports that never change."""

from __future__ import annotations

import asyncio
import logging
import signal
import sys
from typing import TYPE_CHECKING, Final

import psycopg

from infra.disk import disk_full_translated
from infra.errors import InfraError
from infra.local import pooler as pooler_module
from infra.local import postgres, processes, servers
from infra.local.errors import ServerStartError
from infra.local.home import Home
from infra.local.neon_api.copying import online_copy
from infra.local.neon_api.forwarder import Forwarder
from infra.local.neon_api.schema_copy import copy_schema
from infra.local.pooler import Pooler, find_pgbouncer
from infra.local.postgres import PostgresCluster

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from api.database.connection_url import DirectUrl

_log = logging.getLogger(__name__)

#: Many branches run side by side, most of them idle.
_SETTINGS: Final = {
    # No worker processes; the kernel's cache serves what a development database reads.
    "io_method": "sync",
    # A copy's first start flushes it to the disk at once, not file by file.
    "recovery_init_sync_method": "syncfs" if sys.platform == "linux" else "fsync",
}
#: Seconds between two looks whether the servers still run.
_WATCH_INTERVAL: Final = 0.5

_NEON_SUPERUSER: Final = """
    DO $$ BEGIN
        IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'neon_superuser') THEN
            CREATE ROLE neon_superuser NOLOGIN CREATEDB CREATEROLE BYPASSRLS REPLICATION
                IN ROLE pg_read_all_data, pg_write_all_data;
        END IF;
    END $$
"""
#: Clients in the middle of something; what the control plane does itself is over when it asks.
_BUSY_CLIENTS: Final = """
    SELECT count(*) FROM pg_stat_activity
    WHERE backend_type IN ('client backend', 'walsender') AND pid <> pg_backend_pid() AND state <> 'idle'
"""


class Compute:
    """A branch's data folder with the servers over it. Methods run on the control plane's event loop.

    Public ports belong to the control plane as long as it runs: a connection to them starts the
    servers when they are suspended, and waits until they answer. What was begun goes on to its end
    when the caller is cancelled. Whatever starts or makes something may raise `ServerStartError`,
    `CopyError`, `ProgramError` or `DiskFullError`.
    """

    def __init__(self, folder: Path, identity: Mapping[str, str]) -> None:
        """Know the folder; nothing runs and nothing is made yet.

        Args:
            folder: The branch's own, below the control plane's.
            identity: `neon.project_id`, `neon.branch_id`, `neon.endpoint_id`: what the server says
                of itself, given on its command line because data is copied.
        """
        self._folder = folder
        self._settings = {**_SETTINGS, **identity}
        self._postgres: PostgresCluster | None = None
        self._pooler: Pooler | None = None
        self._has_pooler = find_pgbouncer() is not None
        self._forwarders: tuple[Forwarder, ...] = ()
        self._lock = asyncio.Lock()
        self._starting: asyncio.Task[None] | None = None
        self._watching: asyncio.Task[None] | None = None
        self._is_wanted = False
        self._copies = 0
        # Clients that come while the data is made wait for it, as at Neon.
        self._made = asyncio.Event()
        if (Home.of(folder / "postgres").path / "data").exists():
            self._made.set()

    async def create(self) -> None:
        """Make the data of a root branch: a new cluster with the role `neon_superuser`; again is harmless."""
        try:
            await self._alone(self._create)
        finally:
            self._made.set()

    async def copy(self, parent: Compute) -> None:
        """Make the data by online copy of the serving parent; what a killed copy left is replaced.

        Data that is there already is replaced once the copy is complete: that cuts connections and
        suspends, and the ports stay open.
        """
        await self._make_from(parent, online_copy)

    async def copy_schema(self, parent: Compute) -> None:
        """Make the data of a schema-only branch: the parent's roles, databases and schemas, no rows."""
        await self._make_from(parent, copy_schema)

    async def hand_over(self, heir: Compute) -> None:
        """Suspend, and give the data to a compute that has none; again is harmless.

        Nothing is copied, and all that was committed is there.
        """
        async with heir._lock:
            await self._alone(lambda: self._hand_over(heir))
        heir._made.set()

    async def listen(self, direct_port: int | None, pooled_port: int | None) -> tuple[int, int]:
        """Open the public ports, these or free ones; return them.

        Raises:
            PortInUseError: Something else listens on one.
        """
        direct, pooled = Forwarder(self._direct_target), Forwarder(self._pooled_target)
        chosen = await direct.listen(direct_port)
        try:
            both = chosen, await pooled.listen(pooled_port)
        except InfraError:
            direct.close()
            raise
        self._forwarders = (direct, pooled)
        return both

    async def start(self) -> None:
        """Run PostgreSQL and PgBouncer; those that a killed control plane left are taken over."""
        self._is_wanted = True
        if self._watching is None:
            self._watching = asyncio.create_task(self._watch())
        if self.is_running and not self._lock.locked():
            return
        # One start, and one answer, for all who wait.
        if self._starting is None or self._starting.done():
            self._starting = asyncio.create_task(self._alone(self._start))
        await asyncio.shield(self._starting)

    async def suspend(self) -> None:
        """Cut all connections and end the servers; the ports stay open."""
        self._is_wanted = False
        await self._alone(lambda: _end(self._folder))
        for forwarder in self._forwarders:
            forwarder.cut()

    async def restart_pooler(self) -> None:
        """Cut the pooled connections, and let PgBouncer forget the passwords that it knows.

        Once a role's password has changed it cannot log in for it otherwise.
        """
        await self._alone(self._restart_pooler)

    async def close(self) -> None:
        """Suspend and close the ports."""
        self._close_ports()
        await self.suspend()

    async def remove(self) -> None:
        """Close, and delete the data."""
        self._close_ports()
        await self._alone(self._remove)

    @property
    def is_running(self) -> bool:
        """Whether the servers run."""
        return _runs(self._postgres) and (_runs(self._pooler) or not self._has_pooler)

    @property
    def was_left_running(self) -> bool:
        """Whether a killed control plane left PostgreSQL running: `start` takes it over."""
        return not self.is_running and _found(postgres.running, self._folder / "postgres") is not None

    async def idle_seconds(self) -> float | None:
        """Return the seconds since a client last was active, `None` when one is or nothing runs.

        Whoever is in a transaction is active; connections alone, also the pooler's, are not.
        """
        if not self.is_running or self._copies or self._lock.locked():
            return None
        # Nobody but clients of the public ports runs anything for long.
        if any(forwarder.clients for forwarder in self._forwarders) and await asyncio.to_thread(
            self._is_busy
        ):
            return None
        return min((forwarder.idle_seconds for forwarder in self._forwarders), default=None)

    def superuser_url(self, database: str = "postgres") -> DirectUrl:
        """Return the superuser's URL past the public ports; the servers must run.

        Raises:
            ServerStartError: They do not.
        """
        return self._cluster().superuser_url(database)

    def _close_ports(self) -> None:
        if self._watching is not None:
            self._watching.cancel()
            self._watching = None
        for forwarder in self._forwarders:
            forwarder.close()
        self._forwarders = ()

    async def _alone(self, act: Callable[[], object]) -> None:
        """Run what changes the servers or the data in a thread, one at a time, to its end."""

        async def locked() -> None:
            async with self._lock:
                await asyncio.to_thread(act)

        await asyncio.shield(asyncio.create_task(locked()))

    async def _make_from(self, parent: Compute, make: Callable[[PostgresCluster, Path], None]) -> None:
        async def make_and_replace() -> None:
            staging = self._folder / "new"
            parent._copies += 1
            try:
                await parent.start()
                await asyncio.to_thread(servers.remove_below, staging)
                await asyncio.to_thread(make, parent._cluster(), staging)
            finally:
                parent._copies -= 1
            self._is_wanted = False
            await self._alone(lambda: self._replace_data(staging))

        try:
            await asyncio.shield(asyncio.create_task(make_and_replace()))
        finally:
            self._made.set()

    async def _watch(self) -> None:
        """Start again what ended by itself: clients of a living pooler would wait for its server."""
        while True:
            await asyncio.sleep(_WATCH_INTERVAL)
            if self._is_wanted and not self.is_running and not self._lock.locked():
                _log.warning("a server of %s ended by itself; starting it again", self._folder.name)
                try:
                    await self.start()
                except InfraError as error:
                    _log.error("%s", error)
                    self._is_wanted = False

    async def _direct_target(self) -> int:
        await self._made.wait()
        await self.start()
        return self._cluster().port

    async def _pooled_target(self) -> int:
        await self._made.wait()
        await self.start()
        return self._pooler.port if self._pooler else self._cluster().port

    def _cluster(self) -> PostgresCluster:
        if self._postgres is None:
            raise ServerStartError("the branch is suspended", hint="start it first")
        return self._postgres

    def _create(self) -> None:
        self._postgres = PostgresCluster.start(self._folder / "postgres", settings=self._settings)
        with psycopg.connect(self._postgres.superuser_url().libpq()) as connection:
            connection.execute(_NEON_SUPERUSER)

    def _start(self) -> None:
        folder = self._folder / "postgres"
        if not (Home.of(folder).path / "data").exists():
            raise ServerStartError("the branch has no data", hint="its creation was not finished: try again")
        is_new = not _runs(self._postgres)
        if is_new:
            self._postgres = PostgresCluster.start(folder, settings=self._settings)
        # A pooler whose server was away refuses logins for a while: it gets a new one with it, and
        # its clients learn at once what became of their sessions.
        if self._has_pooler and (is_new or not _runs(self._pooler)):
            self._pooler = Pooler.start(self._folder / "pooler", postgres=self._cluster(), users=None)

    def _restart_pooler(self) -> None:
        if self._pooler is not None and _runs(self._pooler):
            self._pooler.restart()

    def _remove(self) -> None:
        # Without the checkpoint that nobody will read.
        _end(self._folder, signal.SIGQUIT)
        servers.remove_below(self._folder)

    def _replace_data(self, staging: Path) -> None:
        _end(self._folder, signal.SIGQUIT)
        own, new = Home.of(self._folder / "postgres"), Home.of(staging)
        with disk_full_translated(own.path):
            own.write_private("superuser", (new.path / "superuser").read_text())
        if (own.path / "data").exists():
            (own.path / "data").rename(new.path / "old")
        (new.path / "data").rename(own.path / "data")
        new.remove(staging)

    def _hand_over(self, heir: Compute) -> None:
        own, its = Home.of(self._folder / "postgres"), Home.of(heir._folder / "postgres")
        if (its.path / "data").exists():
            return
        self._is_wanted = False
        _end(self._folder)
        its.write_private("superuser", (own.path / "superuser").read_text())
        (own.path / "data").rename(its.path / "data")

    def _is_busy(self) -> bool:
        try:
            with psycopg.connect(self.superuser_url().libpq()) as connection:
                row = connection.execute(_BUSY_CLIENTS).fetchone()
        except psycopg.Error:
            return True  # it is just being suspended, or starts again
        return row != (0,)


def _end(folder: Path, how: signal.Signals = signal.SIGINT) -> None:
    """End a branch's servers, also those that a killed control plane left; PostgreSQL by this signal."""
    if (pid := _found(pooler_module.running, folder / "pooler")) is not None:
        processes.end(pid, patience=1.0)  # it has nothing to lose
    if (pid := _found(postgres.running, folder / "postgres")) is not None:
        processes.end(pid, how, patience=30.0)


def _found(find: Callable[[Path], int | None], folder: Path) -> int | None:
    return find(folder) if folder.exists() else None


def _runs(server: PostgresCluster | Pooler | None) -> bool:
    return server is not None and processes.is_running(server.pid)
