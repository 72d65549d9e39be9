"""How many rows each table has, as the planner estimates them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from infra.migrate.errors import MeasurementError
from infra.migrate.rehearsal.readings import ask

if TYPE_CHECKING:
    from infra.migrate.connection import Connection

# As the planner does: the density of the last ANALYZE, on the pages that there are now.
_ESTIMATES: Final = """
    SELECT coalesce(json_agg(json_build_array(
        c.oid::bigint, quote_ident(n.nspname) || '.' || quote_ident(c.relname),
        (SELECT inhparent::bigint FROM pg_inherits WHERE inhrelid = c.oid AND c.relispartition),
        CASE WHEN c.relkind = 'p' THEN 0 WHEN c.relkind = 'f' THEN greatest(c.reltuples, 0)::bigint
            WHEN pg_relation_size(c.oid) = 0 THEN 0
            WHEN c.reltuples >= 0 AND c.relpages > 0 THEN
                (c.reltuples / c.relpages * pg_relation_size(c.oid)
                    / current_setting('block_size')::bigint)::bigint
        END,
        pg_relation_size(c.oid)
    )), '[]')
    FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
    WHERE c.relkind IN ('r', 'p', 'm', 'f') AND c.relpersistence <> 't'
      AND n.nspname NOT IN ('information_schema', 'pg_catalog', 'pg_toast')
      AND c.relname <> 'alembic_version' AND NOT starts_with(c.relname, 'bough_')
"""

#: Bytes of a table that is counted when nobody has analysed it: a tenth of a second.
_COUNTED: Final = 32 * 2**20

#: Bytes of a row in a table that is neither analysed nor small: a guess.
_ROW: Final = 100


def estimated_rows(connection: Connection) -> dict[str, int]:
    """Return the rows of all tables by qualified name; a partitioned table has its partitions'.

    To be called outside a transaction. The kit's own tables are left out; those that were never analysed
    are counted while they are small.

    Raises:
        MeasurementError: The server refused.
    """
    names: dict[int, str] = {}
    parents: dict[int, int] = {}
    rows: dict[int, int] = {}
    for oid, name, parent, estimate, size in ask(connection, _ESTIMATES):
        names[oid] = name
        rows[oid] = _count(connection, name, size) if estimate is None else estimate
        if parent is not None:
            parents[oid] = parent
    totals = dict.fromkeys(rows, 0)
    for oid, own in rows.items():
        each: int | None = oid
        while each is not None and each in totals:
            totals[each] += own
            each = parents.get(each)
    return {names[oid]: total for oid, total in totals.items()}


def _count(connection: Connection, name: str, size: int) -> int:
    if size <= _COUNTED:
        try:
            counted: Any = ask(connection, f"SELECT count(*) FROM ONLY {name}")  # noqa: S608  quoted by the server
        except MeasurementError:
            # Another role's table, such as the provider's own: its size has to do.
            return size // _ROW
        return int(counted)
    return size // _ROW
