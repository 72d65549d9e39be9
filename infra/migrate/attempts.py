"""Alembic, run again when a revision met a lock timeout or a deadlock."""

from __future__ import annotations

import random
import time
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

import psycopg
import sqlalchemy as sa

from infra.migrate import failure, lock, progress, records
from infra.migrate.connection import as_sqlalchemy, current_versions, unobserved
from infra.migrate.errors import MigrationError
from infra.migrate.replay import Replay

if TYPE_CHECKING:
    from collections.abc import Callable

    from alembic.config import Config
    from alembic.runtime.migration import MigrationInfo

    from api.database.connection_url import DirectUrl
    from api.database.timeouts import Timeouts
    from infra.migrate.blockers import Blockers
    from infra.migrate.connection import Connection
    from infra.migrate.history import History, Phase, Revision
    from infra.migrate.observer import Observer

#: Seconds of the first wait between two tries, at most; each further one may be twice as long.
_FIRST_PAUSE: Final = 1.0
_LONGEST_PAUSE: Final = 30.0


@dataclass(frozen=True, slots=True)
class RevisionRun:
    """One revision that was applied or undone.

    Args:
        id: The revision's.
        message: The revision's.
        phase: The revision's.
        seconds: For how long its last try ran.
        attempts: Tries that it needed: more than one after lock timeouts or deadlocks.
    """

    id: str
    message: str
    phase: Phase
    seconds: float
    attempts: int = 1


@dataclass(slots=True)
class Attempts:
    """A plan, and how far it came.

    Args:
        connection: It holds the lock.
        url: Of the same database.
        history: Of the plan.
        before: Ids of what was applied before.
        plan: In the order of running.
        timeouts: In force on the connection.
        undoing: Whether it is undone.
        most: How often a revision is tried.
        announce: Is told of every wait.
        observer: Watches.
        first_fill: The plan fills a database in which nothing was; that is noted until it has ended.
        runs: What has run.
        dropped: Names of indexes that an interrupted run had left invalid, and that were dropped.
    """

    connection: Connection
    url: DirectUrl
    history: History
    before: frozenset[str]
    plan: tuple[Revision, ...]
    timeouts: Timeouts
    undoing: bool
    most: int
    announce: Callable[[str], None]
    observer: Observer | None = None
    first_fill: bool = False
    runs: list[RevisionRun] = field(default_factory=list)
    dropped: list[str] = field(default_factory=list)
    _failures: Counter[str] = field(default_factory=Counter)

    def run(self, config: Config, migrate: Callable[[], None], blockers: Blockers) -> None:
        """Call `migrate` until it comes through, or a revision fails for good.

        Args:
            config: What `migrate` gives to Alembic; the connection is put there.
            migrate: Takes the database to the plan's end from wherever it is.
            blockers: Who stood in the way.

        Raises:
            RevisionFailedError: It is not retried, or was tried often enough.
        """
        while True:
            try:
                self._run_once(config, migrate)
            except MigrationError:
                raise
            except Exception as error:  # noqa: BLE001  raised again, translated, unless it passes
                self._wait_or_raise(error, blockers.take())
            else:
                return

    def _run_once(self, config: Config, migrate: Callable[[], None]) -> None:
        left = self.plan[len(self.runs) :]
        replay = Replay(
            self.connection, left, undoing=self.undoing, dropped=self.dropped, announce=self.announce
        )
        with as_sqlalchemy(self.connection) as lent:
            replay.follow(lent)
            config.attributes["connection"] = lent
            config.attributes["on_version_apply"] = (self._recorder(lent, replay),)
            self._watched(lent, migrate)

    def _watched(self, lent: sa.Connection, migrate: Callable[[], None]) -> None:
        if self.observer is None:
            migrate()
            return
        self.observer.attempt(lent, self.url, self.plan[len(self.runs) :])
        try:
            migrate()
        finally:
            self.observer.ended()

    def _wait_or_raise(self, error: Exception, blocker: str | None) -> None:
        # How far it came is asked of the database, not of Alembic: a constraint that is checked at
        # COMMIT fails after its revision had reported itself done.
        try:
            done = len(self.history.applied(current_versions(self.connection)) ^ self.before)
            revision = self.plan[done] if done < len(self.plan) else None
            kept = progress.done(self.connection, revision.id) if revision else 0
        except psycopg.Error:
            raise failure.lost(error, self.url) from error
        del self.runs[done:]
        tried = self._failed(revision)
        if revision is None or tried >= self.most or not failure.is_transient(error):
            raise failure.failed(
                error, revision, self.timeouts, done, kept=kept, tried=tried, blocker=blocker
            ) from error
        # Not all at once again, of those who met.
        pause = min(_FIRST_PAUSE * 2 ** (tried - 1), _LONGEST_PAUSE) * random.uniform(0.5, 1)  # noqa: S311
        why = blocker or failure.reason(error)
        self.announce(f"{revision.id}: {why}; try {tried + 1} of {self.most} in {pause:.1f} s")
        time.sleep(pause)

    def _failed(self, revision: Revision | None) -> int:
        if revision is None:
            return 1
        self._failures[revision.id] += 1
        return self._failures[revision.id]

    def _recorder(self, lent: sa.Connection, replay: Replay) -> Callable[..., None]:
        planned = {revision.id: revision for revision in self.plan}
        begun: list[float] = []

        @sa.event.listens_for(lent, "begin")
        def _begin(_connection: sa.Connection) -> None:
            begun.append(time.monotonic())

        def record(*, step: MigrationInfo, **_: object) -> None:
            revision = planned[str(step.up_revision_id)]
            with unobserved(self.connection):
                replay.finished()
                lock.verify(self.connection)
                if self.first_fill:
                    self._note_first_fill(revision)
            if self.observer is not None:
                self.observer.done(revision)
            # The first: an autocommit block inside a revision begins again.
            seconds = time.monotonic() - begun[0]
            begun.clear()
            attempts = self._failures[revision.id] + 1
            self.runs.append(RevisionRun(revision.id, revision.message, revision.phase, seconds, attempts))

        return record

    def _note_first_fill(self, revision: Revision) -> None:
        """Let the next run know, if this one is killed, that no code can use what is half filled."""
        if revision is self.plan[-1]:
            records.end_first_fill(self.connection)
        elif not self.before and revision is self.plan[0]:
            records.begin_first_fill(self.connection, [each.id for each in self.plan])
