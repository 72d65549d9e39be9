"""Keyset pagination: a page starts after the last row of the one before, found by index, however far in.

No total is counted: that would read the whole table for each page.

Use, with `(Post.created_at, Post.id)` unique together and indexed::

    ORDER = (Post.created_at, Post.id)
    rows = (await session.scalars(keyset(select(Post), ORDER, cursor, limit, descending=True))).all()
    posts, next_cursor = cut(rows, ORDER, limit)
"""

from __future__ import annotations

import json
import re
from base64 import urlsafe_b64decode, urlsafe_b64encode
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Annotated, Any, Final, Generic, TypeAlias, TypeVar, cast
from uuid import UUID

from fastapi import Query
from pydantic import BaseModel, Field
from sqlalchemy import BigInteger, Numeric, Select, SmallInteger, TypeDecorator, literal, tuple_

from api.web.problems import BadRequestError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy.orm import Mapped
    from sqlalchemy.sql.elements import KeyedColumnElement
    from sqlalchemy.types import TypeEngine

MAX_LIMIT: Final = 100
DEFAULT_LIMIT: Final = 20
#: Enough for a text of 200 characters, whichever they are, and a key.
_MAX_CURSOR: Final = 2048
#: What `str` makes of a `numeric` column's values; what is infinite or not a number has no place in an order.
_DECIMAL: Final = re.compile(r"-?[0-9]{1,100}(\.[0-9]{1,100})?(E[+-][0-9]{1,3})?")

Limit = Annotated[int, Query(ge=1, le=MAX_LIMIT, description="How many items at most.")]
Cursor = Annotated[
    str | None,
    Query(max_length=_MAX_CURSOR, description="`next_cursor` of the page before; none for the first page."),
]


#: A mapped attribute (of a SQLModel class: `col(Task.id)`), a table's column or a label of a subquery.
KeyColumn: TypeAlias = "Mapped[Any] | KeyedColumnElement[Any]"
KeyValue: TypeAlias = UUID | datetime | date | Decimal | str | int

T = TypeVar("T")
SelectT = TypeVar("SelectT", bound=Select[Any])


class Page(BaseModel, Generic[T]):
    """A part of a list, in the list's order."""

    items: list[T] = Field(description="`limit` of them at most.")
    next_cursor: str | None = Field(
        description="Pass it as `cursor` for the next page; null on the last page."
    )


class InvalidCursorError(BadRequestError):
    """The cursor was not made by this list."""

    code = "INVALID_CURSOR"


def keyset(
    statement: SelectT,
    columns: Sequence[KeyColumn],
    cursor: str | None,
    limit: int,
    *,
    descending: bool = False,
) -> SelectT:
    """Order `statement` by `columns`, start it after `cursor`, and ask for one row more than `limit`.

    Args:
        statement: What to list.
        columns: The order; together unique, none of them nullable, of type uuid, datetime, date, Decimal,
            str or int.
        cursor: What `cut` returned with the page before.
        limit: The page's size; the row beyond it tells `cut` that there is another page.
        descending: Turn the order of all columns round.

    Raises:
        InvalidCursorError: The cursor was not made for these columns.
    """
    order = [column.desc() if descending else column.asc() for column in columns]
    statement = statement.order_by(*order).limit(limit + 1)
    if cursor is None:
        return statement
    position = tuple_(
        *(
            literal(value, column.type)
            for value, column in zip(_decode(cursor, _keyed(columns)), _keyed(columns), strict=True)
        )
    )
    row = tuple_(*columns)
    return statement.where(row < position if descending else row > position)


def cut(rows: Sequence[T], columns: Sequence[KeyColumn], limit: int) -> tuple[list[T], str | None]:
    """Return the page's rows and, when there are more, the cursor of the next page."""
    page = list(rows[:limit])
    if len(rows) <= limit:
        return page, None
    return page, _encode([getattr(page[-1], column.key) for column in _keyed(columns)])


def _encode(values: Sequence[KeyValue]) -> str:
    plain = [value if isinstance(value, str | int) else str(value) for value in values]
    text = json.dumps(plain, separators=(",", ":"), ensure_ascii=False)
    return urlsafe_b64encode(text.encode()).decode().rstrip("=")


def _keyed(columns: Sequence[KeyColumn]) -> Sequence[KeyedColumnElement[Any]]:
    """Return the columns with their `key` and `type`, which `Mapped` does not declare."""
    return cast("Sequence[KeyedColumnElement[Any]]", columns)


def _decode(cursor: str, columns: Sequence[KeyedColumnElement[Any]]) -> list[KeyValue]:
    try:
        plain = json.loads(urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
        return [_value(value, column) for value, column in zip(plain, columns, strict=True)]
    # TypeError: not a list; RecursionError: very many lists; OverflowError: no moment.
    except (TypeError, ValueError, RecursionError, OverflowError):
        message = "The cursor is not one of this list; start again without it."
        raise InvalidCursorError(message) from None


def _value(value: object, column: KeyedColumnElement[Any]) -> KeyValue:
    """Return the value in the column's type, or refuse what PostgreSQL would not take as one."""
    # What the application made of a type (SQLModel of `datetime` and `str`) is read as what it stores.
    stored = column.type.impl_instance if isinstance(column.type, TypeDecorator) else column.type
    kind = stored.python_type
    if kind is int and type(value) is int:
        bits = 63 if isinstance(stored, BigInteger) else 15 if isinstance(stored, SmallInteger) else 31
        if -(1 << bits) <= value < 1 << bits:
            return value
    elif isinstance(value, str):
        if kind is UUID:
            return UUID(value)
        if kind is datetime:
            return _moment(value, aware=getattr(stored, "timezone", False))
        if kind is date:
            return date.fromisoformat(value)
        if kind is Decimal and _DECIMAL.fullmatch(value):
            number = Decimal(value)
            if number.copy_abs() <= _largest(stored):
                return number
        if kind is str and "\0" not in value:
            value.encode()  # UnicodeEncodeError, a ValueError, on half of a surrogate pair
            return value
    raise ValueError


def _moment(text: str, *, aware: bool) -> datetime:
    moment = datetime.fromisoformat(text)
    if (moment.tzinfo is not None) != aware:
        raise ValueError
    # An OverflowError outside of the years that there are, here and not from the driver.
    return moment.astimezone(UTC) if aware else moment


def _largest(stored: TypeEngine[Any]) -> Decimal:
    """Return the largest value of a `numeric` column, which may have no limit."""
    if not isinstance(stored, Numeric) or stored.precision is None:
        return Decimal("Infinity")
    return Decimal((0, (9,) * stored.precision, -(stored.scale or 0)))
