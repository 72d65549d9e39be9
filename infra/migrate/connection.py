"""The one connection that a migration runs on: direct, with timeouts that are proven, locked."""

from __future__ import annotations

import os
import socket
import time
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any, Final

import psycopg
import sqlalchemy as sa
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from api.database.connection_url import DirectUrl
from infra.migrate.errors import (
    DatabaseUnreachableError,
    MigrationError,
    MigrationLockedError,
    PooledUrlRefusedError,
    TimeoutsNotInForceError,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from api.database.timeouts import Timeouts

    Connection = psycopg.Connection[tuple[Any, ...]]

#: Seconds; libpq itself would wait for as long as the network lets it.
_CONNECT_TIMEOUT: Final = 10

#: Key of the session advisory lock. Advisory locks are per database, so one key serves all.
LOCK_KEY: Final = int.from_bytes(b"bough/mi", "big")

#: Seconds between two tries for the lock.
_LOCK_POLL: Final = 0.25


@contextmanager
def open_connection(url: DirectUrl, timeouts: Timeouts) -> Iterator[Connection]:
    """Connect in autocommit, with timeouts that the server confirmed, and close at the end.

    They are set by statements, not by connection options: Supavisor drops those in silence.

    Raises:
        PooledUrlRefusedError: The URL is not a direct one.
        DatabaseUnreachableError: No connection could be made.
        TimeoutsNotInForceError: The server holds other values than were set.
    """
    if not isinstance(url, DirectUrl):
        message = (
            f"migrations do not run on {url}: behind a transaction pooler locks and settings do not hold"
        )
        raise PooledUrlRefusedError(message, hint="give the direct connection string, DATABASE_URL_UNPOOLED")
    parameters: dict[str, Any] = {"connect_timeout": _CONNECT_TIMEOUT}
    parameters |= conninfo_to_dict(url.libpq())
    try:
        connection = psycopg.connect(make_conninfo(**parameters), autocommit=True)
    except psycopg.Error as error:
        message = f"cannot connect to {url}: {_one_line(error)}"
        raise DatabaseUnreachableError(message) from None
    try:
        _set_timeouts(connection, timeouts)
        yield connection
    except psycopg.Error as error:
        message = f"{url}: {_one_line(error)}"
        raise MigrationError(message) from error
    finally:
        # A session pooler hands this session to its next client: leave it neither lock nor settings.
        with suppress(psycopg.Error):
            connection.execute("DISCARD ALL")
        connection.close()


def _set_timeouts(connection: Connection, timeouts: Timeouts) -> None:
    name = f"bough migrate {socket.gethostname()}:{os.getpid()}"
    wanted = timeouts.settings()
    for setting, value in {"application_name": name[:63], **wanted}.items():
        connection.execute("SELECT set_config(%s, %s, false)", (setting, value))
    # A statement of its own: behind a pooler it may reach another session, and then says so.
    rows = connection.execute(
        "SELECT name, setting FROM pg_settings WHERE name = ANY(%s)", (list(wanted),)
    ).fetchall()
    found = {name: f"{milliseconds}ms" for name, milliseconds in rows}
    if found != wanted:
        wrong = ", ".join(f"{name} is {found.get(name)}, not {wanted[name]}" for name in wanted)
        message = f"the server does not keep the timeouts of this migration: {wrong}"
        raise TimeoutsNotInForceError(message, hint="is a pooler between? use the direct connection string")


@contextmanager
def hold_lock(connection: Connection, wait: float) -> Iterator[None]:
    """Hold the database's migration lock; wait at most `wait` seconds for another holder.

    Tried again and again rather than waited for in the server: a session that waits there has a
    snapshot, on which the holder's CREATE INDEX CONCURRENTLY waits in turn, a deadlock. It is taken on
    the connection that runs the statements, so that it is free exactly when none runs any more.

    Raises:
        MigrationLockedError: It was not free in time; the message names the holder.
    """
    end = time.monotonic() + wait
    while not _try_lock(connection):
        if time.monotonic() >= end:
            message = f"another migration of this database is running ({_holder(connection)})"
            hint = f"waited {wait:g} s; run this again when it has ended"
            raise MigrationLockedError(message, hint=hint)
        time.sleep(_LOCK_POLL)
    try:
        yield
    finally:
        with suppress(psycopg.Error):
            connection.execute("SELECT pg_advisory_unlock(%s)", (LOCK_KEY,))


def _try_lock(connection: Connection) -> bool:
    row = connection.execute("SELECT pg_try_advisory_lock(%s)", (LOCK_KEY,)).fetchone()
    return row is not None and row[0]


def _holder(connection: Connection) -> str:
    row = connection.execute(
        """
        SELECT pid, application_name, extract(epoch FROM clock_timestamp() - backend_start)::int
        FROM pg_locks JOIN pg_stat_activity USING (pid)
        WHERE locktype = 'advisory' AND granted AND objsubid = 1
          AND pg_locks.database = (SELECT oid FROM pg_database WHERE datname = current_database())
          AND (classid::bigint << 32) + objid::bigint = %s
        """,
        (LOCK_KEY,),
    ).fetchone()
    if row is None:
        return "it has just ended"
    pid, name, seconds = row
    # Another role's sessions hide all but their pid.
    return f"server process {pid}, {name or 'name hidden'}, connected {seconds or 0} s ago"


@contextmanager
def as_sqlalchemy(connection: Connection) -> Iterator[sa.Connection]:
    """Lend the connection to SQLAlchemy; afterwards it is in autocommit again, nothing open.

    SQLAlchemy begins its transactions itself, so that Alembic finds none open when it is configured.
    """
    connection.autocommit = False
    engine = sa.create_engine("postgresql+psycopg://", creator=lambda: connection, poolclass=sa.StaticPool)
    try:
        with engine.connect() as lent:
            yield lent
    finally:
        with suppress(psycopg.Error):
            connection.rollback()
            connection.autocommit = True


def current_versions(connection: Connection) -> tuple[str, ...]:
    """Return what `alembic_version` holds, committed; nothing where the table is absent."""
    row = connection.execute("SELECT to_regclass('alembic_version') IS NULL").fetchone()
    if row is None or row[0]:
        return ()
    return tuple(version for (version,) in connection.execute("SELECT version_num FROM alembic_version"))


def widen_version_column(connection: Connection, needed: int) -> None:
    """Make room for ids of `needed` characters where plain Alembic made the table, with 32.

    From varchar to text is a change of the catalog only: no rewrite.
    """
    row = connection.execute(
        "SELECT atttypmod - 4 FROM pg_attribute "
        "WHERE attrelid = to_regclass('alembic_version') AND attname = 'version_num' AND atttypmod > 0"
    ).fetchone()
    if row is not None and row[0] < needed:
        connection.execute("ALTER TABLE alembic_version ALTER COLUMN version_num TYPE text")


def _one_line(error: psycopg.Error) -> str:
    return " ".join(str(error).split())
