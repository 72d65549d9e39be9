"""Values that a column may hold: made up for its type, or another one of the same form."""

from __future__ import annotations

import datetime as dt
import secrets
import string
import uuid
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql as pg

if TYPE_CHECKING:
    from collections.abc import Callable

_MAX_INTEGER: Final = {sa.SmallInteger: 2**15 - 1, sa.BigInteger: 2**53, sa.Integer: 2**31 - 1}
_MADE_TEXT: Final = 16

#: Which of these a letter is replaced by is its own kind's: a hexadecimal number stays one.
_ALPHABETS: Final = (
    string.digits,
    "abcdef",
    "ABCDEF",
    string.ascii_lowercase[6:],
    string.ascii_uppercase[6:],
)


class NoValueError(Exception):
    """No value of this type can be made up; the message names the column."""


def made(column: sa.Column[Any]) -> Any:
    """Make up a value for a column that must have one.

    Raises:
        NoValueError: Its type is none of the common ones.
    """
    type_ = _plain(column.type)
    for kind, make in _MAKERS:
        if isinstance(type_, kind):
            return make(type_)
    raise NoValueError(f"no value can be made up for {column.name} of type {type_!r}")


def another(column: sa.Column[Any], value: Any) -> Any:
    """Return a value of the same form that is most likely not there yet: for unique columns."""
    type_ = _plain(column.type)
    if isinstance(value, str) and not isinstance(type_, sa.Uuid | sa.Enum):
        changed = "".join(map(_another_character, value))
        return changed if changed != value else made(column)
    if isinstance(value, bytes):
        return secrets.token_bytes(len(value) or _MADE_TEXT)
    if isinstance(value, dt.datetime | dt.date) and not isinstance(type_, sa.Time):
        return value + dt.timedelta(days=1 + secrets.randbelow(10_000))
    try:
        return made(column)
    except NoValueError:
        return value


def _another_character(character: str) -> str:
    alphabet = next((each for each in _ALPHABETS if character in each), None)
    return secrets.choice(alphabet) if alphabet else character


def _plain(type_: Any) -> Any:
    """Return the type under those that only convert values in Python; an interval is one of them."""
    while isinstance(type_, sa.types.TypeDecorator) and not isinstance(type_, sa.Interval):
        type_ = type_.impl
        type_ = type_() if isinstance(type_, type) else type_
    return type_


def _enum(type_: Any) -> Any:
    if not type_.enums:
        raise NoValueError("an enum without values")
    return type_.enum_class[type_.enums[0]] if type_.enum_class else type_.enums[0]


def _integer(type_: Any) -> int:
    return 1 + secrets.randbelow(next(top for kind, top in _MAX_INTEGER.items() if isinstance(type_, kind)))


def _numeric(type_: Any) -> Any:
    whole = (type_.precision or 10) - (type_.scale or 0)
    number = 1 + secrets.randbelow(10 ** min(whole, 9) - 1) if whole > 0 else 0
    return Decimal(number) if type_.asdecimal else float(number)


def _text(type_: Any) -> str:
    return secrets.token_hex(_MADE_TEXT // 2)[: type_.length or _MADE_TEXT]


def _uuid(type_: Any) -> Any:
    return uuid.uuid4() if type_.as_uuid else uuid.uuid4().hex


def _now(type_: Any) -> dt.datetime:
    now = dt.datetime.now(dt.UTC)
    return now if type_.timezone else now.replace(tzinfo=None)


#: In this order: the first that fits. A kind stands before those that it is a special case of.
_MAKERS: Final[tuple[tuple[Any, Callable[[Any], Any]], ...]] = (
    (sa.Enum, _enum),
    (pg.ENUM, _enum),
    (sa.Boolean, lambda _: False),
    (sa.Integer, _integer),
    (sa.Float, lambda _: 1.0),
    (sa.Numeric, _numeric),
    (sa.ARRAY, lambda _: []),
    (sa.JSON, lambda _: {}),
    (sa.Uuid, _uuid),
    (sa.DateTime, _now),
    (sa.Date, lambda _: dt.datetime.now(dt.UTC).date()),
    (sa.Time, lambda _: dt.time(12)),
    (sa.Interval, lambda _: dt.timedelta(1)),
    (pg.INTERVAL, lambda _: dt.timedelta(1)),
    (sa.LargeBinary, lambda _: secrets.token_bytes(_MADE_TEXT)),
    (pg.INET, lambda _: "127.0.0.1"),
    (pg.TSVECTOR, lambda _: ""),
    (sa.String, _text),
)
