"""The lock that lets one migration of a database run at a time."""

from __future__ import annotations

import time
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Final

import psycopg

from infra.migrate.errors import LockNotHeldError, MigrationLockedError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from infra.migrate.connection import Connection

#: Key of the session advisory lock. Advisory locks are per database, so one key serves all.
KEY: Final = int.from_bytes(b"bough/mi", "big")

#: Seconds between two tries.
_POLL: Final = 0.25

# Another role's sessions hide all but their pid.
_HOLDER: Final = """
    SELECT pid = pg_backend_pid(), pid, application_name,
           extract(epoch FROM clock_timestamp() - backend_start)::int,
           CASE state WHEN 'active' THEN extract(epoch FROM clock_timestamp() - query_start)::int END
    FROM pg_locks JOIN pg_stat_activity USING (pid)
    WHERE locktype = 'advisory' AND granted AND objsubid = 1
      AND pg_locks.database = (SELECT oid FROM pg_database WHERE datname = current_database())
      AND (classid::bigint << 32) + objid::bigint = %s
"""


@contextmanager
def hold(
    connection: Connection, wait: float, announce: Callable[[str], None] | None = None
) -> Iterator[None]:
    """Hold the database's migration lock; wait at most `wait` seconds for another holder.

    Tried again and again rather than waited for in the server: a session that waits there has a
    snapshot, on which the holder's CREATE INDEX CONCURRENTLY waits in turn, a deadlock. It is taken on
    the connection that runs the statements, so that it is free exactly when none runs any more: the
    statement of a runner that was killed goes on until the server notices, and keeps the lock meanwhile.

    Args:
        connection: In autocommit.
        wait: Seconds.
        announce: Is told who holds it, once, when it has to be waited for.

    Raises:
        MigrationLockedError: It was not free in time; the message names the holder.
        LockNotHeldError: The server gave it to another session than this one.
    """
    end = time.monotonic() + wait
    announced = announce is None
    while not _try(connection):
        if time.monotonic() >= end:
            message = f"another migration of this database is running ({_holder(connection)})"
            hint = f"waited {wait:g} s; run this again when it has ended"
            raise MigrationLockedError(message, hint=hint)
        if announce and not announced:
            announce(
                f"Waiting up to {wait:g} s for another migration of this database ({_holder(connection)})"
            )
            announced = True
        time.sleep(_POLL)
    try:
        verify(connection)
        yield
    finally:
        with suppress(psycopg.Error):
            connection.execute("SELECT pg_advisory_unlock(%s)", (KEY,))


def verify(connection: Connection) -> None:
    """Prove that the session that runs this statement holds the lock.

    In a revision's transaction this holds for all that it did. A transaction pooler gives the statement
    that took the lock to one session and this one to another; a revision may also have let go of it.

    Raises:
        LockNotHeldError: It does not.
    """
    row = connection.execute(_HOLDER, (KEY,)).fetchone()
    if row is None or not row[0]:
        message = "the session that runs the migration does not hold its lock"
        hint = (
            "is a transaction pooler between? use the direct connection string; "
            "revisions must not run DISCARD or pg_advisory_unlock_all()"
        )
        raise LockNotHeldError(message, hint=hint)


def _try(connection: Connection) -> bool:
    row = connection.execute("SELECT pg_try_advisory_lock(%s)", (KEY,)).fetchone()
    return row is not None and row[0]


def _holder(connection: Connection) -> str:
    row = connection.execute(_HOLDER, (KEY,)).fetchone()
    if row is None:
        return "it has just ended"
    _, pid, name, connected, running = row
    holder = f"server process {pid}, {name or 'name hidden'}, connected {connected or 0} s ago"
    return holder if running is None else f"{holder}, its statement has run for {running} s"
