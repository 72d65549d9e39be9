"""What fills a copied schema: the kit's own records, the tables' sizes, and rows where they are wanted."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from psycopg import sql

from infra.migrate.rehearsal import references

if TYPE_CHECKING:
    from infra.migrate.connection import Connection

#: What says where the database is, how far an interrupted run came, and which code is live.
_BOOKKEEPING: Final = ("alembic_version", "bough_revision", "bough_progress", "bough_release")

#: As pg_dump has it: a database or role may have set that values are written as no other reads them.
_ALIKE: Final = """
    SET client_encoding = 'UTF8';
    SET datestyle = ISO;
    SET intervalstyle = postgres;
    SET extra_float_digits = 1
"""

_FEWEST_PAGES: Final = 50

# Three constants, which ruff takes for values.
_OURS: Final = "nspname !~ '^pg_' AND nspname <> 'information_schema'"

#: Tables with rows of their own: a partitioned one's are in its partitions. Those of extensions are theirs.
_TABLES: Final = f"""
    SELECT nspname, relname, reltuples, relpages,
        ARRAY(
            SELECT attname::text FROM pg_attribute
            WHERE attrelid = pg_class.oid AND attnum > 0 AND NOT attisdropped AND attgenerated = ''
            ORDER BY attnum
        )
    FROM pg_class JOIN pg_namespace ON pg_namespace.oid = relnamespace
    WHERE relkind = 'r' AND relpersistence <> 't' AND {_OURS} AND NOT EXISTS (
        SELECT FROM pg_depend
        WHERE classid = 'pg_class'::regclass AND objid = pg_class.oid AND deptype = 'e'
    )
"""  # noqa: S608  see above
_SIZES: Final = f"""
    SELECT nspname, relname, relpages, reltuples
    FROM pg_class JOIN pg_namespace ON pg_namespace.oid = relnamespace
    WHERE relkind IN ('r', 'p', 'm', 'i') AND relpersistence <> 't' AND {_OURS}
"""  # noqa: S608  see above
_VIEWS: Final = """
    SELECT format('%I.%I', nspname, relname), relispopulated
    FROM pg_class JOIN pg_namespace ON pg_namespace.oid = relnamespace
    WHERE relkind = 'm' ORDER BY pg_class.oid
"""
_SEQUENCES: Final = """
    SELECT schemaname, sequencename, last_value FROM pg_sequences WHERE last_value IS NOT NULL
"""


def fill(source: Connection, copy: Connection, most: int) -> None:
    """Fill a copied schema.

    Args:
        source: Where it comes from.
        copy: As its superuser.
        most: Rows of each table that are copied, besides the kit's records.
    """
    for connection in (source, copy):
        connection.execute(_ALIKE)
    _copy_bookkeeping(source, copy)
    if most:
        _copy_rows(source, copy, most)
    _fill_views(source, copy)
    _copy_sizes(source, copy)


def _copy_bookkeeping(source: Connection, copy: Connection) -> None:
    """Copy the kit's records, and how far sequences have come."""
    for schema, name, _rows, _pages, columns in _tables(source, copy):
        if name in _BOOKKEEPING:
            _copy(source, copy, (schema, name), columns, sql.SQL(""))
    for schema, name, last in source.execute(_SEQUENCES).fetchall():
        copy.execute(
            "SELECT setval(known, %s) FROM to_regclass(format('%%I.%%I', %s::text, %s::text)) AS known"
            " WHERE known IS NOT NULL",
            (last, schema, name),
        )


def _tables(source: Connection, copy: Connection) -> list[tuple[str, str, float, int, list[str]]]:
    """Return the tables of the source that the copy has too: those that are made meanwhile it has not."""
    known = {(schema, name) for schema, name, *_ in copy.execute(_TABLES)}
    return [row for row in source.execute(_TABLES).fetchall() if row[:2] in known]


def _copy_sizes(source: Connection, copy: Connection) -> None:
    """Give every table and index of the copy the size that the source's planner knows."""
    for schema, name, pages, rows in source.execute(_SIZES).fetchall():
        copy.execute(
            "SELECT pg_restore_relation_stats('schemaname', %s::text, 'relname', %s::text,"
            " 'relpages', %s::integer, 'reltuples', %s::real)"
            # What was made since, and the mark, which is the source's alone.
            " WHERE to_regclass(format('%%I.%%I', %s::text, %s::text)) IS NOT NULL",
            (schema, name, pages, rows, schema, name),
        )


def _copy_rows(source: Connection, copy: Connection, most: int) -> None:
    """Copy up to `most` rows of each table, small tables whole, and besides the rows that they refer to.

    Nothing is locked at the source but as a read does, and of a large table only some pages are read.
    """
    copy.execute("SET session_replication_role = replica")
    for schema, name, rows, pages, columns in _tables(source, copy):
        if columns and name not in _BOOKKEEPING and not name.startswith("bough_"):
            _copy(source, copy, (schema, name), columns, _part(rows, pages, most))
    references.complete(source, copy)
    copy.execute("RESET session_replication_role")


def _fill_views(source: Connection, copy: Connection) -> None:
    """Fill the materialized views that the source has filled."""
    filled = {name for name, is_filled in source.execute(_VIEWS).fetchall() if is_filled}
    # In the order of making, which pg_dump takes from what depends on what.
    for name, is_filled in copy.execute(_VIEWS).fetchall():
        if name in filled and not is_filled:
            copy.execute(sql.SQL("REFRESH MATERIALIZED VIEW {}").format(sql.SQL(name)))


def _part(rows: float, pages: int, most: int) -> sql.Composed:
    """Return what limits a table to so many of its rows, of which it was last counted to have so many."""
    limit = sql.SQL("LIMIT {}").format(sql.Literal(most))
    # Pages are chosen by chance: of twice as many as are needed, and no few, some have rows.
    percent = max(200 * most / rows, 100 * _FEWEST_PAGES / pages) if rows > 0 and pages > 0 else 100
    if percent >= 100:  # noqa: PLR2004  all of it
        return limit
    return sql.SQL("TABLESAMPLE SYSTEM ({}) {}").format(sql.Literal(percent), limit)


def _copy(
    source: Connection, copy: Connection, table: tuple[str, str], columns: list[str], part: sql.Composable
) -> None:
    names = sql.SQL(", ").join(map(sql.Identifier, columns))
    relation = sql.Identifier(*table)
    read = sql.SQL("COPY (SELECT {} FROM ONLY {} {}) TO STDOUT").format(names, relation, part)
    write = sql.SQL("COPY {} ({}) FROM STDIN").format(relation, names)
    with source.cursor().copy(read) as reading, copy.cursor().copy(write) as writing:
        for block in reading:
            writing.write(block)
