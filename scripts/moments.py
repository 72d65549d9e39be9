"""How times are written on a command line: a date and time with zone, or a length such as `7d`."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

import typer

_LENGTH: Final = re.compile(r"(\d{1,6})([smhdw])")
_SECONDS: Final = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}
#: Further than any provider keeps or promises anything, and near enough to be counted with.
_LONGEST: Final = timedelta(days=36_500)
_FORM: Final = "must be a length such as 45m, 12h or 7d, or a time with its zone such as 2026-12-31T18:00:00Z"


def length(text: str) -> timedelta:
    """Read `90s`, `45m`, `12h`, `7d` or `2w`.

    Raises:
        typer.BadParameter: It is none of these, zero, or more than 100 years.
    """
    match = _LENGTH.fullmatch(text.strip())
    if match is None or int(match[1]) == 0:
        message = f"{text!r} must be a length such as 45m, 12h or 7d"
        raise typer.BadParameter(message)
    found = timedelta(seconds=int(match[1]) * _SECONDS[match[2]])
    if found > _LONGEST:
        message = f"{text!r} is longer than 100 years"
        raise typer.BadParameter(message)
    return found


@dataclass(frozen=True, slots=True)
class Expiry:
    """When something ends.

    Args:
        at: `None` for never.
        is_length: It was given as a length from now, which another run would make another time.
    """

    at: datetime | None
    is_length: bool


def expiry(text: str) -> Expiry:
    """Read a time, how long it is until then, or `never`.

    Raises:
        typer.BadParameter: It is none of these, or a time without a zone.
    """
    if text.strip() == "never":
        return Expiry(None, is_length=False)
    return Expiry(_moment(text, sign=1), is_length=_LENGTH.fullmatch(text.strip()) is not None)


def gone(text: str) -> datetime:
    """Read a time, or how long ago it was.

    Raises:
        typer.BadParameter: It is neither, or a time without a zone.
    """
    return _moment(text, sign=-1)


def _moment(text: str, *, sign: int) -> datetime:
    if _LENGTH.fullmatch(text.strip()):
        return datetime.now(UTC) + sign * length(text)
    try:
        moment = datetime.fromisoformat(text.strip())
    except ValueError as error:
        message = f"{text!r} {_FORM}"
        raise typer.BadParameter(message) from error
    if moment.tzinfo is None:
        message = f"{text!r} has no time zone: add Z for UTC, or an offset such as +02:00"
        raise typer.BadParameter(message)
    try:
        return moment.astimezone(UTC)
    except OverflowError as error:
        message = f"{text!r} is not within the years 1 to 9999 of UTC"
        raise typer.BadParameter(message) from error
