"""Run a backfill: batch after batch along the primary key, gently, until nothing is left to change.

Each batch is a transaction of its own that also says how far it came. However a run ends, the next one
goes on after the last batch that was committed: nothing is lost and nothing done twice.
"""

from __future__ import annotations

import itertools
import time
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final

import psycopg

from infra.branches import identity
from infra.migrate.backfill import state
from infra.migrate.backfill.errors import (
    BackfillBlockedError,
    BackfillEndlessError,
    BackfillFailedError,
    BackfillInvalidError,
    BackfillRunningError,
)
from infra.migrate.backfill.pace import SMALLEST, Pace
from infra.migrate.backfill.state import Position
from infra.migrate.backfill.statements import Change, Statements
from infra.migrate.connection import open_connection

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from api.database.connection_url import DirectUrl
    from api.database.timeouts import Timeouts
    from infra.branches.identity import BranchIdentity
    from infra.migrate.backfill.definition import Definition
    from infra.migrate.connection import Connection

#: Seconds that replicas may be behind.
_LAG: Final = 10.0

#: How often in a row a pass may find all that is left held by others, and a batch meet a lock.
_FRUITLESS, _TRIES = 5, 30

#: How often a run goes through the table and still finds rows to change: others keep making them.
_PASSES: Final = 10

#: Seconds to wait for a run that has just been killed: its server process ends a moment later.
LOCK_WAIT: Final = 10.0
_LOCK_POLL: Final = 0.25

#: Somebody waits for a lock on the table, who would wait for the next batch, too; or replicas are behind.
_STRAINED: Final = """
    SELECT CASE
        WHEN EXISTS (
            SELECT FROM pg_locks WHERE locktype = 'relation' AND relation = %s AND NOT granted
              AND database = (SELECT oid FROM pg_database WHERE datname = current_database()))
            THEN 'another session waits for a lock on the table'
        WHEN (SELECT max(extract(epoch FROM replay_lag)) FROM pg_stat_replication) > %s
            THEN 'a replica is behind'
    END
"""

_RETRIED: Final = (
    psycopg.errors.LockNotAvailable,
    psycopg.errors.DeadlockDetected,
    psycopg.errors.SerializationFailure,
)


@dataclass(frozen=True, slots=True)
class Progress:
    """Where a run is, after a batch.

    Args:
        position: Of the pass that runs.
        rows: Of the table, as its statistics have it.
        changed: By all runs and passes.
        batch: Rows that the next batch goes through.
    """

    position: Position
    rows: int
    changed: int
    batch: int


def run(
    definition: Definition,
    url: DirectUrl,
    *,
    timeouts: Timeouts,
    expected: BranchIdentity | None,
    announce: Callable[[str], None],
    progress: Callable[[Progress], None],
    pace: Pace,
    again: bool = False,
    lock_wait: float = LOCK_WAIT,
) -> state.State:
    """Run a backfill to its end, from where an earlier run stopped; return what is recorded of it then.

    Args:
        definition: What to change.
        url: The database; a direct one, for the lock under which it runs.
        timeouts: Of each statement.
        expected: The branch that it must be; without one it must be some branch.
        announce: Is told which one it is before anything is changed, and why the run waits.
        progress: Is called after each batch.
        pace: How fast.
        again: Start over, also when it is finished.
        lock_wait: Seconds to wait for another run to end.

    Raises:
        TargetError: It is another branch, or does not say which.
        BackfillInvalidError: The server cannot run the definition, or it was begun as another; nothing was
            changed.
        BackfillRunningError: Another process runs it.
        BackfillEndlessError: The definition's `where` is met by rows that were changed, by those that a
            trigger keeps, or by ever new ones.
        BackfillFailedError: The server refused a batch, or ended the connection.
        BackfillBlockedError: Others hold what is left.
        MigrationError: The database cannot be reached.
    """
    with open_connection(url, timeouts) as connection:
        found = identity.verify(connection, expected)
        announce(f"→ {found}")
        statements = Statements.of(connection, definition)
        try:
            with _alone(connection, definition.name, lock_wait, announce):
                begun = state.begin(connection, definition, statements.relation, again=again)
                _check_same(begun, statements)
                if begun.finished_at is None:
                    _Run(connection, statements, pace, announce, progress, begun.changed).all(begun.position)
                    state.finish(connection, definition.name)
                else:
                    announce("It is finished, and nothing was run; --again starts over")
            return next(each for each in state.states(connection) if each.name == definition.name)
        except psycopg.Error as error:
            said = error.diag.message_primary or " ".join(str(error).split())
            raise BackfillFailedError(
                f"backfill {definition.name}: {said}",
                hint="the batches before it stay; with the cause mended, run it again",
            ) from error


def _check_same(begun: state.State, statements: Statements) -> None:
    after = begun.position.after
    hint = "start over with --again, or choose another name"
    if begun.relation != statements.relation or (after and len(after) != len(statements.key)):
        message = f"backfill {begun.name} was begun on another table or key: {begun.relation}"
        raise BackfillInvalidError(message, hint=hint)
    if begun.definition != statements.definition.digest:
        raise BackfillInvalidError(f"backfill {begun.name} was begun with another set or where", hint=hint)


@contextmanager
def _alone(connection: Connection, name: str, wait: float, announce: Callable[[str], None]) -> Iterator[None]:
    key, end, waits = state.lock_key(name), time.monotonic() + wait, False
    while connection.execute("SELECT pg_try_advisory_lock(%s)", (key,)).fetchone() != (True,):
        if time.monotonic() >= end:
            message = f"backfill {name} is running on this database already"
            raise BackfillRunningError(message, hint="see: bough migrate backfill --list")
        if not waits:
            announce(f"Waiting up to {wait:g} s for another run of this backfill")
            waits = True
        time.sleep(_LOCK_POLL)
    try:
        yield
    finally:
        with suppress(psycopg.Error):
            connection.execute("SELECT pg_advisory_unlock(%s)", (key,))


@dataclass(slots=True)
class _Run:
    connection: Connection
    statements: Statements
    pace: Pace
    announce: Callable[[str], None]
    progress: Callable[[Progress], None]
    changed: int
    size: int = field(init=False)
    waits: str | None = None

    def __post_init__(self) -> None:
        self.size = self.pace.first_size

    def all(self, position: Position) -> None:
        """Go through the table until a pass has found nothing to change and nothing that others hold."""
        fruitless = 0
        for passes in itertools.count(1):
            position = self._pass(position)
            if not position.changed and not position.skipped:
                return
            if passes >= _PASSES and position.changed:
                raise self._endless()
            fruitless = 0 if position.changed else fruitless + 1
            if fruitless == _FRUITLESS:
                raise self._blocked(
                    f"{position.skipped} rows of {self.statements.relation} are locked by other sessions"
                )
            if position.skipped:
                self._wait(f"other sessions have locked {position.skipped} rows")
            position = Position(position.pass_ + 1)

    def _pass(self, position: Position) -> Position:
        tries = 0
        while True:
            self._wait_while_strained()
            began = time.monotonic()
            try:
                after = self._batch(position)
            except _RETRIED as error:
                tries += 1
                if tries == _TRIES:
                    raise self._blocked(f"{self.statements.relation} is locked by other sessions") from error
                self.size = max(self.size // 2, SMALLEST)
                self._wait(error.diag.message_primary or "a lock was not to be had")
                continue
            tries = 0
            if after is None:
                return position
            seconds = time.monotonic() - began
            rows, position = after.seen - position.seen, after
            # The last of a pass says nothing: it was cut short by the table's end.
            if rows == self.size:
                self.size = self.pace.next_size(self.size, seconds)
            self.waits = None
            self.progress(Progress(position, self.statements.rows, self.changed, self.size))
            time.sleep(self.pace.rest(rows, seconds))

    def _batch(self, position: Position) -> Position | None:
        """Run one batch; return where it came to, `None` at the table's end."""
        name = self.statements.definition.name
        with self.connection.transaction():
            end = self.statements.end_of_batch(self.connection, position.after, self.size)
            if end is None:
                return None
            key, rows = end
            change = self.statements.change(self.connection, position.after, key)
            if change.again or change.kept:
                raise _endless(self.statements, change)
            reached = replace(
                position,
                after=key,
                seen=position.seen + rows,
                changed=position.changed + change.changed,
                skipped=position.skipped + change.skipped,
            )
            state.advance(self.connection, name, reached, change.changed)
        self.changed += change.changed
        return reached

    def _wait_while_strained(self) -> None:
        while True:
            row = self.connection.execute(_STRAINED, (self.statements.oid, _LAG)).fetchone()
            if row is None or row[0] is None:
                return
            self._wait(row[0])

    def _blocked(self, why: str) -> BackfillBlockedError:
        message = f"backfill {self.statements.definition.name}: {why}; what it changed stays"
        return BackfillBlockedError(message, hint="end their transactions, and run this again")

    def _endless(self) -> BackfillEndlessError:
        name = self.statements.definition.name
        message = f"backfill {name}: after {_PASSES} passes there are still new rows that meet its where"
        return BackfillEndlessError(
            message, hint="let the code be live first that writes them as they shall be"
        )

    def _wait(self, why: str) -> None:
        if why != self.waits:
            self.announce(f"Waiting: {why}")
            self.waits = why
        time.sleep(self.pace.patience)


def _endless(statements: Statements, change: Change) -> BackfillEndlessError:
    what, hint = (
        f"{change.again} rows still meet its where after they were changed",
        "let where say what is left to do, so that running it again changes nothing",
    )
    if change.kept:
        what = f"a trigger keeps {change.kept} rows as they are"
        hint = "let where leave these rows out, or the trigger let them through"
    return BackfillEndlessError(f"backfill {statements.definition.name}: {what}", hint=hint)
