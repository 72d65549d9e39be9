"""A branch's servers and the data under them: PostgreSQL and PgBouncer on private ports. All of it blocks."""

from __future__ import annotations

import signal
import sys
from typing import TYPE_CHECKING, Final

import psycopg

from infra.disk import disk_full_translated
from infra.local import pooler, postgres, processes, servers
from infra.local.errors import ServerStartError
from infra.local.home import Home
from infra.local.pooler import Pooler, find_pgbouncer
from infra.local.postgres import PostgresCluster

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

#: Many branches run side by side, most of them idle.
_SETTINGS: Final = {
    # No worker processes; the kernel's cache serves what a development database reads.
    "io_method": "sync",
    # A copy's first start flushes it to the disk at once, not file by file.
    "recovery_init_sync_method": "syncfs" if sys.platform == "linux" else "fsync",
}

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


class BranchServers:
    """PostgreSQL and PgBouncer over one branch's data. One thread at a time may change them."""

    def __init__(self, folder: Path, identity: Mapping[str, str]) -> None:
        """Know the folder; nothing runs and nothing is made yet. See `Compute`.

        A `replace_data` that was killed half way is taken back: the branch has what it had.
        """
        self._folder = folder
        self._settings = {**_SETTINGS, **identity}
        self._has_pooler = find_pgbouncer() is not None
        self._postgres: PostgresCluster | None = None
        self._pooler: Pooler | None = None
        if self._beside.exists() and not self.has_data:
            old = Home.of(self._beside).path / "old"
            if old.exists():
                old.rename(_data(folder))

    @property
    def cluster(self) -> PostgresCluster:
        """The running PostgreSQL.

        Raises:
            ServerStartError: None runs.
        """
        if self._postgres is None:
            raise ServerStartError("the branch is suspended", hint="start it first")
        return self._postgres

    @property
    def pooled_port(self) -> int:
        """PgBouncer's port, or PostgreSQL's where PgBouncer is not installed."""
        return self._pooler.port if self._pooler else self.cluster.port

    @property
    def has_data(self) -> bool:
        """Whether the data was made."""
        return _data(self._folder).exists()

    @property
    def are_running(self) -> bool:
        """Whether all of them run."""
        return _runs(self._postgres) and (_runs(self._pooler) or not self._has_pooler)

    @property
    def were_left_running(self) -> bool:
        """Whether a killed control plane left PostgreSQL running: `start` takes it over."""
        return not self.are_running and _found(postgres.running, self._folder / "postgres") is not None

    def is_busy(self) -> bool:
        """Say whether a client is in the middle of something."""
        try:
            with psycopg.connect(self.cluster.superuser_url().libpq()) as connection:
                row = connection.execute(_BUSY_CLIENTS).fetchone()
        except (psycopg.Error, ServerStartError):
            return True  # it is just being suspended, or starts again
        return row != (0,)

    def create(self) -> None:
        """Make a new cluster with the role `neon_superuser`, unless there is one; PostgreSQL runs then."""
        self._postgres = PostgresCluster.start(self._folder / "postgres", settings=self._settings)
        with psycopg.connect(self._postgres.superuser_url().libpq()) as connection:
            connection.execute(_NEON_SUPERUSER)

    def start(self) -> None:
        """Run those that do not run.

        Raises:
            ServerStartError: One refused, or there is no data.
            DiskFullError: The disk is full.
        """
        if not self.has_data:
            raise ServerStartError("the branch has no data", hint="delete it and make it again")
        is_new = not _runs(self._postgres)
        if is_new:
            self._postgres = PostgresCluster.start(self._folder / "postgres", settings=self._settings)
        # A pooler whose server was away refuses logins for a while: it gets a new one with it, and
        # its clients learn at once what became of their sessions.
        if self._has_pooler and (is_new or not _runs(self._pooler)):
            self._pooler = Pooler.start(self._folder / "pooler", postgres=self.cluster, users=None)

    def restart_pooler(self) -> None:
        """End PgBouncer and start it again, if it runs."""
        if self._pooler is not None and _runs(self._pooler):
            self._pooler.restart()

    def end(self, how: signal.Signals = signal.SIGINT) -> None:
        """End them, also those that a killed control plane left; PostgreSQL by this signal."""
        if (pid := self._pid_of(self._pooler, pooler.running, "pooler")) is not None:
            processes.end(pid, patience=1.0)  # it has nothing to lose
        if (pid := self._pid_of(self._postgres, postgres.running, "postgres")) is not None:
            processes.end(pid, how, patience=30.0)
        # Their pids may be anybody's from now on.
        self._postgres = self._pooler = None

    def remove(self) -> None:
        """End them and delete the data, wherever it lies."""
        self.end(signal.SIGQUIT)  # without the checkpoint that nobody will read
        servers.remove_below(self._folder)

    def make_beside(self, source: PostgresCluster, make: Callable[[PostgresCluster, Path], None]) -> None:
        """Make other data from a running cluster, which `replace_data` puts in its place.

        What comes to nothing leaves nothing: it may have filled the disk.
        """
        servers.remove_below(self._beside)
        try:
            make(source, self._beside)
        except BaseException:
            servers.remove_below(self._beside)
            raise

    def replace_data(self, heir: BranchServers | None = None) -> None:
        """Put the data that was made beside in its place; the servers end.

        What was there is handed over to an heir that has none, and otherwise deleted.
        """
        new = Home.of(self._beside)
        _take_password(self._folder / "postgres", new)
        if heir and self.has_data:
            self.hand_over(heir)
        self.end(signal.SIGQUIT)
        if self.has_data:
            _data(self._folder).rename(new.path / "old")
        (new.path / "data").rename(_data(self._folder))
        new.remove(self._beside)

    def hand_over(self, heir: BranchServers) -> None:
        """End them, and give the data to servers that have none; nothing happens when those have some."""
        if heir.has_data:
            return
        self.end()
        _take_password(heir._folder / "postgres", Home.of(self._folder / "postgres"))
        _data(self._folder).rename(_data(heir._folder))

    def _pid_of(
        self, server: PostgresCluster | Pooler | None, find: Callable[[Path], int | None], name: str
    ) -> int | None:
        """Return a server's pid: as it was started, also where its files were deleted since, or left."""
        if server is not None and str(server.home) in " ".join(processes.command_line(server.pid)):
            return server.pid
        return _found(find, self._folder / name)

    @property
    def _beside(self) -> Path:
        return self._folder / "new"


def _data(folder: Path) -> Path:
    return Home.of(folder / "postgres").path / "data"


def _take_password(folder: Path, source: Home) -> None:
    """Let the superuser's password lie beside the data that comes: all branches of a project have one."""
    home = Home.of(folder)
    if not (home.path / "superuser").exists():
        with disk_full_translated(folder):
            home.write_private("superuser", (source.path / "superuser").read_text())


def _found(find: Callable[[Path], int | None], folder: Path) -> int | None:
    return find(folder) if folder.exists() else None


def _runs(server: PostgresCluster | Pooler | None) -> bool:
    return server is not None and processes.is_running(server.pid)
