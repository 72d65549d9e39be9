"""How far a revision came that commits in the middle: `bough_progress` in the target database."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from infra.migrate import records
from infra.migrate.connection import has_table
from infra.migrate.errors import RevisionHalfAppliedError

if TYPE_CHECKING:
    from collections.abc import Collection

    from infra.migrate.connection import Connection


class State(StrEnum):
    """What is known of a statement that was begun."""

    RUNNING = "running"
    FAILED = "failed"
    DONE = "done"


@dataclass(frozen=True, slots=True)
class Step:
    """A statement of a revision.

    Args:
        digest: Of its text, without parameters.
        state: `RUNNING` also when whoever ran it was interrupted: then it may have been done.
        row_count: As the driver counted; `None` when it returned rows, which are gone.
        invalid_before: Oids of the indexes that were invalid before it was first tried.
    """

    digest: str
    state: State
    row_count: int | None = None
    invalid_before: tuple[int, ...] = ()


def load(connection: Connection) -> dict[str, dict[int, Step]]:
    """Return what is noted, by revision and by position from 0."""
    found: defaultdict[str, dict[int, Step]] = defaultdict(dict)
    if has_table(connection, "bough_progress"):
        rows = connection.execute(
            "SELECT revision, position, statement, state, row_count, invalid_before FROM bough_progress"
        )
        for revision, position, digest, state, count, invalid in rows:
            found[revision][position] = Step(digest, State(state), count, tuple(invalid))
    return found


def done(connection: Connection, revision: str) -> int:
    """Return how many statements of a revision that has not ended are done for good."""
    return sum(step.state is State.DONE for step in load(connection)[revision].values())


def prepare(connection: Connection) -> None:
    """Make the table if need be; in the connection's transaction, if it is in one."""
    if not has_table(connection, "bough_progress"):
        records.make_tables(connection)


def note(connection: Connection, revision: str, position: int, step: Step, *, undoing: bool) -> None:
    """Write down a statement, or how it stands now; in the connection's transaction, if it is in one."""
    connection.execute(
        "INSERT INTO bough_progress VALUES (%s, %s, %s, %s, %s, %s, %s::oid[])"
        " ON CONFLICT (revision, position) DO UPDATE SET statement = excluded.statement,"
        " state = excluded.state, row_count = excluded.row_count, invalid_before = excluded.invalid_before",
        (revision, position, undoing, step.digest, step.state, step.row_count, list(step.invalid_before)),
    )


def forget(connection: Connection, revision: str) -> None:
    """Delete what is noted of a revision, because it has ended."""
    connection.execute("DELETE FROM bough_progress WHERE revision = %s", (revision,))


def check(connection: Connection, applied: Collection[str], *, undoing: bool) -> None:
    """Refuse to go the other way than a revision that is half done; forget what others have ended.

    Raises:
        RevisionHalfAppliedError: It was begun upwards and shall be left out downwards, or the reverse.
    """
    if not has_table(connection, "bough_progress"):
        return
    rows = connection.execute("SELECT DISTINCT revision, undoing FROM bough_progress").fetchall()
    for revision, was_undoing in rows:
        if (revision in applied) is not was_undoing:
            # Plain Alembic has finished it meanwhile.
            forget(connection, revision)
        elif was_undoing is not undoing:
            state = "half undone" if was_undoing else "half applied"
            finish = "bough migrate rollback" if was_undoing else "bough migrate apply"
            message = f"revision {revision} is {state}: a run was interrupted in the middle of it"
            hint = f"finish it first with: {finish}; or {_by_hand(revision)}"
            raise RevisionHalfAppliedError(message, revision=revision, hint=hint)


def other_than_before(revision: str, begun: int, what: str) -> RevisionHalfAppliedError:
    """Return the error for a revision that is not what it was when a run was interrupted in it."""
    message = f"revision {revision} was interrupted at its statement {begun}, and cannot be continued: {what}"
    hint = f"make the file again what it was and run this again; or {_by_hand(revision)}"
    return RevisionHalfAppliedError(message, revision=revision, hint=hint)


def _by_hand(revision: str) -> str:
    return f"undo by hand what it has done, and delete its rows ({revision}) from bough_progress"
