"""How many rows each table has, as the planner estimates them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from infra.migrate.connection import ask
from infra.migrate.errors import MeasurementError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

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
        coalesce(pg_relation_size(c.oid), 0),
        has_schema_privilege(n.oid, 'USAGE') AND has_table_privilege(c.oid, 'SELECT')
            AND NOT row_security_active(c.oid)
    )), '[]')
    FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
    WHERE c.relkind IN ('r', 'p', 'm', 'f') AND c.relpersistence <> 't'
      AND n.nspname NOT IN ('information_schema', 'pg_catalog', 'pg_toast')
      AND c.relname <> 'alembic_version' AND NOT starts_with(c.relname, 'bough_')
"""

#: Bytes of a table that is counted when nobody has analysed it: a tenth of a second.
_COUNTED: Final = 32 * 2**20

#: Tables that are counted at once: a function takes no more arguments.
_AT_ONCE: Final = 100

#: Bytes of a row in a table that is neither analysed nor small: a guess.
_ROW: Final = 100


def estimated_rows(connection: Connection) -> dict[str, int]:
    """Return the rows of all tables by qualified name; a partitioned table has its partitions'.

    To be called outside a transaction. The kit's own tables are left out; those that were never analysed
    are counted while they are small and the role may see all of their rows.

    Raises:
        MeasurementError: The server refused.
    """
    names: dict[int, str] = {}
    parents: dict[int, int] = {}
    rows: dict[int, int] = {}
    small: list[int] = []
    for oid, name, parent, estimate, size, readable in ask(connection, _ESTIMATES):
        names[oid] = name
        rows[oid] = size // _ROW if estimate is None else estimate
        if estimate is None and readable and size <= _COUNTED:
            small.append(oid)
        if parent is not None:
            parents[oid] = parent
    for at in range(0, len(small), _AT_ONCE):
        rows |= _counted(connection, names, small[at : at + _AT_ONCE])
    totals = dict.fromkeys(rows, 0)
    for oid, own in rows.items():
        each: int | None = oid
        while each is not None and each in totals:
            totals[each] += own
            each = parents.get(each)
    return {names[oid]: total for oid, total in totals.items()}


def _counted(connection: Connection, names: Mapping[int, str], tables: Sequence[int]) -> dict[int, int]:
    counts = ", ".join(f"(SELECT count(*) FROM ONLY {names[oid]})" for oid in tables)  # noqa: S608  quoted by the server
    try:
        return dict(zip(tables, ask(connection, f"SELECT json_build_array({counts})"), strict=True))
    except MeasurementError:
        # One of them is locked just now: their sizes have to do.
        return {}
