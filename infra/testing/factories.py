"""Rows for tests: a factory fills what a table requires, and leaves the rest to the database.

A subclass names its model and says only what must have a certain form:

    class ProductFactory(Factory[Product]):
        status = "on sale"

`await ProductFactory.add(session, name="Tea")` then inserts a row. All else of polyfactory (`build`,
`batch`, `Use`, `PostGenerated`) works as its documentation says.
"""

from __future__ import annotations

import itertools
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final, TypeVar

from polyfactory.exceptions import MissingBuildKwargException
from polyfactory.factories.sqlalchemy_factory import SQLAlchemyFactory
from sqlalchemy import Column, DateTime, Integer, String, UniqueConstraint, inspect
from sqlalchemy.sql.visitors import iterate

if TYPE_CHECKING:
    from collections.abc import Iterator

    from polyfactory.field_meta import FieldMeta

    from api.database.session import WriteSession

T = TypeVar("T")

_numbers: Final = itertools.count(1)


class Factory(SQLAlchemyFactory[T]):
    """Makes rows of one model.

    Only columns that would be refused without a value get one: NOT NULL, without a default of the
    model's or the server's, not generated. Of those, what is part of a unique constraint or index
    differs from row to row, times are now, and a foreign key has to be given.
    """

    __is_base_factory__ = True
    __set_relationships__ = False
    __set_association_proxy__ = False

    @classmethod
    async def add(cls, session: WriteSession, **values: Any) -> T:
        """Insert a row, and return it with what the server filled in; nothing is committed.

        Raises:
            MissingBuildKwargException: A foreign key that the table requires is not among `values`.
            ConstraintViolationError: A constraint refused it.
        """
        (row,) = await cls.add_batch(session, 1, **values)
        return row

    @classmethod
    async def add_batch(cls, session: WriteSession, size: int, **values: Any) -> list[T]:
        """Insert several rows in one statement; `values` are those of each."""
        rows = cls.batch(size, **values)
        session.add_all(rows)
        await session.flush()
        return rows

    @classmethod
    def get_type_from_column(cls, column: Column[Any]) -> Any:
        """Return the type to invent values of; nothing asks for that of a column that is left alone."""
        invented = _requires_value(column) and not column.foreign_keys
        return super().get_type_from_column(column) if invented else Any

    @classmethod
    def should_set_field_value(cls, field_meta: FieldMeta, **kwargs: Any) -> bool:
        """Return whether to fill the column: what the factory declares, and what is required."""
        declared = hasattr(cls, field_meta.name) and not hasattr(Factory, field_meta.name)
        return super().should_set_field_value(field_meta, **kwargs) and (
            declared or _requires_value(cls._column(field_meta.name))
        )

    @classmethod
    def get_field_value(cls, field_meta: FieldMeta, *args: Any, **options: Any) -> Any:
        """Invent a value.

        Raises:
            MissingBuildKwargException: It would have to be another row's key.
        """
        column = cls._column(field_meta.name)
        if column.foreign_keys:
            name = f"{cls.__model__.__name__}.{field_meta.name}"
            raise MissingBuildKwargException(f"{name} refers to another row: pass {field_meta.name}=…")
        if isinstance(column.type, DateTime):
            return datetime.now(UTC if column.type.timezone else None)
        if any(column is unique for unique in _unique_columns(column)):
            if isinstance(column.type, String):
                return f"{field_meta.name}-{next(_numbers)}"[-(column.type.length or 0) :]
            if isinstance(column.type, Integer):
                return next(_numbers)
        return super().get_field_value(field_meta, *args, **options)

    @classmethod
    def _column(cls, name: str) -> Any:
        return inspect(cls.__model__).columns[name]


def _requires_value(column: Any) -> bool:
    """Return whether an INSERT without this column would be refused."""
    filled = column.nullable or column.default or column.server_default or column.computed or column.identity
    return not filled and column is not column.table.autoincrement_column


def _unique_columns(column: Any) -> Iterator[Any]:
    """Yield the columns of its table that are part of something unique, be it in an expression."""
    for index in column.table.indexes:
        if index.unique:
            for expression in index.expressions:
                yield from iterate(expression)
    for constraint in column.table.constraints:
        if isinstance(constraint, UniqueConstraint):
            yield from constraint.columns
