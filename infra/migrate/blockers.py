"""Who stands in the way of a migration: seen from a second connection, because a wait's end names nobody."""

from __future__ import annotations

import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

import psycopg

if TYPE_CHECKING:
    from collections.abc import Iterator

    from api.database.connection_url import DirectUrl
    from infra.migrate.connection import Connection

_LONGEST_INTERVAL: Final = 1.0

# Of several the one whose transaction is oldest: it began the queue.
_LOOK: Final = """
    SELECT waiting.relation::regclass::text, blocker.pid, activity.application_name,
           extract(epoch FROM clock_timestamp() - activity.xact_start)::int
    FROM pg_locks AS waiting, unnest(pg_blocking_pids(waiting.pid)) AS blocker(pid)
    LEFT JOIN pg_stat_activity AS activity USING (pid)
    WHERE waiting.pid = %s AND NOT waiting.granted
    ORDER BY activity.xact_start LIMIT 1
"""


class Blockers:
    """What was seen last."""

    def __init__(self) -> None:
        """Begin with nothing seen."""
        self.last: str | None = None

    def take(self) -> str | None:
        """Return who was last seen to block, as a clause such as `users is locked by …`, and forget it."""
        last, self.last = self.last, None
        return last


@contextmanager
def watch_blockers(url: DirectUrl, connection: Connection, interval: float) -> Iterator[Blockers]:
    """Look at intervals whom the session of a connection waits for.

    The second connection is made at the first look: a run that is shorter needs none. Without one
    nothing is seen, and the run goes on.

    Args:
        url: Of the database.
        connection: Whose waits; asked for its session before, and not used while it is watched.
        interval: Seconds; shorter than a wait lasts that is to be seen.
    """
    row = connection.execute("SELECT pg_backend_pid()").fetchone()
    seen, ended = Blockers(), threading.Event()
    arguments = (seen, ended, url, row[0] if row else 0, min(interval, _LONGEST_INTERVAL))
    thread = threading.Thread(target=_watch, args=arguments, name="bough blockers", daemon=True)
    thread.start()
    try:
        yield seen
    finally:
        ended.set()
        thread.join()


def _watch(seen: Blockers, ended: threading.Event, url: DirectUrl, pid: int, interval: float) -> None:
    if ended.wait(interval):
        return
    try:
        with psycopg.connect(url.libpq(), autocommit=True, connect_timeout=5) as connection:
            while not ended.is_set():
                if row := connection.execute(_LOOK, (pid,)).fetchone():
                    seen.last = _clause(*row)
                ended.wait(interval)
    except psycopg.Error:
        return


def _clause(relation: str | None, pid: int, name: str | None, seconds: int | None) -> str:
    # A prepared transaction has no process. CONCURRENTLY waits for transactions, not for a relation.
    # Another role's sessions hide all but their pid.
    who = f"server process {pid} ({name or 'name hidden'})" if pid else "a prepared transaction"
    since = f", whose transaction has been open for {seconds} s" if seconds is not None else ""
    return f"{relation} is locked by {who}{since}" if relation else f"it waits for {who}{since}"
