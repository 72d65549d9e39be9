"""What the server says about a session and its relations, in one round trip and one JSON value.

A plain role may ask all of it. Outside a transaction nothing stays open after it.

Scans and changed rows are what the statistics hold plus what the session has not handed in yet: the sum
is right whenever that happens, and has the rows that parallel workers read, who hand in theirs when
they end. The statistics are read anew each time; a transaction would otherwise keep its first copy.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from infra.migrate.connection import ask

if TYPE_CHECKING:
    from infra.migrate.connection import Connection

#: Tables and views, and the indexes and sequences of tables. TOAST is left out: it goes with its table.
_KINDS: Final = "'r', 'p', 'm', 'f', 'v', 'i', 'I', 'S'"

_COUNTERS: Final = """
    pg_relation_filenode(c.oid),
    CASE WHEN c.relkind IN ('r', 'm')
        THEN pg_stat_get_numscans(c.oid) + pg_stat_get_xact_numscans(c.oid) ELSE 0 END,
    CASE WHEN c.relkind IN ('r', 'm')
        THEN pg_stat_get_tuples_returned(c.oid) + pg_stat_get_xact_tuples_returned(c.oid) ELSE 0 END,
    CASE WHEN c.relkind = 'm' THEN 0 ELSE
        pg_stat_get_tuples_inserted(c.oid) + pg_stat_get_xact_tuples_inserted(c.oid)
        + pg_stat_get_tuples_updated(c.oid) + pg_stat_get_xact_tuples_updated(c.oid)
        + pg_stat_get_tuples_deleted(c.oid) + pg_stat_get_xact_tuples_deleted(c.oid) END
"""

_WAL: Final = "(pg_current_wal_insert_lsn() - '0/0')::bigint"

# 16384 is the first OID that is not the system's own.
_SESSION: Final = f"""
    WITH fresh AS MATERIALIZED (SELECT pg_stat_clear_snapshot()),
    held AS MATERIALIZED (
        SELECT relation, mode FROM pg_locks
        WHERE pid = pg_backend_pid() AND locktype = 'relation' AND granted AND relation >= 16384::oid
          AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
    )
    SELECT json_build_array(
        {_WAL},
        (SELECT coalesce(json_agg(json_build_array(relation::bigint, mode)), '[]') FROM held),
        (SELECT coalesce(json_agg(json_build_array(c.oid::bigint, {_COUNTERS})), '[]')
         FROM pg_class AS c WHERE c.oid IN (SELECT relation FROM held) AND c.relkind IN ({_KINDS}))
    ) FROM fresh
"""  # noqa: S608  nothing in it comes from outside

_DATABASE: Final = f"""
    WITH fresh AS MATERIALIZED (SELECT pg_stat_clear_snapshot()),
    relation AS MATERIALIZED (
        SELECT c.oid::bigint AS oid,
            quote_ident(n.nspname) || '.' || quote_ident(c.relname) AS name,
            coalesce(i.indrelid, d.refobjid)::bigint AS owner,
            CASE WHEN c.relkind <> 'i' THEN h.inhparent::bigint END AS parent,
            c.relkind = 'i' AND NOT i.indisvalid AS invalid,
            json_build_array(c.oid::bigint, {_COUNTERS}) AS counters
        FROM pg_class AS c
        JOIN pg_namespace AS n ON n.oid = c.relnamespace
        LEFT JOIN pg_index AS i ON i.indexrelid = c.oid
        LEFT JOIN pg_depend AS d ON c.relkind = 'S' AND d.classid = 'pg_class'::regclass AND d.objid = c.oid
            AND d.refclassid = 'pg_class'::regclass AND d.deptype IN ('a', 'i')
        LEFT JOIN pg_inherits AS h ON h.inhrelid = c.oid AND c.relispartition
        JOIN pg_class AS t ON t.oid = coalesce(i.indrelid, d.refobjid, c.oid)
        WHERE c.relkind IN ({_KINDS}) AND c.relpersistence <> 't' AND c.oid >= 16384::oid
          AND n.nspname NOT IN ('information_schema', 'pg_catalog', 'pg_toast')
          AND t.relname <> 'alembic_version' AND NOT starts_with(t.relname, 'bough_')
    )
    SELECT json_build_array(
        {_WAL},
        pg_database_size(current_database()),
        (SELECT coalesce(json_agg(json_build_array(oid, name, owner, parent, invalid)), '[]') FROM relation),
        (SELECT coalesce(json_agg(counters), '[]') FROM relation)
    ) FROM fresh
"""  # noqa: S608  nothing in it comes from outside


@dataclass(frozen=True, slots=True)
class Relation:
    """Something that can be locked.

    Args:
        name: Qualified, quoted where SQL needs it.
        owner: OID of the table that an index is on, or a sequence belongs to.
        parent: OID of the table that a partition is of.
        invalid: An index that CREATE INDEX CONCURRENTLY left unfinished.
    """

    name: str
    owner: int | None
    parent: int | None
    invalid: bool


@dataclass(frozen=True, slots=True)
class Counters:
    """What changes at one relation.

    Args:
        file: Its file node; another one means that it was written anew. `None` for one without a file.
        scans: Sequential scans begun.
        read: Rows that those returned.
        changed: Rows inserted, updated and deleted, rolled back ones too; nobody waits for those of a
            materialized view.
    """

    file: int | None
    scans: int
    read: int
    changed: int


@dataclass(frozen=True, slots=True)
class SessionReading:
    """A session inside a transaction: what it holds, and counters of the relations that it has locked."""

    wal: int
    locks: frozenset[tuple[int, str]]
    counters: dict[int, Counters]


@dataclass(frozen=True, slots=True)
class DatabaseReading:
    """A database: its size in bytes, and all its relations by OID, the kit's own left out."""

    wal: int
    size: int
    relations: dict[int, Relation]
    counters: dict[int, Counters]


def read_session(connection: Connection) -> SessionReading:
    """Read what the session of this connection holds.

    Raises:
        MeasurementError: The server refused; inside a transaction, that is then aborted.
    """
    wal, locks, counters = ask(connection, _SESSION)
    return SessionReading(wal, frozenset((oid, mode) for oid, mode in locks), _counters(counters))


def read_database(connection: Connection) -> DatabaseReading:
    """Read the database; outside a transaction.

    Raises:
        MeasurementError: The server refused.
    """
    wal, size, relations, counters = ask(connection, _DATABASE)
    found = {oid: Relation(*values) for oid, *values in relations}
    return DatabaseReading(wal, size, found, _counters(counters))


def _counters(rows: list[list[Any]]) -> dict[int, Counters]:
    return {oid: Counters(*values) for oid, *values in rows}
