"""Enum types of the models, which Alembic makes with their tables at best, and never compares."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from alembic.operations.ops import ExecuteSQLOp
from sqlalchemy.dialects import postgresql
from sqlalchemy.types import TypeDecorator

from infra.migrate.writing.parts import Change, Part, quoted

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import sqlalchemy as sa
    from sqlalchemy.types import TypeEngine

_LABELS: Final = """
    SELECT CASE WHEN pg_type_is_visible(type.oid) THEN NULL ELSE nspname END, typname,
        array_agg(enumlabel::text ORDER BY enumsortorder)
    FROM pg_type AS type
    JOIN pg_namespace AS namespace ON namespace.oid = typnamespace
    JOIN pg_enum ON enumtypid = type.oid
    GROUP BY 1, 2
"""


def changes(connection: sa.Connection, metadata: sa.MetaData) -> Iterator[Change]:
    """Yield what makes the types that are missing, and adds the labels that are.

    A label that the models have no more stays: PostgreSQL cannot take it away.
    """
    there = {(schema, name): labels for schema, name, labels in connection.exec_driver_sql(_LABELS)}
    for (schema, name), labels in sorted(_of(metadata, connection).items(), key=str):
        known = there.get((schema, name))
        if known is None:
            create = f"CREATE TYPE {quoted(name, schema)} AS ENUM ({', '.join(map(_literal, labels))})"
            drop = f"DROP TYPE {quoted(name, schema)}"
            yield Change(Part.EXPAND, [ExecuteSQLOp(create)], [ExecuteSQLOp(drop)])
        elif added := list(_additions(quoted(name, schema), labels, known)):
            yield Change(Part.EXPAND_LABELS, added)


def _of(metadata: sa.MetaData, connection: sa.Connection) -> dict[tuple[str | None, str], Sequence[str]]:
    """Return the labels of each enum that a column has, by schema and name."""
    found: dict[tuple[str | None, str], Sequence[str]] = {}
    for column in (column for table in metadata.tables.values() for column in table.columns):
        type_ = plain(column.type, connection.dialect)
        if isinstance(type_, postgresql.ENUM) and type_.name:
            found[type_.schema, type_.name] = type_.enums
    return found


def plain(type_: TypeEngine[object], dialect: sa.Dialect) -> TypeEngine[object]:
    """Return a type as PostgreSQL knows it; of an array, its element's."""
    if isinstance(type_, TypeDecorator):
        type_ = type_.load_dialect_impl(dialect)
    return getattr(type_, "item_type", type_).dialect_impl(dialect)


def _additions(type_: str, labels: Sequence[str], known: Sequence[str]) -> Iterator[ExecuteSQLOp]:
    for at, label in enumerate(labels):
        if label in known:
            continue
        after = labels[at - 1] if at else None
        before = next((each for each in labels[at + 1 :] if each in known), None)
        place = f" AFTER {_literal(after)}" if after else f" BEFORE {_literal(before)}" if before else ""
        yield ExecuteSQLOp(f"ALTER TYPE {type_} ADD VALUE IF NOT EXISTS {_literal(label)}{place}")


def _literal(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
