"""One connection on which revisions run, watched: every statement, and where transactions end."""

from __future__ import annotations

import re
from collections import deque
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

import sqlalchemy as sa
from psycopg.pq import PipelineStatus, TransactionStatus

from infra.migrate.linting.passwords import masked
from infra.migrate.origin import origin
from infra.migrate.rehearsal.readings import read_database, read_session
from infra.migrate.rehearsal.running_revision import RunningRevision, Sent
from infra.migrate.rehearsal.sampling import Sampler
from infra.migrate.rehearsal.watched_cursor import watching_cursor

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from api.database.connection_url import DirectUrl
    from infra.migrate.history import Revision
    from infra.migrate.rehearsal.clock import Clock
    from infra.migrate.rehearsal.readings import DatabaseReading, SessionReading
    from infra.migrate.rehearsal.results import RevisionMeasure
    from infra.migrate.rehearsal.running_revision import Sizes
    from infra.migrate.rehearsal.watched_cursor import Cursor

#: SQLAlchemy asks it where an autocommit block begins, after the commit.
_DIALECTS_OWN: Final = "show transaction isolation level"


class WatchedConnection:
    """Measures a plan on a connection.

    Args:
        connection: In no transaction.
        url: For a second connection.
        plan: What will run.
        sizes: The tables'.
        clock: Of all times.
        finished: Is told of each revision that was committed.
        safely: Calls what may fail without harm to the run; does nothing once something has.
    """

    def __init__(
        self,
        connection: sa.Connection,
        url: DirectUrl,
        plan: Iterable[Revision],
        sizes: Sizes,
        clock: Clock,
        *,
        finished: Callable[[RevisionMeasure], None],
        safely: Callable[[Callable[[], None]], None],
    ) -> None:
        """Take the first reading, and begin to watch.

        Raises:
            MeasurementError: The server refused.
        """
        self._connection = connection
        self._raw = _psycopg(connection)
        self._left = deque(plan)
        self._sizes = sizes
        self._clock = clock
        self._finished = finished
        self._safely = safely
        self._sampler = Sampler(url, self._raw.info.backend_pid, clock)
        self._running: RunningRevision | None = None
        with clock.paused():
            read_session(self._raw)  # refused inside a transaction, it would abort that
            self._next(read_database(self._raw))
        self._cursor_factory = self._raw.cursor_factory
        self._raw.cursor_factory = watching_cursor(self._watch)
        sa.event.listen(connection, "begin", self._begun)
        # An autocommit block sets its isolation level right after the commit.
        sa.event.listen(connection, "set_connection_execution_options", self._options_set)

    def close(self) -> None:
        """Let go of the connection."""
        self._raw.cursor_factory = self._cursor_factory
        sa.event.remove(self._connection, "begin", self._begun)
        sa.event.remove(self._connection, "set_connection_execution_options", self._options_set)
        self._sampler.close()

    def expect_commit(self, revision: Revision) -> None:
        """Take note that a revision has run: its transaction's end is its own."""
        if self._running is not None:
            self._running.revision = revision
            self._running.done = True

    def look(self) -> None:
        """Take down that the transaction has ended, if it has."""
        if self._running is None or self._raw.info.transaction_status != TransactionStatus.IDLE:
            return
        now = self._clock.now()
        self._running.release(now)
        if self._running.done:
            with self._clock.paused():
                after = read_database(self._raw)
            self._finished(self._running.measure(after, now))
            self._next(after)

    def _next(self, before: DatabaseReading) -> None:
        self._running = None
        if self._left:
            started = self._clock.now()
            self._running = RunningRevision(self._left.popleft(), before, self._sizes, started)

    def _begun(self, _connection: sa.Connection) -> None:
        self._safely(self.look)
        # Before its first statement Alembic reads its own table.
        if self._running is not None and self._running.untouched:
            self._running.started = self._clock.now()

    def _options_set(self, _connection: sa.Connection, _options: object) -> None:
        self._safely(self.look)

    @contextmanager
    def _watch(self, cursor: Cursor, statement: str) -> Iterator[None]:
        self._safely(self.look)
        running = self._running
        found = origin(running.revision.path) if running is not None else None
        if running is None or found is None or statement == _DIALECTS_OWN:
            yield
            return
        sampled = self._raw.autocommit and self._raw.info.transaction_status == TransactionStatus.IDLE
        transaction = None if sampled else running.transaction()
        if sampled:
            with self._clock.paused():
                self._safely(lambda: self._sampler.start(statement))
        answered = False
        started = self._clock.now()
        try:
            yield
            answered = True
        finally:
            sent = Sent(
                masked(statement),
                found.line,
                tags=_tags(cursor) if answered else (),
                rows=cursor.rowcount if answered else -1,
                started=started,
                ended=self._clock.now(),
                transaction=transaction,
            )
            with self._clock.paused():
                self._safely(lambda: self._add(running, sent))

    def _add(self, running: RunningRevision, sent: Sent) -> None:
        samples = self._sampler.stop() if sent.transaction is None else []
        running.add(sent, self._read(sent.tags), samples)

    def _read(self, tags: tuple[str, ...]) -> SessionReading | DatabaseReading | None:
        """Read what can be read now without a change to what the revision does next."""
        status = self._raw.info.transaction_status
        if self._raw.pgconn.pipeline_status != PipelineStatus.OFF:
            return None
        if status == TransactionStatus.IDLE:
            return read_database(self._raw)
        # After SET TRANSACTION a question would take the snapshot, and its next SET would be refused.
        if status == TransactionStatus.INTRANS and set(tags) != {"SET"}:
            return read_session(self._raw)
        return None


def _psycopg(connection: sa.Connection) -> Any:
    return connection.connection.driver_connection


def _tags(cursor: Cursor) -> tuple[str, ...]:
    """Return what the server answered to each statement of a message, without counts."""
    found = [each.statusmessage for each in cursor.results()] or [cursor.statusmessage]
    if len(found) > 1:
        cursor.set_result(0)
    return tuple(re.sub(r"[ \d]+$", "", tag) for tag in found if tag)
