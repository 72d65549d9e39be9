"""How long each statement of a revision ran, what it locked and for how long, what it rewrote and read.

Each statement is followed by one question to the server, on the same connection, where nothing forbids
one; what that takes is not counted. What holds before a statement is what held after the one before it.
"""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any

from infra.migrate.errors import MeasurementError
from infra.migrate.rehearsal.clock import Clock
from infra.migrate.rehearsal.running_revision import Sizes
from infra.migrate.rehearsal.watched_connection import WatchedConnection
from infra.migrate.sizes import estimated_rows

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    import sqlalchemy as sa

    from api.database.connection_url import DirectUrl
    from infra.migrate.history import Revision
    from infra.migrate.rehearsal.results import RevisionMeasure


class Measurement:
    """Measures the revisions that the runner applies; an `Observer`.

    What goes wrong in measuring ends the measuring, not the run, and is raised by `results`. Look there
    first when a run has failed: a question that the server refuses aborts the revision's transaction.

    Args:
        rows: Of the tables by qualified name, where the database is a copy with some of the rows of what it
            stands for, or none: what is counted is scaled to that. Otherwise the planner's estimates are
            taken before the run.
    """

    def __init__(self, rows: Mapping[str, int] | None = None) -> None:
        """Begin with nothing measured."""
        self._rows = rows
        self._sizes: Sizes | None = None
        self._clock: Clock | None = None
        self._watched: WatchedConnection | None = None
        self._measures: list[RevisionMeasure] = []
        self._problem: Exception | None = None

    def attempt(self, connection: sa.Connection, url: DirectUrl, plan: tuple[Revision, ...]) -> None:
        """Watch a connection; what an earlier attempt has measured of these revisions is forgotten."""
        again = {revision.id for revision in plan}
        self._measures = [measure for measure in self._measures if measure.revision.id not in again]
        self._safely(lambda: self._begin(connection, url, plan))

    def done(self, revision: Revision) -> None:
        """Expect the revision's commit."""
        if self._watched is not None:
            self._watched.expect_commit(revision)

    def ended(self) -> None:
        """Take the last reading, and let go of the connection."""
        if self._watched is not None:
            self._safely(self._watched.look)
            with suppress(Exception):  # of no use any more, and may be broken
                self._watched.close()
            self._watched = None

    def results(self) -> tuple[RevisionMeasure, ...]:
        """Return what was measured of the revisions that ran, in order.

        Raises:
            MeasurementError: Something went wrong in measuring.
        """
        if isinstance(self._problem, MeasurementError):
            raise self._problem
        if self._problem is not None:
            reason = " ".join(str(self._problem).split())
            raise MeasurementError(
                f"measuring failed: {type(self._problem).__name__}: {reason}"
            ) from self._problem
        return tuple(self._measures)

    def _begin(self, connection: sa.Connection, url: DirectUrl, plan: tuple[Revision, ...]) -> None:
        if self._sizes is None:
            raw: Any = connection.connection.driver_connection
            present = estimated_rows(raw)
            self._sizes = Sizes(present) if self._rows is None else Sizes(self._rows, present)
        if self._clock is None:
            self._clock = Clock()
        self._watched = WatchedConnection(
            connection,
            url,
            plan,
            self._sizes,
            self._clock,
            finished=self._measures.append,
            safely=self._safely,
        )

    def _safely(self, measure: Callable[[], None]) -> None:
        if self._problem is None:
            try:
                measure()
            except Exception as error:  # noqa: BLE001  whatever it is, the revision is not to blame
                self._problem = error
