"""Indexes that an interrupted CONCURRENTLY left behind: no query uses them, every write keeps them up.

`CREATE INDEX CONCURRENTLY IF NOT EXISTS` takes one for the index that it was asked for, and succeeds.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from psycopg import sql

from infra.migrate.linting.cursor import Cursor
from infra.migrate.linting.scanner import Kind, scan

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from infra.migrate.connection import Connection

#: What REINDEX CONCURRENTLY appends to the name of an index that it builds or replaces.
_TRANSIENT: Final = re.compile(r"_cc(new|old)\d*$")

# Those of constraints and of partitioned tables are invalid for other reasons, and not to be dropped
# alone. Whoever builds one concurrently holds SHARE UPDATE EXCLUSIVE on its table from beginning to end;
# of another role's progress only the process is shown.
_FIND: Final = """
    SELECT indexrelid, index_schema.nspname, index.relname, relation.relname,
           EXISTS (
               SELECT FROM pg_locks WHERE relation = indrelid AND granted AND pid <> pg_backend_pid()
                 AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
                 AND mode = 'ShareUpdateExclusiveLock'
                 AND pid IN (SELECT progress.pid FROM pg_stat_progress_create_index AS progress)
           )
    FROM pg_index
    JOIN pg_class AS index ON index.oid = indexrelid
    JOIN pg_class AS relation ON relation.oid = indrelid
    JOIN pg_namespace AS index_schema ON index_schema.oid = index.relnamespace
    WHERE NOT (indisvalid AND indisready AND indislive)
      AND index.relkind = 'i' AND NOT index.relispartition
      AND NOT EXISTS (SELECT FROM pg_constraint WHERE conindid = indexrelid)
    ORDER BY indexrelid
"""


@dataclass(frozen=True, slots=True)
class InvalidIndex:
    """An index that is not valid.

    Args:
        oid: Its own.
        schema: The name of its schema, not quoted.
        name: Its own, not quoted.
        table: The name of its table, not quoted.
        busy: Somebody else builds an index of its table at the moment, perhaps this one.
    """

    oid: int
    schema: str
    name: str
    table: str
    busy: bool


def find(connection: Connection) -> tuple[InvalidIndex, ...]:
    """Return the invalid indexes that can be dropped alone: of no constraint, of no partitioned table."""
    return tuple(InvalidIndex(*row) for row in connection.execute(_FIND))


def drop(connection: Connection, index: InvalidIndex) -> None:
    """Drop one without blocking its table's readers and writers; the connection is in autocommit."""
    name = sql.Identifier(index.schema, index.name)
    connection.execute(sql.SQL("DROP INDEX CONCURRENTLY IF EXISTS {}").format(name))


def in_the_way(
    statement: str, found: Iterable[InvalidIndex], before: Collection[int]
) -> tuple[InvalidIndex, ...]:
    """Return those that a statement must not meet: of the name that it gives, or left by itself.

    Args:
        statement: A CONCURRENTLY statement.
        found: All that there are now.
        before: Oids of those that there were before it was first tried.
    """
    names = {token.name for token in scan(statement) if token.kind in {Kind.WORD, Kind.QUOTED}}
    return tuple(
        index
        for index in found
        if not index.busy
        and (
            is_built_by(statement, index)
            or (index.oid not in before and names & {index.table, index.name, _TRANSIENT.sub("", index.name)})
        )
    )


def is_built_by(statement: str, index: InvalidIndex) -> bool:
    """Tell whether a statement builds an index of this name, on this table, concurrently.

    A name that PostgreSQL chooses is not in the statement, and never meets one that exists.
    """
    cursor = Cursor(tuple(scan(statement)))
    cursor.take("CREATE")
    cursor.take("UNIQUE")
    if not cursor.take("INDEX", "CONCURRENTLY"):
        return False
    cursor.skip_if_exists()
    if cursor.name() != index.name or not cursor.take("ON"):
        return False
    cursor.take("ONLY")
    return cursor.relation().rpartition(".")[2] == index.table
