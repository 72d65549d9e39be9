"""A database's schema as Neon's API describes it in JSON."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import psycopg

if TYPE_CHECKING:
    from api.database.connection_url import DirectUrl

_COLUMNS: Final = """
    SELECT c.relname, n.nspname, a.attname, format_type(a.atttypid, a.atttypmod), NOT a.attnotnull,
        a.attgenerated <> ''
    FROM pg_class c
        JOIN pg_namespace n ON n.oid = c.relnamespace
        LEFT JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
    WHERE c.relkind IN ('r', 'p', 'f') AND n.nspname NOT IN ('pg_catalog', 'information_schema', 'pg_toast')
    ORDER BY n.nspname, c.relname, a.attnum
"""
_CONSTRAINTS: Final = """
    SELECT c.relname, n.nspname, k.conname,
        CASE k.contype WHEN 'p' THEN 'primary_key' WHEN 'u' THEN 'unique' ELSE 'foreign_key' END,
        ARRAY(SELECT attname::text FROM unnest(k.conkey) WITH ORDINALITY key (number, place)
            JOIN pg_attribute ON attrelid = k.conrelid AND attnum = number ORDER BY place),
        rn.nspname, r.relname,
        ARRAY(SELECT attname::text FROM unnest(k.confkey) WITH ORDINALITY key (number, place)
            JOIN pg_attribute ON attrelid = k.confrelid AND attnum = number ORDER BY place)
    FROM pg_constraint k
        JOIN pg_class c ON c.oid = k.conrelid
        JOIN pg_namespace n ON n.oid = c.relnamespace
        LEFT JOIN pg_class r ON r.oid = k.confrelid
        LEFT JOIN pg_namespace rn ON rn.oid = r.relnamespace
    WHERE k.contype IN ('p', 'u', 'f') AND n.nspname NOT IN ('pg_catalog', 'information_schema', 'pg_toast')
    ORDER BY k.conname
"""


def schema_json(url: DirectUrl) -> dict[str, Any]:
    """Return a database's tables in the form of Neon's `/schema?format=json`.

    Raises:
        psycopg.Error: The database does not exist or does not answer.
    """
    with psycopg.connect(url.libpq(), autocommit=True) as connection:
        columns = connection.execute(_COLUMNS).fetchall()
        constraints = connection.execute(_CONSTRAINTS).fetchall()
    tables: dict[tuple[str, str], dict[str, Any]] = {}
    for table, schema, name, kind, nullable, generated in columns:
        entry = tables.setdefault((schema, table), {"schema": schema, "name": table, "columns": []})
        if name is not None:
            entry["columns"].append(
                {"name": name, "type": kind, "nullable": nullable, "generated": generated}
            )
    for table, schema, name, kind, names, other_schema, other, others in constraints:
        constraint = {"type": kind, "name": name, "columns": names}
        if other is not None:
            constraint["referenced_table"] = {"schema": other_schema, "table": other, "columns": others}
        tables[schema, table].setdefault("constraints", []).append(constraint)
    return {"tables": list(tables.values())}
