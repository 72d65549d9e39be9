"""Divide what autogenerate found into revisions that can be applied while requests are served.

What adds is expand, what takes away or tightens is contract. What would block a table for as long as it is
scanned gets its safe form: an index is built CONCURRENTLY, a constraint is added NOT VALID and
validated in a transaction of its own.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from alembic.operations import ops

from infra.migrate.writing import column_changes
from infra.migrate.writing.operations import AutocommitBlock, Comment
from infra.migrate.writing.parts import Change, Part, quoted, validated

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator


_BlockingOp = (
    ops.CreateIndexOp
    | ops.DropIndexOp
    | ops.CreateUniqueConstraintOp
    | ops.CreateForeignKeyOp
    | ops.CreateCheckConstraintOp
)


@dataclass(slots=True)
class Operations:
    """What one revision does, and what undoes it, both in the order of running."""

    up: list[ops.MigrateOperation] = field(default_factory=list)
    down: list[ops.MigrateOperation] = field(default_factory=list)


def split(found: ops.UpgradeOps, overlooked: Iterable[Change]) -> dict[Part, Operations]:
    """Return the operations of each part that has any, in the order of running.

    Args:
        found: What Alembic's comparison came to.
        overlooked: What it does not compare. It comes first: with a column, its constraints go by themselves.
    """
    every = tuple(_flat(found.ops))
    surroundings = _Surroundings.of(every)
    changes = [*overlooked, *(change for operation in every for change in surroundings.changes(operation))]
    parts: defaultdict[Part, Operations] = defaultdict(Operations)
    for change in sorted(changes, key=lambda each: not each.scans):
        parts[change.part].up.extend(change.up)
        parts[change.part].down[:0] = change.down
    for part, operations in parts.items():
        if part.is_autocommit:
            operations.up = [AutocommitBlock(operations.up)]
            operations.down = [AutocommitBlock(operations.down)]
    return {part: parts[part] for part in Part if part in parts}


def _flat(operations: Iterable[ops.MigrateOperation]) -> Iterator[ops.MigrateOperation]:
    for operation in operations:
        if isinstance(operation, ops.ModifyTableOps):
            yield from _flat(operation.ops)
        else:
            yield operation


@dataclass(frozen=True, slots=True)
class _Surroundings:
    """What else the same changes do: a table that they create or drop is nobody's to wait for."""

    tables: frozenset[tuple[str | None, str]]
    columns: frozenset[tuple[str | None, str, str]]

    @classmethod
    def of(cls, every: Iterable[ops.MigrateOperation]) -> _Surroundings:
        tables, columns = set(), set()
        for each in every:
            if isinstance(each, ops.CreateTableOp | ops.DropTableOp):
                tables.add((each.schema, each.table_name))
            elif isinstance(each, ops.AddColumnOp):
                columns.add((each.schema, each.table_name, each.column.name))
        return cls(frozenset(tables), frozenset(columns))

    def changes(self, operation: ops.MigrateOperation) -> list[Change]:
        """Return what is to be done instead of an operation."""
        if isinstance(operation, ops.AddColumnOp | ops.DropColumnOp | ops.AlterColumnOp):
            table = (operation.schema, operation.table_name)
            return column_changes.changes(
                operation, sorted(name for *of, name in self.columns if tuple(of) == table)
            )
        if isinstance(operation, _BlockingOp) and _table_of(operation) not in self.tables:
            return self._without_blocking(operation)
        additive = ops.CreateTableOp | ops.CreateTableCommentOp | ops.DropTableCommentOp | ops.CreateIndexOp
        part = Part.EXPAND if isinstance(operation, additive | ops.AddConstraintOp) else Part.CONTRACT
        return [Change(part, [operation], [operation.reverse()])]

    def _without_blocking(self, operation: _BlockingOp) -> list[Change]:
        match operation:
            case ops.CreateIndexOp():
                return self._create_index(operation)
            case ops.DropIndexOp():
                return [_drop_index(operation)]
            case ops.CreateUniqueConstraintOp():
                return self._add_unique(operation)
            case ops.CreateForeignKeyOp():
                return self._add_foreign_key(operation)
        return _add_check(operation)

    def _all_new(self, schema: str | None, table: str, columns: Iterable[object]) -> bool:
        """Tell whether no code knows the columns yet: what they must fulfil takes nothing from it."""
        return all((schema, table, str(getattr(each, "name", each))) in self.columns for each in columns)

    def _create_index(self, operation: ops.CreateIndexOp) -> list[Change]:
        made = ops.CreateIndexOp(
            operation.index_name,
            operation.table_name,
            operation.columns,
            schema=operation.schema,
            unique=operation.unique,
            if_not_exists=True,
            postgresql_concurrently=True,
            **operation.kw,
        )
        adds = not operation.unique or self._all_new(
            operation.schema, operation.table_name, operation.columns
        )
        part = Part.EXPAND_INDEXES if adds else Part.CONTRACT_INDEXES
        return [Change(part, [made], [_concurrently(made.reverse())])]

    def _add_unique(self, operation: ops.CreateUniqueConstraintOp) -> list[Change]:
        adds = self._all_new(operation.schema, operation.table_name, operation.columns)
        name = operation.constraint_name
        if not isinstance(name, str) or operation.kw.get("deferrable"):
            warning = Comment("scans the table while nobody can use it; name it and let it not be deferrable")
            part = Part.EXPAND if adds else Part.CONTRACT
            return [Change(part, [warning, operation], [operation.reverse()])]
        index = ops.CreateIndexOp(
            name,
            operation.table_name,
            operation.columns,
            schema=operation.schema,
            unique=True,
            if_not_exists=True,
            postgresql_concurrently=True,
            **operation.kw,
        )
        table = quoted(operation.table_name, operation.schema)
        attach = f"ALTER TABLE {table} ADD CONSTRAINT {quoted(name)} UNIQUE USING INDEX {quoted(name)}"
        return [
            Change(
                Part.EXPAND_INDEXES if adds else Part.CONTRACT_INDEXES,
                [index],
                # Dropping the constraint has dropped its index, too.
                [_concurrently(index.reverse())],
            ),
            Change(
                Part.EXPAND_VALIDATE if adds else Part.CONTRACT,
                [ops.ExecuteSQLOp(attach)],
                [operation.reverse()],
            ),
        ]

    def _add_foreign_key(self, operation: ops.CreateForeignKeyOp) -> list[Change]:
        schema = operation.kw.get("source_schema")
        adds = self._all_new(schema, operation.source_table, operation.local_cols)
        name = operation.constraint_name
        first, then = (Part.EXPAND, Part.EXPAND_VALIDATE) if adds else (Part.CONTRACT, Part.CONTRACT_VALIDATE)
        if not isinstance(name, str):
            warning = Comment("reads both tables while nobody can write them; give it a name")
            return [Change(first, [warning, operation], [operation.reverse()])]
        added = ops.CreateForeignKeyOp(
            name,
            operation.source_table,
            operation.referent_table,
            operation.local_cols,
            operation.remote_cols,
            **operation.kw,
            postgresql_not_valid=True,
        )
        return [
            Change(first, [added], [operation.reverse()]),
            validated(then, name, operation.source_table, schema),
        ]


def _table_of(operation: _BlockingOp) -> tuple[str | None, str | None]:
    if isinstance(operation, ops.CreateForeignKeyOp):
        return operation.kw.get("source_schema"), operation.source_table
    return operation.schema, operation.table_name


def _add_check(operation: ops.CreateCheckConstraintOp) -> list[Change]:
    name = operation.constraint_name
    if not isinstance(name, str):
        warning = Comment("scans the table while nobody can use it; give it a name")
        return [Change(Part.CONTRACT, [warning, operation], [operation.reverse()])]
    added = ops.CreateCheckConstraintOp(
        name,
        operation.table_name,
        operation.condition,
        schema=operation.schema,
        **operation.kw,
        postgresql_not_valid=True,
    )
    return [
        Change(Part.CONTRACT, [added], [operation.reverse()]),
        validated(Part.CONTRACT_VALIDATE, name, operation.table_name, operation.schema),
    ]


def _drop_index(operation: ops.DropIndexOp) -> Change:
    original = operation.reverse()
    made = ops.CreateIndexOp(
        original.index_name,
        original.table_name,
        original.columns,
        schema=original.schema,
        unique=original.unique,
        if_not_exists=True,
        postgresql_concurrently=True,
        **original.kw,
    )
    return Change(Part.CONTRACT_INDEXES, [_concurrently(operation)], [made])


def _concurrently(operation: ops.DropIndexOp) -> ops.DropIndexOp:
    return ops.DropIndexOp(
        operation.index_name,
        operation.table_name,
        schema=operation.schema,
        if_exists=True,
        postgresql_concurrently=True,
    )
