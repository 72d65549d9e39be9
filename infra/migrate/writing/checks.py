"""CHECK constraints of the models, which Alembic does not compare."""

from __future__ import annotations

import re
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final

import sqlalchemy as sa
from alembic.operations import ops
from sqlalchemy.exc import ProgrammingError
from sqlalchemy.sql.elements import conv

from infra.migrate.writing.operations import Comment
from infra.migrate.writing.parts import Change, Part, quoted, validated

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_THERE: Final = """
    SELECT CASE WHEN pg_table_is_visible(relation.oid) THEN NULL ELSE nspname END, relname,
        json_object_agg(conname, pg_get_constraintdef(pg_constraint.oid)) FILTER (WHERE conname IS NOT NULL)
    FROM pg_class AS relation
    JOIN pg_namespace AS namespace ON namespace.oid = relnamespace
    LEFT JOIN pg_constraint ON conrelid = relation.oid AND contype = 'c'
    WHERE relkind IN ('r', 'p') AND left(nspname, 3) <> 'pg_' AND nspname <> 'information_schema'
    GROUP BY 1, 2
"""

_DEFINITION: Final = """
    SELECT pg_get_constraintdef(oid) FROM pg_constraint
    WHERE conrelid = 'pg_temp.bough_compared'::regclass AND conname = %s
"""

_LITERAL: Final = r"'(?:[^']|'')*'"
_LIST: Final = re.compile(rf"= ANY \(\(?ARRAY\[((?:{_LITERAL}|[^\]'])*)\]")


def changes(
    connection: sa.Connection, metadata: sa.MetaData, is_compared: Callable[[sa.Table], bool]
) -> Iterator[Change]:
    """Yield what adds, replaces and drops the named constraints of tables that are there already."""
    there = {
        (schema, name): {check: text.removesuffix(" NOT VALID") for check, text in (checks or {}).items()}
        for schema, name, checks in connection.exec_driver_sql(_THERE)
    }
    for table in metadata.sorted_tables:
        known = there.get((table.schema, table.name))
        if known is None or not is_compared(table):
            continue
        wanted = dict(_named(table, connection.dialect))
        written = _as_written(connection, table, wanted)
        for name in known.keys() - wanted.keys():
            yield Change(
                Part.CONTRACT, [_dropped(table, name)], [_added(table, name, _condition(known[name]))]
            )
        for name, condition in wanted.items():
            if name not in known:
                yield from _replaced(Part.CONTRACT, table, name, condition, None)
            elif written.get(name) != known[name]:
                part = Part.EXPAND if _allows_all_of(known[name], written.get(name, "")) else Part.CONTRACT
                yield from _replaced(part, table, name, condition, _condition(known[name]))


def _named(table: sa.Table, dialect: sa.Dialect) -> Iterator[tuple[str, str]]:
    for constraint in table.constraints:
        if isinstance(constraint, sa.CheckConstraint) and constraint.name is not None:
            name = dialect.identifier_preparer.format_constraint(constraint, _alembic_quote=False)
            compiled = constraint.sqltext.compile(
                dialect=dialect, compile_kwargs={"literal_binds": True, "include_table": False}
            )
            # psycopg's style doubles it.
            yield str(name), str(compiled).replace("%%", "%")


def _as_written(connection: sa.Connection, table: sa.Table, wanted: dict[str, str]) -> dict[str, str]:
    """Return the conditions in the server's own words; those are missing that need what is not there yet."""
    found: dict[str, str] = {}
    undone = connection.begin_nested()
    target = quoted(table.name, table.schema)
    connection.exec_driver_sql(f"CREATE TEMPORARY TABLE bough_compared (LIKE {target})")
    for name, condition in wanted.items():
        add = f"ALTER TABLE pg_temp.bough_compared ADD CONSTRAINT {quoted(name)} CHECK ({condition})"
        with suppress(ProgrammingError), connection.begin_nested():
            connection.exec_driver_sql(add.replace("%", "%%"))
            found[name] = connection.exec_driver_sql(_DEFINITION, (name,)).scalar_one()
    undone.rollback()
    return found


def _allows_all_of(old: str, new: str) -> bool:
    """Tell whether a definition differs from another only by longer lists of values that are allowed."""
    if "NOT" in old or _LIST.sub("", old) != _LIST.sub("", new):
        return False
    lists = zip(_LIST.findall(old), _LIST.findall(new), strict=True)
    return all(set(re.findall(_LITERAL, some)) <= set(re.findall(_LITERAL, more)) for some, more in lists)


def _replaced(part: Part, table: sa.Table, name: str, condition: str, old: str | None) -> list[Change]:
    """Return what puts a constraint in another one's place, if there is one."""
    add = _added(table, name, condition, postgresql_not_valid=True)
    drop = _dropped(table, name)
    then = Part.EXPAND_VALIDATE if part is Part.EXPAND else Part.CONTRACT_VALIDATE
    up: list[ops.MigrateOperation] = [add]
    down: list[ops.MigrateOperation] = [drop]
    if old is not None:
        up, down = [drop, add], [drop, _added(table, name, old)]
        if part is Part.CONTRACT:
            up.insert(0, Comment(f"code that writes what {name} forbade before must wait for this"))
    return [Change(part, up, down), validated(then, name, table.name, table.schema)]


def _dropped(table: sa.Table, name: str) -> ops.DropConstraintOp:
    return ops.DropConstraintOp(conv(name), table.name, type_="check", schema=table.schema)


def _added(table: sa.Table, name: str, condition: str, **options: Any) -> ops.CreateCheckConstraintOp:
    # A colon before a word would be taken for a parameter.
    text = re.sub(r"(?<![:\w\\]):(?=\w)", r"\\:", condition)
    return ops.CreateCheckConstraintOp(conv(name), table.name, text, schema=table.schema, **options)


def _condition(definition: str) -> str:
    """Return what is in the parentheses of `CHECK (…)`."""
    return definition.removeprefix("CHECK (").removesuffix(")")
