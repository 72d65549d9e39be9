"""Runs a revision's statements, and goes on where an earlier run of it was interrupted.

A revision with an autocommit block is not one transaction: what comes before the block is committed with
it, and each statement in it by itself. A runner that is killed then leaves half a revision, and running
that again from its beginning would fail at "already exists". So every statement that is committed before
its revision ends is noted: those before the block in their own transaction, one in the block before it
runs and again after it. The next try goes through the same Python code and leaves out what is noted as
done. See docs/decisions/0016-half-applied-revisions.md.
"""

from __future__ import annotations

import hashlib
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any, Final

import psycopg
import sqlalchemy as sa
from psycopg import errors

from infra.migrate import invalid_indexes, progress
from infra.migrate.connection import unobserved
from infra.migrate.errors import IndexNotValidError
from infra.migrate.linting.scanner import scan
from infra.migrate.origin import origin
from infra.migrate.progress import State, Step

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from infra.migrate.connection import Connection
    from infra.migrate.history import Revision
    from infra.migrate.invalid_indexes import InvalidIndex


#: These are run again each time: they ask for something, or set up the session.
_ASKS: Final = {"SELECT", "SHOW", "VALUES", "TABLE", "EXPLAIN", "SET", "RESET"}
_CHANGES_ROWS: Final = {"INSERT", "UPDATE", "DELETE", "MERGE"}
_COMMITS: Final = {"COMMIT", "END"}

#: While these, CONCURRENTLY, wait for a lock, nobody's reads and writes wait behind them; an hour's work
#: may be lost when they give up.
_PATIENT: Final = {"CREATE", "DROP", "REINDEX"}

_IS_THERE: Final = (
    errors.DuplicateTable,
    errors.DuplicateColumn,
    errors.DuplicateObject,
    errors.DuplicateSchema,
    errors.DuplicateFunction,
)
_IS_GONE: Final = (
    errors.UndefinedTable,
    errors.UndefinedColumn,
    errors.UndefinedObject,
    errors.UndefinedFunction,
    errors.InvalidSchemaName,
)
#: What PostgreSQL answers to a statement whose work is done already, by its first word.
_DONE_ALREADY: Final = {"CREATE": _IS_THERE, "DROP": _IS_GONE, "ALTER": (*_IS_THERE, *_IS_GONE)}


class Replay:
    """Follows what Alembic runs of a plan, statement by statement."""

    def __init__(
        self,
        connection: Connection,
        left: Sequence[Revision],
        *,
        undoing: bool,
        dropped: list[str],
        announce: Callable[[str], None],
    ) -> None:
        """Read what was done before.

        Args:
            connection: The raw one, in autocommit; SQLAlchemy has it afterwards.
            left: Of the plan.
            undoing: Whether the revisions are undone.
            dropped: Names of invalid indexes that were dropped are added to it.
            announce: Is told which.
        """
        self._connection, self._left, self._undoing = connection, list(left), undoing
        self._dropped, self._announce = dropped, announce
        self._noted = progress.load(connection)
        self._prepared = False
        self._begin()

    def follow(self, lent: sa.Connection) -> None:
        """Stand between a connection and the server from now on."""
        sa.event.listen(lent.engine, "do_execute", self._execute)
        sa.event.listen(lent.engine, "do_executemany", self._execute_many)
        sa.event.listen(lent.engine, "do_execute_no_params", self._execute_without)
        sa.event.listen(lent, "commit", self._committing)

    def finished(self) -> None:
        """End the revision, in the transaction that records it as applied or undone.

        Raises:
            RevisionHalfAppliedError: An earlier run had done more than the revision now has.
        """
        revision = self._left.pop(0)
        if any(position >= self._position for position in self._steps):
            what = f"it has only {self._position} statements now"
            raise progress.other_than_before(revision.id, len(self._steps), what)
        if self._steps:
            progress.forget(self._connection, revision.id)
        self._begin()

    def _begin(self) -> None:
        self._position = 0
        #: Statements of the open transaction.
        self._pending: dict[int, Step] = {}
        self._steps = self._noted[self._left[0].id] if self._left else {}

    def _execute(self, cursor: Any, statement: str, parameters: Any, context: Any) -> bool:
        return self._handle(cursor, statement, context, partial(cursor.execute, statement, parameters))

    def _execute_many(self, cursor: Any, statement: str, parameters: Any, context: Any) -> bool:
        return self._handle(cursor, statement, context, partial(cursor.executemany, statement, parameters))

    def _execute_without(self, cursor: Any, statement: str, context: Any) -> bool:
        return self._handle(cursor, statement, context, partial(cursor.execute, statement))

    def _handle(self, cursor: Any, statement: str, context: Any, run: Callable[[], object]) -> bool:
        with unobserved(self._connection):
            return self._deal_with(cursor, statement, context, run)

    def _deal_with(self, cursor: Any, statement: str, context: Any, run: Callable[[], object]) -> bool:
        """Run a statement or leave it out; return whether it is dealt with, as SQLAlchemy's events do."""
        found = origin(self._left[0].path) if self._left else None
        first = _kind(statement)
        if found is None or first in _ASKS:
            return False
        position, self._position = self._position, self._position + 1
        known = self._known(position, _digest(statement), found.line)
        if known is not None and known.state is State.DONE:
            context._rowcount = known.row_count  # noqa: SLF001  results have no public way to a count
        elif self._connection.autocommit and first in _CHANGES_ROWS:
            # Twice would be once too often, and nothing forbids it a transaction.
            with self._connection.transaction():
                run()
                self._note(position, Step(_digest(statement), State.DONE, _count(cursor)))
        elif self._connection.autocommit:
            self._run_alone(position, statement, known, cursor, run)
        else:
            done = Step(_digest(statement), State.DONE, row_count=-1)
            if first in _COMMITS:
                self._pending[position] = done
                self._note_pending()
                run()
            else:
                run()
                self._pending[position] = replace(done, row_count=_count(cursor))
        return True

    def _known(self, position: int, digest: str, line: int | None) -> Step | None:
        """Return what is noted of the statement that comes now."""
        step = self._steps.get(position)
        # What failed, changed nothing, and may have been mended.
        if step is None or (step.state is State.FAILED and step.digest != digest):
            return None
        what = None
        if step.digest != digest:
            what = "is not the one that ran then"
        elif step.state is State.DONE and step.row_count is None:
            what = "returned rows, which are gone"
        if what is not None:
            revision = self._left[0]
            place = f"its statement {position + 1} ({revision.path.name}, line {line}) {what}"
            raise progress.other_than_before(revision.id, len(self._steps), place)
        return step

    def _run_alone(
        self, position: int, statement: str, known: Step | None, cursor: Any, run: Callable[[], object]
    ) -> None:
        """Run a statement that is committed by itself."""
        words = [token.word for token in scan(statement)]
        first = words[0] if words else ""
        patient = first in _PATIENT and "CONCURRENTLY" in words
        invalid = invalid_indexes.find(self._connection) if patient else ()
        step = known or Step(
            _digest(statement), State.RUNNING, invalid_before=tuple(index.oid for index in invalid)
        )
        with self._without_lock_timeout() if patient else nullcontext():
            self._drop(invalid_indexes.in_the_way(statement, invalid, step.invalid_before))
            self._note(position, replace(step, state=State.RUNNING))
            try:
                run()
                count = _count(cursor)
            except psycopg.Error as error:
                # Interrupted before: this time it may only find what it had done then.
                interrupted = known is not None and known.state is State.RUNNING
                if not (interrupted and isinstance(error, _DONE_ALREADY.get(first, ()))):
                    with suppress(psycopg.Error):
                        self._note(position, replace(step, state=State.FAILED))
                    raise
                count = -1
        if patient:
            self._require_valid(statement)
        self._note(position, replace(step, state=State.DONE, row_count=count))

    def _committing(self, _lent: sa.Connection) -> None:
        with unobserved(self._connection):
            self._note_pending()

    def _note_pending(self) -> None:
        """Note the open transaction's statements in it: it is committed before the revision ends."""
        for position, step in self._pending.items():
            self._note(position, step)
        self._pending = {}

    def _note(self, position: int, step: Step) -> None:
        if not self._prepared:
            progress.prepare(self._connection)
            self._prepared = True
        progress.note(self._connection, self._left[0].id, position, step, undoing=self._undoing)
        self._steps[position] = step

    def _drop(self, indexes: Sequence[InvalidIndex]) -> None:
        for index in indexes:
            self._announce(f"Dropping index {index.schema}.{index.name}, which is not valid")
            invalid_indexes.drop(self._connection, index)
            self._dropped.append(f"{index.schema}.{index.name}")

    def _require_valid(self, statement: str) -> None:
        for index in invalid_indexes.find(self._connection):
            if invalid_indexes.is_built_by(statement, index):
                message = f"index {index.schema}.{index.name} is there, but not valid"
                hint = "somebody else was building it; run this again when they have ended"
                raise IndexNotValidError(message, revision=self._left[0].id, hint=hint)

    @contextmanager
    def _without_lock_timeout(self) -> Iterator[None]:
        """Let a statement wait for locks for as long as it may run."""
        row = self._connection.execute("SELECT current_setting('lock_timeout')").fetchone()
        self._connection.execute("SELECT set_config('lock_timeout', '0', false)")
        try:
            yield
        finally:
            with suppress(psycopg.Error):
                self._connection.execute("SELECT set_config('lock_timeout', %s, false)", row)


def _kind(statement: str) -> str:
    """Return the word that says what a statement does; of one that begins with WITH it comes later."""
    words = (token.word for token in scan(statement))
    first = next(words, "")
    return next((word for word in words if word in _CHANGES_ROWS), "SELECT") if first == "WITH" else first


def _digest(statement: str) -> str:
    return hashlib.sha256(statement.encode()).hexdigest()


def _count(cursor: Any) -> int | None:
    """Return the rows that a statement changed, -1 where it has no count, `None` where it returned some."""
    return int(cursor.rowcount) if cursor.description is None else None
