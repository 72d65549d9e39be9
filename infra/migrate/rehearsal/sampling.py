"""What a session holds while a statement runs, seen from a second connection.

A statement outside a transaction has let go of its locks when it returns: CREATE INDEX CONCURRENTLY,
VACUUM. What lasts shorter than the way to the server and back may not be seen, except with CONCURRENTLY:
an index is built that way only after all older snapshots are gone, and one is held until a lock was seen.
"""

from __future__ import annotations

import re
import threading
from contextlib import ExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from api.database.timeouts import Timeouts
from infra.migrate.connection import ask, open_connection

if TYPE_CHECKING:
    from api.database.connection_url import DirectUrl
    from infra.migrate.connection import Connection
    from infra.migrate.rehearsal.clock import Clock

_LOCKS: Final = """
    SELECT coalesce(json_agg(json_build_array(relation::bigint, mode)), '[]') FROM pg_locks
    WHERE pid = {pid} AND locktype = 'relation' AND granted AND relation >= 16384::oid
      AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
"""

_CONCURRENTLY: Final = re.compile(r"\bCONCURRENTLY\b", re.IGNORECASE)

#: Seconds between an answer and the next question.
_PAUSE: Final = 0.001


@dataclass(frozen=True, slots=True)
class Sample:
    """What was held at one time, as OIDs and modes."""

    at: float
    held: frozenset[tuple[int, str]]


class Sampler:
    """Looks at another session's locks; the connection is opened when it is first needed.

    Args:
        url: The database.
        pid: The server process to look at.
        clock: For the samples' times.
    """

    def __init__(self, url: DirectUrl, pid: int, clock: Clock) -> None:
        """Do nothing yet."""
        self._url = url
        self._query = _LOCKS.format(pid=pid)
        self._clock = clock
        self._stack = ExitStack()
        self._connection: Connection | None = None
        self._thread: threading.Thread | None = None
        self._over = threading.Event()
        self._samples: list[Sample] = []
        self._problem: Exception | None = None

    def start(self, statement: str) -> None:
        """Look again and again, from now on.

        Args:
            statement: What is about to be sent.

        Raises:
            MigrationError: No connection could be made.
        """
        if self._connection is None:
            self._connection = self._stack.enter_context(open_connection(self._url, Timeouts()))
        if _CONCURRENTLY.search(statement):
            self._connection.execute("BEGIN ISOLATION LEVEL REPEATABLE READ")
        ask(self._connection, self._query)  # takes the snapshot; and the first answer takes longest
        self._samples = []
        self._over.clear()
        self._thread = threading.Thread(
            target=self._look, args=(self._connection,), name="bough-lock-sampler", daemon=True
        )
        self._thread.start()

    def stop(self) -> list[Sample]:
        """Stop looking, and return what was seen since the start: what is held, each time that it changed.

        Raises:
            MigrationError: The connection ended meanwhile.
        """
        self._over.set()
        if self._thread is not None:
            self._thread.join()
            self._thread = None
        if self._problem is not None:
            raise self._problem
        return self._samples

    def close(self) -> None:
        """Stop looking, and close the connection if there is one."""
        self._over.set()
        if self._thread is not None:
            self._thread.join()
        self._stack.close()

    def _look(self, connection: Connection) -> None:
        try:
            while True:
                held = ask(connection, self._query)
                sample = Sample(self._clock.now(), frozenset((oid, mode) for oid, mode in held))
                # A large index takes hours.
                if not self._samples or self._samples[-1].held != sample.held:
                    self._samples.append(sample)
                over = self._over.wait(_PAUSE)
                if held or over:
                    # Outside a transaction it does nothing.
                    connection.rollback()
                if over:
                    return
        except Exception as error:  # noqa: BLE001  a thread's exception reaches nobody by itself
            self._problem = error
            connection.close()  # and with it the snapshot
