"""Rows to insert: as like those of production as the code's own tables and the live database allow."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import sqlalchemy as sa

from .values import another, made

if TYPE_CHECKING:
    from collections.abc import Mapping

#: Parents of parents of a row that are made; deeper than this a circle is likelier than a need.
_MAX_DEPTH: Final = 5

_UNIQUE: Final = sa.text(
    """
    SELECT i.indexrelid, pg_get_indexdef(i.indexrelid, n, true)
    FROM pg_index AS i, generate_series(1, i.indnkeyatts) AS n
    WHERE i.indrelid = to_regclass(:name) AND i.indisunique
    """
)


class NoRowError(Exception):
    """No valid row could be made up; the message says why."""


@dataclass(slots=True)
class Row:
    """Values by column, and whether any is neither NULL, a default nor copied from a row that is there."""

    values: dict[sa.Column[Any], Any] = field(default_factory=dict)
    made_up: bool = False


def qualified(table: sa.Table) -> str:
    """Return the table's name as `to_regclass` reads it."""
    return ".".join(f'"{part}"' for part in (table.schema, table.name) if part)


class Draft:
    """Drafts rows of one table.

    Args:
        connection: In a transaction, in which parents are inserted.
        table: Where they go.
        like: A row that is there, by column key.
        depth: Of parents' parents.
    """

    def __init__(
        self, connection: sa.Connection, table: sa.Table, like: Mapping[str, Any] | None, depth: int = 0
    ) -> None:
        """Look up what must be unique."""
        self._connection = connection
        self._table = table
        self._like = like
        self._depth = depth
        self._keys = _unique_keys(connection, table)
        self._fresh = _fresh_columns(table, self._keys)

    def with_nulls(self) -> Row:
        """Return the row of a caller who says no more than they must.

        NULL where the code's model allows it and knows no default, as the ORM sends it; nothing for
        columns with a default.

        Raises:
            NoRowError, NoValueError: A column must have a value, and none can be made up.
        """
        row = Row()
        for column in self._table.columns:
            fresh = column in self._fresh
            if _is_left_to_database(column) or (not fresh and _has_default(column)):
                continue
            if column.nullable and not fresh:
                row.values[column] = None
            elif not column.foreign_keys:
                self._set(row, column)
        self._refer(row)
        return row

    def copied(self) -> Row:
        """Return the row that is there with other keys: every column that may be written.

        Raises:
            NoRowError: A parent that it needs cannot be inserted.
        """
        like = self._like or {}
        unique = set().union(*self._keys)
        row = Row()
        for column in self._table.columns:
            if _is_left_to_database(column) or (column.name in unique and _is_generated(column)):
                continue
            if column not in self._fresh:
                row.values[column] = like[column.key]
            elif not column.foreign_keys:
                self._set(row, column)
        self._refer(row)
        return row

    def _set(self, row: Row, column: sa.Column[Any]) -> None:
        fresh = column in self._fresh
        value = self._like[column.key] if self._like else None
        if value is None:
            row.values[column] = made(column)
        else:
            row.values[column] = another(column, value) if fresh else value
        row.made_up = row.made_up or fresh or value is None

    def _refer(self, row: Row) -> None:
        """Fill in the foreign keys without a value: a new parent's for a unique one, else any parent's."""
        for constraint in sorted(self._table.foreign_key_constraints, key=lambda each: len(each.elements)):
            pairs = {element.parent: element.column for element in constraint.elements}
            fresh = not self._fresh.isdisjoint(pairs)
            if row.values.keys() >= pairs.keys() or (all(each.nullable for each in pairs) and not fresh):
                continue
            if self._like and not fresh:
                row.values |= {column: self._like[column.key] for column in pairs}
            else:
                parent = self._parent(constraint.referred_table, new=fresh)
                row.values |= {column: parent[referred.key] for column, referred in pairs.items()}

    def _parent(self, table: sa.Table, *, new: bool) -> Mapping[str, Any]:
        existing = first(self._connection, table)
        if existing is not None and not new:
            return existing
        if self._depth >= _MAX_DEPTH:
            raise NoRowError(f"its rows need rows of {table.name}, which need others in turn")
        draft = Draft(self._connection, table, existing, self._depth + 1)
        for make in (draft.with_nulls, draft.copied) if existing else (draft.with_nulls,):
            row = make()
            try:
                with self._connection.begin_nested():
                    return insert(self._connection, table, row)
            except sa.exc.DBAPIError:
                continue
        raise NoRowError(f"it needs a row of {table.name}, and none could be inserted")


def first(connection: sa.Connection, table: sa.Table) -> Mapping[str, Any] | None:
    """Return any row by column key, `None` where none is to be seen."""
    found = connection.execute(sa.select(*table.columns).limit(1)).first()
    return dict(zip(table.columns.keys(), found, strict=True)) if found else None


def insert(connection: sa.Connection, table: sa.Table, row: Row) -> Mapping[str, Any]:
    """Insert a row and return it as the database has it, by column key."""
    statement = table.insert().values(row.values).returning(*table.columns)
    found = connection.execute(statement).one()
    return dict(zip(table.columns.keys(), found, strict=True))


def _fresh_columns(table: sa.Table, keys: list[set[str]]) -> set[sa.Column[Any]]:
    """Return the columns that must not repeat what is there, so that no unique index refuses the row.

    The live indexes count, not the code's: that a new one refuses what is there twice shows when it is
    made. One new value suffices for each index; that of a plain column is easier than a new parent.
    """
    fresh: set[sa.Column[Any]] = set()
    for key in keys:
        columns = [column for column in table.columns if column.name in key]
        if any(_is_generated(column) for column in columns):
            continue
        fresh.update([column for column in columns if not column.foreign_keys] or columns)
    return fresh


def _unique_keys(connection: sa.Connection, table: sa.Table) -> list[set[str]]:
    """Return the columns' names of each unique index; those inside expressions, too."""
    keys: dict[int, set[str]] = {}
    for index, expression in connection.execute(_UNIQUE, {"name": qualified(table)}):
        keys.setdefault(index, set()).update(re.findall(r"\w+", expression))
    return list(keys.values())


def _is_left_to_database(column: sa.Column[Any]) -> bool:
    return column.computed is not None or (column.identity is not None and bool(column.identity.always))


def _has_default(column: sa.Column[Any]) -> bool:
    return column.default is not None or column.server_default is not None or _is_generated(column)


def _is_generated(column: sa.Column[Any]) -> bool:
    """Say whether a row that does not mention the column gets a value of its own."""
    if column.identity is not None or column is column.table.autoincrement_column:
        return True
    if column.default is not None:
        return not column.default.is_scalar
    given = getattr(column.server_default, "arg", None)
    return given is not None and "(" in str(given)
