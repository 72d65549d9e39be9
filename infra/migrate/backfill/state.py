"""How far backfills have come: rows of `bough_backfill`, written in the transactions that change the rows."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from infra.migrate import records
from infra.migrate.connection import has_table

if TYPE_CHECKING:
    from datetime import datetime

    from infra.migrate.backfill.definition import Definition
    from infra.migrate.backfill.statements import Key
    from infra.migrate.connection import Connection


@dataclass(frozen=True, slots=True)
class Position:
    """Where a backfill is.

    Args:
        pass_: From 1: the table is gone through until nothing is left to change.
        after: The last key of this pass that is done; `None` at its start.
        seen: Rows that this pass has gone through.
        changed: Rows that it has changed.
        skipped: Rows that it had to leave, because others held them.
    """

    pass_: int = 1
    after: Key | None = None
    seen: int = 0
    changed: int = 0
    skipped: int = 0


@dataclass(frozen=True, slots=True)
class State:
    """What is recorded of a backfill.

    Args:
        name: The definition's.
        relation: The table's qualified name.
        definition: Digest of the definition that it was begun with.
        position: Where it is.
        changed: Rows that all passes have changed.
        started_at: With time zone, as the others.
        updated_at: When the last batch was committed.
        finished_at: `None` until nothing was left.
        is_running: Whether a process holds its lock.
    """

    name: str
    relation: str
    definition: str
    position: Position
    changed: int
    started_at: datetime
    updated_at: datetime
    finished_at: datetime | None
    is_running: bool


_STATES: Final = """
    SELECT name, relation, position ->> 'definition', position, rows_done, started_at, updated_at, finished_at
    FROM bough_backfill ORDER BY name
"""

_RUNNING: Final = """
    SELECT (classid::bigint << 32) + objid::bigint FROM pg_locks
    WHERE locktype = 'advisory' AND granted AND objsubid = 1
      AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
"""


def lock_key(name: str) -> int:
    """Return the key of the advisory lock under which a backfill runs."""
    digest = hashlib.sha256(f"bough/backfill/{name}".encode()).digest()
    return int.from_bytes(digest[:8], "big", signed=True)


def states(connection: Connection) -> tuple[State, ...]:
    """Return what is recorded of all backfills of a database, by name."""
    if not has_table(connection, "bough_backfill"):
        return ()
    running = {key for (key,) in connection.execute(_RUNNING)}
    # Binary: as text, times have any form that the role's DateStyle asks for.
    rows = connection.execute(_STATES, binary=True)
    return tuple(
        State(
            name,
            relation,
            definition,
            _position(position),
            changed,
            started,
            updated,
            finished,
            lock_key(name) in running,
        )
        for name, relation, definition, position, changed, started, updated, finished in rows
    )


def begin(connection: Connection, definition: Definition, relation: str, *, again: bool) -> State:
    """Return where to go on, and take down that it was begun if it was not; `again` starts over."""
    records.make_tables(connection)
    with connection.transaction():
        if again:
            connection.execute("DELETE FROM bough_backfill WHERE name = %s", (definition.name,))
        connection.execute(
            "INSERT INTO bough_backfill (name, relation, position) VALUES (%s, %s, %s)"
            " ON CONFLICT DO NOTHING",
            (definition.name, relation, json.dumps({"definition": definition.digest})),
        )
    return next(state for state in states(connection) if state.name == definition.name)


def advance(connection: Connection, name: str, position: Position, changed: int) -> None:
    """Take down a batch, inside its transaction."""
    document = {
        "pass": position.pass_,
        "after": position.after,
        "seen": position.seen,
        "changed": position.changed,
        "skipped": position.skipped,
    }
    connection.execute(
        "UPDATE bough_backfill SET position = position || %s, rows_done = rows_done + %s,"
        " updated_at = clock_timestamp() WHERE name = %s",
        (json.dumps(document), changed, name),
    )


def finish(connection: Connection, name: str) -> None:
    """Take down that nothing is left to change."""
    connection.execute(
        "UPDATE bough_backfill SET updated_at = now(), finished_at = now() WHERE name = %s", (name,)
    )


def _position(document: dict[str, object]) -> Position:
    if "pass" not in document:
        return Position()
    after = document["after"]
    numbers = {name: int(str(document[name])) for name in ("seen", "changed", "skipped")}
    key = tuple(str(value) for value in after) if isinstance(after, list) else None
    return Position(int(str(document["pass"])), key, **numbers)
