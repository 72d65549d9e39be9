"""Columns that come, go, or change: what of it is expand, what contract, and in which form."""

from __future__ import annotations

import hashlib
import re
from typing import TYPE_CHECKING, Any, Final

import sqlalchemy as sa
from alembic.operations import ops

from infra.migrate.writing.operations import Comment
from infra.migrate.writing.parts import Change, Part, quoted, validated

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy.types import TypeEngine

#: Longest name that PostgreSQL keeps.
_LONGEST: Final = 63

#: Calls in a default that are evaluated once for all rows, so that the table is not rewritten.
_STABLE: Final = re.compile(r"(now|transaction_timestamp|statement_timestamp)\(\)", re.IGNORECASE)


def changes(
    operation: ops.AddColumnOp | ops.DropColumnOp | ops.AlterColumnOp, added: Sequence[str] = ()
) -> list[Change]:
    """Return what is to be done instead of an operation.

    Args:
        operation: As Alembic has found it.
        added: Columns that its table gets at the same time: Alembic cannot see that one was renamed.
    """
    match operation:
        case ops.AddColumnOp():
            return _add(operation)
        case ops.DropColumnOp():
            return _drop(operation, added)
    return _alter(operation)


def _add(operation: ops.AddColumnOp) -> list[Change]:
    """Add a column; one that must not be NULL and has no default begins as one that may be."""
    column = operation.column
    if column.nullable or column.server_default is not None or column.primary_key:
        return [Change(Part.EXPAND, [*_rewrite_warning(column), operation], [operation.reverse()])]
    added = _nullable(operation)
    todo = Comment(
        f"fill {column.name} in where it is NULL before this is applied: the code that was live before it "
        "leaves it out (bough migrate backfill)"
    )
    tightened = _set_not_null(operation.table_name, column.name, operation.schema, column.type)
    return [
        Change(Part.EXPAND, [added], [added.reverse()]),
        *_with_comment(tightened, todo),
    ]


def _drop(operation: ops.DropColumnOp, added: Sequence[str]) -> list[Change]:
    """Drop a column once no code uses it; until then new code may leave it out."""
    column = operation.to_column()
    renamed = Comment(
        f"where {' or '.join(added)} replaces {column.name}, copy the values before this is applied "
        "(bough migrate backfill); as long as both are used, the code writes both"
    )
    dropped = [renamed, operation] if added else [operation]
    if column.nullable or column.server_default is not None or column.primary_key:
        return [Change(Part.CONTRACT, dropped, [operation.reverse()])]
    relaxed = ops.AlterColumnOp(
        operation.table_name,
        column.name,
        schema=operation.schema,
        existing_type=column.type,
        existing_nullable=False,
        modify_nullable=True,
    )
    return [
        Change(
            Part.EXPAND,
            [Comment(f"code that does not know {column.name} any more inserts rows without it"), relaxed],
            [relaxed.reverse()],
        ),
        Change(Part.CONTRACT, dropped, [_nullable(operation.reverse())]),
    ]


def _nullable(operation: ops.AddColumnOp) -> ops.AddColumnOp:
    column = operation.column._copy()  # noqa: SLF001  as Alembic does; SQLAlchemy offers no public one
    column.nullable = True
    return ops.AddColumnOp(operation.table_name, column, schema=operation.schema, **operation.kw)


def _alter(operation: ops.AlterColumnOp) -> list[Change]:
    """Change a column: each aspect by itself, since some are expand and others contract."""
    found = []
    if operation.modify_type is not None:
        found.append(_change_type(operation))
    if operation.modify_server_default is not False:
        plain = _only(operation, "modify_server_default")
        found.append(Change(Part.EXPAND, [plain], [plain.reverse()]))
    if operation.modify_comment is not False:
        plain = _only(operation, "modify_comment")
        found.append(Change(Part.EXPAND, [plain], [plain.reverse()]))
    if operation.modify_nullable is True:
        plain = _only(operation, "modify_nullable")
        found.append(Change(Part.EXPAND, [plain], [plain.reverse()]))
    elif operation.modify_nullable is False:
        type_ = operation.modify_type or operation.existing_type
        found += _set_not_null(operation.table_name, operation.column_name, operation.schema, type_)
    return found


def _only(operation: ops.AlterColumnOp, aspect: str) -> ops.AlterColumnOp:
    """Return the operation with one of its changes."""
    existing: dict[str, Any] = {
        name: getattr(operation, name)
        for name in ("existing_type", "existing_server_default", "existing_nullable", "existing_comment")
    }
    changed = {aspect: getattr(operation, aspect)}
    return ops.AlterColumnOp(
        operation.table_name, operation.column_name, schema=operation.schema, **existing, **changed
    )


def _change_type(operation: ops.AlterColumnOp) -> Change:
    plain = _only(operation, "modify_type")
    if _is_widening(operation.existing_type, operation.modify_type):
        return Change(Part.EXPAND, [plain], [plain.reverse()])
    warning = Comment(
        "may rewrite the table while nobody can use it; the safe way is a new column, filled in by "
        "bough migrate backfill"
    )
    return Change(Part.CONTRACT, [warning, plain], [plain.reverse()], scans=True)


def _is_widening(old: TypeEngine[Any] | None, new: TypeEngine[Any] | None) -> bool:
    """Tell whether every value of the old type is one of the new, with the same bytes."""
    match old, new:
        case sa.String(), sa.String():
            return new.length is None or (old.length is not None and new.length >= old.length)
        case (sa.Float(), _) | (_, sa.Float()):
            return False
        case sa.Numeric(), sa.Numeric():
            precision = new.precision is None or (old.precision or 0) <= new.precision
            return precision and old.precision is not None and old.scale == new.scale
    return False


def _set_not_null(table: str, column: str, schema: str | None, type_: TypeEngine[Any] | None) -> list[Change]:
    """Let PostgreSQL know from a validated constraint that no row has NULL: it then need not look itself."""
    check = _check_name(table, column)
    name, target, field = quoted(check), quoted(table, schema), quoted(column)
    promise = f"ALTER TABLE {target} ADD CONSTRAINT {name} CHECK ({field} IS NOT NULL) NOT VALID"
    tightened = ops.AlterColumnOp(
        table,
        column,
        schema=schema,
        existing_type=type_,
        existing_nullable=True,
        modify_nullable=False,
    )
    gone = f"ALTER TABLE {target} DROP CONSTRAINT {name}"
    return [
        Change(Part.CONTRACT, [ops.ExecuteSQLOp(promise)], [ops.ExecuteSQLOp(gone)]),
        validated(Part.CONTRACT_VALIDATE, check, table, schema),
        Change(
            Part.CONTRACT_VALIDATE,
            [tightened, ops.ExecuteSQLOp(gone)],
            [ops.ExecuteSQLOp(promise), tightened.reverse()],
        ),
    ]


def _with_comment(changes: list[Change], comment: Comment) -> list[Change]:
    first, *rest = changes
    return [Change(first.part, [comment, *first.up], first.down), *rest]


def _check_name(table: str, column: str) -> str:
    name = f"ck_{table}_{column}_not_null"
    if len(name) <= _LONGEST:
        return name
    return f"{name[: _LONGEST - 9]}_{hashlib.sha256(name.encode()).hexdigest()[:8]}"


def _rewrite_warning(column: sa.Column[Any]) -> list[Comment]:
    default = column.server_default
    rewrites = isinstance(default, sa.Identity) or (
        isinstance(default, sa.Computed) and default.persisted is not False
    )
    if isinstance(default, sa.DefaultClause):
        text = str(default.arg)
        rewrites = "(" in _STABLE.sub("", text)
    if not rewrites:
        return []
    return [Comment(f"rewrites the table while nobody can use it, if {column.name} differs from row to row")]
