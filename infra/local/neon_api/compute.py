"""One branch's compute: its data, its PostgreSQL and PgBouncer, and the two ports that never change."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Final

from infra.errors import InfraError
from infra.local.neon_api.branch_servers import BranchServers
from infra.local.neon_api.copying import online_copy
from infra.local.neon_api.forwarder import Forwarder
from infra.local.neon_api.schema_copy import copy_schema

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from api.database.connection_url import DirectUrl
    from infra.local.postgres import PostgresCluster

_log = logging.getLogger(__name__)

#: Seconds between two looks whether the servers still run.
_WATCH_INTERVAL: Final = 0.5
#: Copies of one branch at once: each has one of PostgreSQL's 10 replication slots, and one of the
#: threads that wake and suspend other branches.
_COPIES_AT_ONCE: Final = 4


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
        self._name = folder.name
        self._servers = BranchServers(folder, identity)
        self._forwarders: tuple[Forwarder, ...] = ()
        self._lock = asyncio.Lock()
        self._starting: asyncio.Task[None] | None = None
        self._watching: asyncio.Task[None] | None = None
        self._is_wanted = False
        self._copies = 0
        self._copying = asyncio.Semaphore(_COPIES_AT_ONCE)
        # Clients that come while the data is made wait for it, as at Neon.
        self._made = asyncio.Event()
        if self.has_data:
            self._made.set()

    async def create(self) -> None:
        """Make the data of a root branch: a new cluster with the role `neon_superuser`; again is harmless."""
        try:
            await self._alone(self._servers.create)
        finally:
            self._made.set()

    async def copy(self, parent: Compute) -> None:
        """Make the data by online copy of the serving parent; what a killed copy left is replaced.

        Data that is there already is replaced once the copy is complete: that cuts connections and
        suspends, and the ports stay open.
        """
        await self._make_from(parent, online_copy, self._servers.replace_data)

    async def copy_and_preserve(self, parent: Compute, heir: Compute) -> None:
        """Copy as `copy` does; what was there becomes the data of an heir that has none.

        Again after a kill is harmless, and clients of this branch wait from one data to the other.
        """
        await self._make_from(parent, online_copy, lambda: self._servers.replace_data(heir._servers))
        heir._made.set()

    async def copy_schema(self, parent: Compute) -> None:
        """Make the data of a schema-only branch: the parent's roles, databases and schemas, no rows."""
        await self._make_from(parent, copy_schema, self._servers.replace_data)

    async def hand_over(self, heir: Compute) -> None:
        """Suspend, and give the data to a compute that has none; again is harmless.

        Nothing is copied, and all that was committed is there.
        """
        async with heir._lock:
            if not heir.has_data:
                self._is_wanted = False
            await self._alone(lambda: self._servers.hand_over(heir._servers))
        self._cut()
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
            self._starting = asyncio.create_task(self._alone(self._servers.start))
        await asyncio.shield(self._starting)

    async def suspend(self) -> None:
        """Cut all connections and end the servers; the ports stay open."""
        self._is_wanted = False
        await self._alone(self._servers.end)
        self._cut()

    async def restart_pooler(self) -> None:
        """Cut the pooled connections, and let PgBouncer forget the passwords that it knows.

        Once a role's password has changed it cannot log in for it otherwise.
        """
        await self._alone(self._servers.restart_pooler)

    async def close(self) -> None:
        """Suspend and close the ports."""
        self._close_ports()
        await self.suspend()

    async def remove(self) -> None:
        """Close, and delete the data."""
        self._close_ports()
        await self._alone(self._servers.remove)

    @property
    def has_data(self) -> bool:
        """Whether the data was made."""
        return self._servers.has_data

    @property
    def is_running(self) -> bool:
        """Whether the servers run."""
        return self._servers.are_running

    @property
    def was_left_running(self) -> bool:
        """Whether a killed control plane left PostgreSQL running: `start` takes it over."""
        return self._servers.were_left_running

    async def idle_seconds(self) -> float | None:
        """Return the seconds since a client last was active, `None` when one is or nothing runs.

        Whoever is in a transaction is active; connections alone, also the pooler's, are not.
        """
        if not self.is_running or self._copies or self._lock.locked():
            return None
        # Nobody but clients of the public ports runs anything for long.
        are_clients = any(forwarder.clients for forwarder in self._forwarders)
        if are_clients and await asyncio.to_thread(self._servers.is_busy):
            return None
        return min((forwarder.idle_seconds for forwarder in self._forwarders), default=None)

    def superuser_url(self, database: str = "postgres") -> DirectUrl:
        """Return the superuser's URL past the public ports; the servers must run.

        Raises:
            ServerStartError: They do not.
        """
        return self._servers.cluster.superuser_url(database)

    def _cut(self) -> None:
        for forwarder in self._forwarders:
            forwarder.cut()

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

    async def _make_from(
        self, parent: Compute, make: Callable[[PostgresCluster, Path], None], replace: Callable[[], None]
    ) -> None:
        async def make_and_replace() -> None:
            parent._copies += 1
            try:
                async with parent._copying:
                    await parent.start()
                    await asyncio.to_thread(self._servers.make_beside, parent._servers.cluster, make)
            finally:
                parent._copies -= 1
            self._is_wanted = False
            await self._alone(replace)
            self._cut()

        try:
            await asyncio.shield(asyncio.create_task(make_and_replace()))
        finally:
            self._made.set()

    async def _watch(self) -> None:
        """Start again what ended by itself: clients of a living pooler would wait for its server."""
        while True:
            await asyncio.sleep(_WATCH_INTERVAL)
            if self._is_wanted and not self.is_running and not self._lock.locked():
                _log.warning("a server of %s ended by itself; starting it again", self._name)
                try:
                    await self.start()
                except InfraError as error:
                    _log.error("%s", error)
                    self._is_wanted = False

    async def _direct_target(self) -> int:
        await self._made.wait()
        await self.start()
        return self._servers.cluster.port

    async def _pooled_target(self) -> int:
        await self._made.wait()
        await self.start()
        return self._servers.pooled_port
