"""ALTER TABLE, subcommand by subcommand."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from infra.migrate.linting.columns import column, is_wider, retyping, type_name
from infra.migrate.linting.cursor import Cursor, has, parts
from infra.migrate.linting.effects import Change, Effect, Work
from infra.migrate.linting.scanner import Kind
from infra.migrate.linting.schema import Constraint, Schema
from infra.migrate.lock_modes import ACCESS_EXCLUSIVE, SHARE_ROW_EXCLUSIVE, SHARE_UPDATE_EXCLUSIVE

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from infra.migrate.linting.scanner import Token

_TABLE_CONSTRAINTS: Final = ("CONSTRAINT", "CHECK", "UNIQUE", "PRIMARY", "FOREIGN", "EXCLUDE")


def alter_table(cursor: Cursor, schema: Schema) -> Iterator[Effect]:
    """Read what follows ALTER TABLE, and bring the schema up to date."""
    cursor.skip_if_exists()
    cursor.take("ONLY")
    table = cursor.relation()
    for part in parts(cursor.rest()):
        yield from _subcommand(table, Cursor(part), schema)


def _subcommand(table: str, cursor: Cursor, schema: Schema) -> Iterator[Effect]:
    handler = _HANDLERS.get(cursor.word, _other)
    cursor.take(cursor.word)
    yield from handler(table, cursor, schema)


def _add(table: str, cursor: Cursor, schema: Schema) -> Iterator[Effect]:
    # NOT NULL as a constraint of the table came with PostgreSQL 18.
    if cursor.word in _TABLE_CONSTRAINTS or cursor.word == "NOT":
        yield from add_constraint(table, cursor.rest(), schema)
        return
    cursor.take("COLUMN")
    cursor.skip_if_exists()
    added = column(cursor.rest())
    schema.types[table, added.name] = added.type
    change = Change.ADD_REQUIRED_COLUMN if added.required else Change.ADD_COLUMN
    # A foreign key is checked where the rows that are there get a value.
    compares = added.filled and added.references is not None and added.work is Work.INSTANT
    yield Effect(change, table, ACCESS_EXCLUSIVE, Work.SCAN if compares else added.work, added.name)
    if added.references:
        schema.constraints[table, f"{added.name}_fkey"] = Constraint(references=added.references)
        work = Work.SCAN if added.filled else Work.INSTANT
        yield Effect(Change.REFERENCED, added.references, SHARE_ROW_EXCLUSIVE, work, table)


def add_constraint(table: str, tokens: Sequence[Token], schema: Schema) -> Iterator[Effect]:
    """Read a constraint that a table gets, `[CONSTRAINT name] …`."""
    cursor = Cursor(tokens)
    name = cursor.name() if cursor.take("CONSTRAINT") else ""
    valid = not has(tokens, "NOT", "VALID")
    kind = cursor.take_any("CHECK", "UNIQUE", "PRIMARY", "FOREIGN", "EXCLUDE", "NOT")
    if kind == "FOREIGN":
        cursor.until("REFERENCES")
        cursor.take("REFERENCES")
        other = cursor.relation()
        schema.constraints[table, name] = Constraint(references=other, valid=valid)
        work = Work.SCAN if valid else Work.INSTANT
        yield Effect(Change.ADD_FOREIGN_KEY, table, SHARE_ROW_EXCLUSIVE, work, name)
        if other != table:
            yield Effect(Change.REFERENCED, other, SHARE_ROW_EXCLUSIVE, work, table)
        return
    if kind == "NOT":
        cursor.take("NULL")
        not_null = cursor.name()
        scans = valid and not schema.is_proven_not_null(table, not_null)
        schema.constraints[table, name] = Constraint(not_null=not_null, valid=valid)
        change = Change.SET_NOT_NULL if valid else Change.ADD_CONSTRAINT
        yield Effect(change, table, ACCESS_EXCLUSIVE, Work.SCAN if scans else Work.INSTANT, not_null)
        return
    condition = cursor.group() if kind == "CHECK" else ()
    names = frozenset(token.name for token in condition)
    schema.constraints[table, name] = Constraint(not_null=_not_null(condition), names=names, valid=valid)
    if has(tokens, "USING", "INDEX") or not valid:
        yield Effect(Change.ADD_CONSTRAINT, table, ACCESS_EXCLUSIVE, Work.INSTANT, name)
    else:
        work = Work.SCAN if kind == "CHECK" else Work.BUILD
        yield Effect(Change.ADD_VALIDATED, table, ACCESS_EXCLUSIVE, work, name)


def _not_null(condition: Sequence[Token]) -> str | None:
    """Return the column of `column IS NOT NULL`."""
    while [token.word for token in (*condition[:1], *condition[-1:])] == ["(", ")"]:
        condition = condition[1:-1]
    is_it = [token.word for token in condition[1:]] == ["IS", "NOT", "NULL"]
    return condition[0].name if is_it else None


def _drop(table: str, cursor: Cursor, schema: Schema) -> Iterator[Effect]:
    if cursor.take("CONSTRAINT"):
        cursor.skip_if_exists()
        name = cursor.name()
        dropped = schema.constraints.pop((table, name), None)
        yield Effect(Change.DROP_CONSTRAINT, table, ACCESS_EXCLUSIVE, detail=name)
        if dropped and dropped.references and dropped.references != table:
            yield Effect(Change.REFERENCED, dropped.references, ACCESS_EXCLUSIVE, detail=table)
        return
    cursor.take("COLUMN")
    cursor.skip_if_exists()
    name = cursor.name()
    schema.types.pop((table, name), None)
    yield Effect(Change.DROP_COLUMN, table, ACCESS_EXCLUSIVE, detail=name)


def _alter(table: str, cursor: Cursor, schema: Schema) -> Iterator[Effect]:
    if cursor.take("CONSTRAINT"):
        yield Effect(Change.ALTER, table, ACCESS_EXCLUSIVE, detail=cursor.name())
        return
    cursor.take("COLUMN")
    name = cursor.name()
    if cursor.take("SET", "DATA", "TYPE") or cursor.take("TYPE"):
        yield _retype(table, name, cursor, schema)
    elif cursor.take("SET", "NOT", "NULL"):
        scans = not schema.is_proven_not_null(table, name)
        work = Work.SCAN if scans else Work.INSTANT
        yield Effect(Change.SET_NOT_NULL, table, ACCESS_EXCLUSIVE, work, name)
    elif cursor.take("DROP", "DEFAULT"):
        yield Effect(Change.DROP_DEFAULT, table, ACCESS_EXCLUSIVE, detail=name)
    elif cursor.take("SET", "EXPRESSION"):
        yield Effect(Change.ALTER, table, ACCESS_EXCLUSIVE, Work.REWRITE, name)
    elif cursor.take("SET", "STATISTICS") or (cursor.word in {"SET", "RESET"} and _sets_options(cursor)):
        yield Effect(Change.ALTER, table, SHARE_UPDATE_EXCLUSIVE, detail=name)
    else:
        yield Effect(Change.ALTER, table, ACCESS_EXCLUSIVE, detail=name)


def _sets_options(cursor: Cursor) -> bool:
    return cursor.take("SET", "(") or cursor.take("RESET", "(")


def _retype(table: str, name: str, cursor: Cursor, schema: Schema) -> Effect:
    old = schema.types.get((table, name))
    new = type_name(cursor.until("COLLATE", "USING"))
    collated = bool(cursor.until("USING"))
    work = retyping(old, new, using=cursor.take("USING") and not _is_cast(cursor.rest(), name, new))
    if work is Work.INSTANT and (collated or (old != new and schema.is_checked(table, name))):
        # What stands on the column is made anew: indexes in a collation, and every CHECK.
        work = Work.BUILD if collated else Work.SCAN
    schema.types[table, name] = new
    change = Change.ALTER_TYPE if is_wider(old, new) else Change.NARROW_TYPE
    return Effect(change, table, ACCESS_EXCLUSIVE, work, name)


def _is_cast(expression: Sequence[Token], name: str, new: str) -> bool:
    """Tell whether USING says `column::type`, which PostgreSQL would do by itself."""
    is_cast = len(expression) > 1 and expression[0].name == name and expression[1].word == "::"
    return is_cast and type_name(expression[2:]) == new


def _rename(table: str, cursor: Cursor, schema: Schema) -> Iterator[Effect]:
    if cursor.take("CONSTRAINT"):
        old = cursor.name()
        cursor.take("TO")
        known = schema.constraints.pop((table, old), None)
        if known:
            schema.constraints[table, cursor.name()] = known
        yield Effect(Change.ALTER, table, ACCESS_EXCLUSIVE, detail=old)
    elif cursor.take("TO"):
        new = f"{table.rpartition('.')[0]}.{cursor.name()}"
        schema.rename_table(table, new)
        yield Effect(Change.RENAME, table, ACCESS_EXCLUSIVE)
    else:
        cursor.take("COLUMN")
        old = cursor.name()
        cursor.take("TO")
        schema.rename_column(table, old, cursor.name())
        yield Effect(Change.RENAME, table, ACCESS_EXCLUSIVE, detail=old)


def _validate(table: str, cursor: Cursor, schema: Schema) -> Iterator[Effect]:
    cursor.take("CONSTRAINT")
    name = cursor.name()
    known = schema.constraints.get((table, name))
    schema.validate(table, name)
    yield Effect(Change.VALIDATE, table, SHARE_UPDATE_EXCLUSIVE, Work.SCAN, name)
    if known and known.references and known.references != table:
        yield Effect(Change.REFERENCED, known.references, "RowShareLock", Work.SCAN, table)


def _attach(table: str, cursor: Cursor, schema: Schema) -> Iterator[Effect]:
    cursor.take("PARTITION")
    partition = cursor.relation()
    schema.parents[partition] = table
    yield Effect(Change.ATTACH, table, SHARE_UPDATE_EXCLUSIVE, detail=partition)
    # A CHECK that says the same spares the scan; whether one does is not decided here.
    work = Work.INSTANT if schema.is_checked(partition) else Work.SCAN
    yield Effect(Change.ATTACH, partition, ACCESS_EXCLUSIVE, work)


def _detach(table: str, cursor: Cursor, schema: Schema) -> Iterator[Effect]:
    cursor.take("PARTITION")
    partition = cursor.relation()
    schema.parents.pop(partition, None)
    mode = SHARE_UPDATE_EXCLUSIVE if cursor.take("CONCURRENTLY") else ACCESS_EXCLUSIVE
    yield Effect(Change.DETACH, table, mode, detail=partition)
    yield Effect(Change.DETACH, partition, ACCESS_EXCLUSIVE)


def _set(table: str, cursor: Cursor, _schema: Schema) -> Iterator[Effect]:
    if cursor.take("SCHEMA"):
        yield Effect(Change.MOVE, table, ACCESS_EXCLUSIVE, detail=cursor.name())
    elif cursor.take_any("LOGGED", "UNLOGGED", "TABLESPACE", "ACCESS"):
        yield Effect(Change.REWRITE, table, ACCESS_EXCLUSIVE, Work.REWRITE)
    else:
        mode = SHARE_UPDATE_EXCLUSIVE if cursor.word in {"(", "WITHOUT"} else ACCESS_EXCLUSIVE
        yield Effect(Change.ALTER, table, mode)


def _enable(table: str, cursor: Cursor, schema: Schema) -> Iterator[Effect]:
    cursor.take_any("REPLICA", "ALWAYS")
    if cursor.word == "TRIGGER":
        yield Effect(Change.ALTER, table, SHARE_ROW_EXCLUSIVE)
    elif cursor.take("ROW", "LEVEL", "SECURITY") and not any(of == table for of, _ in schema.policies):
        yield Effect(Change.ENABLE_POLICIES, table, ACCESS_EXCLUSIVE)
    else:
        yield Effect(Change.ALTER, table, ACCESS_EXCLUSIVE)


def _disable(table: str, cursor: Cursor, _schema: Schema) -> Iterator[Effect]:
    if cursor.take("TRIGGER"):
        yield Effect(Change.DISABLE_TRIGGER, table, SHARE_ROW_EXCLUSIVE, detail=cursor.name())
    elif cursor.take("ROW", "LEVEL", "SECURITY"):
        yield Effect(Change.DISABLE_POLICIES, table, ACCESS_EXCLUSIVE)
    else:
        yield Effect(Change.ALTER, table, ACCESS_EXCLUSIVE)


def _other(table: str, _cursor: Cursor, _schema: Schema) -> Iterator[Effect]:
    yield Effect(Change.ALTER, table, ACCESS_EXCLUSIVE)


def _maintain(table: str, _cursor: Cursor, _schema: Schema) -> Iterator[Effect]:
    yield Effect(Change.ALTER, table, SHARE_UPDATE_EXCLUSIVE)


_HANDLERS: Final[dict[str, Callable[[str, Cursor, Schema], Iterator[Effect]]]] = {
    "ADD": _add,
    "DROP": _drop,
    "ALTER": _alter,
    "RENAME": _rename,
    "VALIDATE": _validate,
    "ATTACH": _attach,
    "DETACH": _detach,
    "SET": _set,
    "RESET": _maintain,
    "CLUSTER": _maintain,
    "ENABLE": _enable,
    "DISABLE": _disable,
}


def is_table_constraint(tokens: Sequence[Token]) -> bool:
    """Tell whether an element of CREATE TABLE is a constraint; a column's name may be quoted."""
    return bool(tokens) and tokens[0].kind is Kind.WORD and tokens[0].word in _TABLE_CONSTRAINTS
