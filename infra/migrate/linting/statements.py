"""Reading a statement: what it does to which relations."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from infra.migrate.linting.alter_table import add_constraint, alter_table, is_table_constraint
from infra.migrate.linting.columns import column
from infra.migrate.linting.cursor import Cursor, has, parts
from infra.migrate.linting.effects import Change, Effect, Statement, Work
from infra.migrate.linting.schema import Constraint, Schema
from infra.migrate.lock_modes import (
    ACCESS_EXCLUSIVE,
    EXCLUSIVE,
    MODES,
    ROW_EXCLUSIVE,
    SHARE,
    SHARE_ROW_EXCLUSIVE,
    SHARE_UPDATE_EXCLUSIVE,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from infra.migrate.linting.scanner import Token

_TEMPORARY: Final = ("TEMP", "TEMPORARY", "UNLOGGED", "LOCAL", "GLOBAL")


def read(tokens: Sequence[Token], schema: Schema) -> Statement:
    """Read a statement, and bring the schema up to date with it."""
    cursor = Cursor(tokens)
    handler = _VERBS.get(cursor.take_any(*_VERBS))
    effects = tuple(handler(cursor, schema)) if handler else ()
    made = tuple(each.relation for each in effects if each.change is Change.CREATE_TABLE)
    return Statement(tuple(tokens), effects, made)


def _create(cursor: Cursor, schema: Schema) -> Iterator[Effect]:
    cursor.take("OR", "REPLACE")
    while cursor.take_any(*_TEMPORARY):
        pass
    if cursor.take("TABLE"):
        yield from _create_table(cursor, schema)
    elif cursor.take("INDEX") or cursor.take("UNIQUE", "INDEX"):
        yield from _create_index(cursor, schema)
    elif cursor.take("TRIGGER") or cursor.take("CONSTRAINT", "TRIGGER"):
        name = cursor.name()
        cursor.until("ON")
        cursor.take("ON")
        yield Effect(Change.CREATE_TRIGGER, cursor.relation(), SHARE_ROW_EXCLUSIVE, detail=name)
    elif kind := cursor.take_any("POLICY", "RULE"):
        name = cursor.name()
        cursor.until("ON", "TO")
        cursor.name()
        table = cursor.relation()
        if kind == "POLICY":
            schema.policies.add((table, name))
        change = Change.CREATE_POLICY if kind == "POLICY" else Change.ALTER
        yield Effect(change, table, ACCESS_EXCLUSIVE, detail=name)
    elif cursor.take("MATERIALIZED", "VIEW"):
        cursor.skip_if_exists()
        yield Effect(Change.CREATE_TABLE, cursor.relation(), ACCESS_EXCLUSIVE)
    elif cursor.take("STATISTICS"):
        cursor.until("FROM")
        cursor.take("FROM")
        yield Effect(Change.MAINTAIN, cursor.relation(), SHARE_UPDATE_EXCLUSIVE)


def _create_table(cursor: Cursor, schema: Schema) -> Iterator[Effect]:
    cursor.skip_if_exists()
    table = cursor.relation()
    yield Effect(Change.CREATE_TABLE, table, ACCESS_EXCLUSIVE)
    if cursor.take("PARTITION", "OF"):
        schema.parents[table] = parent = cursor.relation()
        yield Effect(Change.ATTACH, parent, ACCESS_EXCLUSIVE, detail=table)
    references = set()
    for element in parts(cursor.group()):
        if is_table_constraint(element):
            own = tuple(add_constraint(table, element, schema))
            references |= {each.relation for each in own if each.change is Change.REFERENCED}
        elif element and element[0].word != "LIKE":
            made = column(element)
            schema.types[table, made.name] = made.type
            if made.references:
                schema.constraints[table, f"{made.name}_fkey"] = Constraint(references=made.references)
                references.add(made.references)
    if cursor.take("INHERITS"):
        for parent in Cursor(cursor.group()).relations():
            yield Effect(Change.MAINTAIN, parent, SHARE_UPDATE_EXCLUSIVE, detail=table)
    for other in sorted(references - {table}):
        yield Effect(Change.REFERENCED, other, SHARE_ROW_EXCLUSIVE, detail=table)


def _create_index(cursor: Cursor, schema: Schema) -> Iterator[Effect]:
    mode = SHARE_UPDATE_EXCLUSIVE if cursor.take("CONCURRENTLY") else SHARE
    cursor.skip_if_exists()
    name = "" if cursor.word == "ON" else cursor.relation()
    cursor.take("ON")
    only = cursor.take("ONLY")
    table = cursor.relation()
    # That of a partitioned table itself has no rows.
    work = Work.INSTANT if only and table in schema.parents.values() else Work.BUILD
    # An index is in its table's schema.
    name = name and f"{table.rpartition('.')[0]}.{name.rpartition('.')[2]}"
    schema.indexes[name] = table
    yield Effect(Change.CREATE_INDEX, table, mode, work, name)


def _drop(cursor: Cursor, schema: Schema) -> Iterator[Effect]:
    if cursor.take("INDEX"):
        mode = SHARE_UPDATE_EXCLUSIVE if cursor.take("CONCURRENTLY") else ACCESS_EXCLUSIVE
        cursor.skip_if_exists()
        for name in cursor.relations():
            yield Effect(Change.DROP_INDEX, schema.indexes.pop(name, name), mode, detail=name)
    elif cursor.take("TABLE"):
        cursor.skip_if_exists()
        for table in cursor.relations():
            others = schema.referenced_by(table) | ({schema.parents.get(table, table)} - {table})
            schema.drop_table(table)
            yield Effect(Change.DROP_TABLE, table, ACCESS_EXCLUSIVE)
            for other in sorted(others):
                yield Effect(Change.REFERENCED, other, ACCESS_EXCLUSIVE, detail=table)
    elif kind := cursor.take_any("TRIGGER", "POLICY", "RULE"):
        cursor.skip_if_exists()
        name = cursor.name()
        cursor.take("ON")
        change = Change.DROP_TRIGGER if kind == "TRIGGER" else Change.DROP_POLICY
        table = cursor.relation()
        schema.policies.discard((table, name))
        yield Effect(change, table, ACCESS_EXCLUSIVE, detail=name)
    elif cursor.take_any("VIEW", "SEQUENCE") or cursor.take("MATERIALIZED", "VIEW"):
        cursor.skip_if_exists()
        for name in cursor.relations():
            yield Effect(Change.DROP_OTHER, name, ACCESS_EXCLUSIVE)


def _alter(cursor: Cursor, schema: Schema) -> Iterator[Effect]:
    if cursor.take("TABLE"):
        yield from alter_table(cursor, schema)
    elif cursor.take("POLICY") or cursor.take("TRIGGER"):
        name = cursor.name()
        cursor.take("ON")
        yield Effect(Change.ALTER, cursor.relation(), ACCESS_EXCLUSIVE, detail=name)
    elif kind := cursor.take_any("VIEW", "INDEX", "SEQUENCE"):
        cursor.skip_if_exists()
        mode = {"INDEX": SHARE_UPDATE_EXCLUSIVE, "SEQUENCE": SHARE_ROW_EXCLUSIVE}.get(kind, ACCESS_EXCLUSIVE)
        name = cursor.relation()
        change = Change.RENAME if kind == "VIEW" and cursor.word == "RENAME" else Change.ALTER
        yield Effect(change, name, mode)


def _update(cursor: Cursor, _schema: Schema) -> Iterator[Effect]:
    cursor.take("FROM")
    cursor.take("ONLY")
    table = cursor.relation()
    change = Change.WRITE if _is_bounded(cursor.rest()) else Change.UNBOUNDED_WRITE
    yield Effect(change, table, ROW_EXCLUSIVE, Work.ROWS)


def _is_bounded(tokens: Sequence[Token]) -> bool:
    cursor = Cursor(tokens)
    cursor.until("WHERE")
    cursor.take("WHERE")
    condition = [token.text.upper() for token in cursor.until("RETURNING")]
    return bool(condition) and condition not in (["TRUE"], ["1", "=", "1"])


def _insert(cursor: Cursor, _schema: Schema) -> Iterator[Effect]:
    cursor.take("INTO")
    table = cursor.relation()
    # Rows that stand in the statement are few.
    work = Work.INSTANT if has(cursor.rest(), "VALUES") else Work.ROWS
    yield Effect(Change.INSERT, table, ROW_EXCLUSIVE, work)


def _merge(cursor: Cursor, _schema: Schema) -> Iterator[Effect]:
    cursor.take("INTO")
    cursor.take("ONLY")
    yield Effect(Change.WRITE, cursor.relation(), ROW_EXCLUSIVE, Work.ROWS)


def _with(cursor: Cursor, schema: Schema) -> Iterator[Effect]:
    while not cursor.done:
        cursor.until("AS", "UPDATE", "DELETE", "INSERT", "MERGE")
        if not cursor.take("AS"):
            yield from read(cursor.rest(), schema).effects
            return
        cursor.take("NOT")
        cursor.take("MATERIALIZED")
        yield from read(cursor.group(), schema).effects


def _truncate(cursor: Cursor, _schema: Schema) -> Iterator[Effect]:
    cursor.take("TABLE")
    for table in cursor.relations():
        yield Effect(Change.TRUNCATE, table, ACCESS_EXCLUSIVE)


def _lock(cursor: Cursor, _schema: Schema) -> Iterator[Effect]:
    cursor.take("TABLE")
    tables = tuple(cursor.relations())
    cursor.take("IN")
    words = "".join(token.text.capitalize() for token in cursor.until("MODE"))
    mode = f"{words}Lock" if f"{words}Lock" in MODES else ACCESS_EXCLUSIVE
    for table in tables:
        yield Effect(Change.LOCK, table, mode)


def _refresh(cursor: Cursor, _schema: Schema) -> Iterator[Effect]:
    cursor.take("MATERIALIZED", "VIEW")
    if cursor.take("CONCURRENTLY"):
        yield Effect(Change.REFRESH, cursor.relation(), EXCLUSIVE, Work.ROWS)
    else:
        yield Effect(Change.REWRITE, cursor.relation(), ACCESS_EXCLUSIVE, Work.REWRITE)


def _cluster(cursor: Cursor, _schema: Schema) -> Iterator[Effect]:
    if not cursor.done:
        yield Effect(Change.REWRITE, cursor.relation(), ACCESS_EXCLUSIVE, Work.REWRITE)


def _vacuum(cursor: Cursor, _schema: Schema) -> Iterator[Effect]:
    options = cursor.group()
    full = has(options, "FULL")
    while word := cursor.take_any("FULL", "FREEZE", "VERBOSE", "ANALYZE"):
        full = full or word == "FULL"
    for table in () if cursor.done else cursor.relations():
        if full:
            yield Effect(Change.REWRITE, table, ACCESS_EXCLUSIVE, Work.REWRITE)
        else:
            yield Effect(Change.MAINTAIN, table, SHARE_UPDATE_EXCLUSIVE, Work.SCAN)


def _reindex(cursor: Cursor, schema: Schema) -> Iterator[Effect]:
    cursor.group()
    kind = cursor.take_any("TABLE", "INDEX")
    mode = SHARE_UPDATE_EXCLUSIVE if cursor.take("CONCURRENTLY") else SHARE
    if kind:
        name = cursor.relation()
        table = schema.indexes.get(name, name) if kind == "INDEX" else name
        yield Effect(Change.REINDEX, table, mode, Work.BUILD, name)


def _comment(cursor: Cursor, _schema: Schema) -> Iterator[Effect]:
    cursor.take("ON")
    if cursor.take("TABLE"):
        yield Effect(Change.MAINTAIN, cursor.relation(), SHARE_UPDATE_EXCLUSIVE)
    elif cursor.take("COLUMN"):
        # The last part is the column.
        names = [token.name for token in cursor.until("IS") if token.word != "."]
        table = names[-3:-1] if len(names) > 2 else ["public", *names[:1]]  # noqa: PLR2004  schema, table, column
        yield Effect(Change.MAINTAIN, ".".join(table), SHARE_UPDATE_EXCLUSIVE)


_VERBS: Final[dict[str, Callable[[Cursor, Schema], Iterator[Effect]]]] = {
    "CREATE": _create,
    "DROP": _drop,
    "ALTER": _alter,
    "UPDATE": _update,
    "DELETE": _update,
    "INSERT": _insert,
    "MERGE": _merge,
    "WITH": _with,
    "TRUNCATE": _truncate,
    "LOCK": _lock,
    "REFRESH": _refresh,
    "CLUSTER": _cluster,
    "VACUUM": _vacuum,
    "ANALYZE": _vacuum,
    "REINDEX": _reindex,
    "COMMENT": _comment,
}
