"""Values that JSON has no type for: dates, times, ids and decimals, which clients send as text.

A strict model takes no text for them, because FastAPI validates what the JSON parser made; a lax one takes
too much, such as a number of seconds for a date. These take one form each, and nothing else.
"""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, time
from decimal import Decimal
from typing import TYPE_CHECKING, Annotated, Any, Final
from uuid import UUID

from pydantic import BeforeValidator, Field, WithJsonSchema

if TYPE_CHECKING:
    from collections.abc import Callable


def _from_text(parse: Callable[[str], Any], pattern: str, form: str) -> BeforeValidator:
    """Make the validator that reads a value from its text.

    Args:
        parse: Raises `ValueError` where the text has the pattern and is no value all the same.
        pattern: What the whole text matches.
        form: How it is written, for people.
    """

    def read(value: object) -> object:
        if isinstance(value, str) and re.fullmatch(pattern, value, re.ASCII):
            try:
                return parse(value)
            except ValueError:
                pass
        elif not isinstance(value, str | int | float):
            return value  # made in Python already, or refused by the type itself
        message = f"send text such as {form}"
        raise ValueError(message)

    return BeforeValidator(read)


def _date(text: str) -> date:
    """Refuse the first and the last day that Python has: to the driver they stand for infinity."""
    value = date.fromisoformat(text)
    if value in (date.min, date.max):
        raise ValueError
    return value


JsonDate = Annotated[date, _from_text(_date, r"\d{4}-\d\d-\d\d", '"2026-11-21"')]


def _moment(text: str) -> datetime:
    """Refuse what is outside of Python's calendar once it is in UTC, as the driver needs it."""
    try:
        return datetime.fromisoformat(text).astimezone(UTC)
    except OverflowError as error:
        raise ValueError from error


#: A moment in RFC 3339's form, which has a time zone.
JsonDatetime = Annotated[
    datetime,
    _from_text(
        _moment,
        r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,6})?(Z|[+-]\d\d:\d\d)",
        '"2026-11-21T16:30:00Z"',
    ),
]
#: Of the day, without a time zone.
JsonTime = Annotated[
    time,
    _from_text(time.fromisoformat, r"\d\d:\d\d(:\d\d)?", '"16:30"'),
    # Not JSON Schema's format `time`, which has a time zone.
    WithJsonSchema(
        {"type": "string", "pattern": r"^([01][0-9]|2[0-3]):[0-5][0-9](:[0-5][0-9])?$", "examples": ["16:30"]}
    ),
]
_UUID: Final = "0190a6a4-0000-7000-8000-000000000001"
JsonUuid = Annotated[UUID, _from_text(UUID, r"[0-9A-Fa-f-]{36}", f'"{_UUID}"'), Field(examples=[_UUID])]
#: Exact: a JSON number has passed through a float by the time it is seen here.
JsonDecimal = Annotated[Decimal, _from_text(Decimal, r"-?\d{1,30}(\.\d{1,30})?", '"19.90"')]
