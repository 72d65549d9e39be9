"""The message that opens a transaction: `BEGIN` and the transaction's settings in one round trip."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

_SAFE_NAME: Final = re.compile(r"[a-z_][a-z0-9_]*(\.[a-z_][a-z0-9_]*)*")
_SAFE_VALUE: Final = re.compile(r"[A-Za-z0-9_.:-]*")


def begin_message(
    isolation: str | None, *, readonly: bool, deferrable: bool, settings: Mapping[str, str]
) -> str:
    """Return `BEGIN …; SET LOCAL …`: settings that end with the transaction, so that none leaks.

    Args:
        isolation: asyncpg's word for the level (`repeatable_read`); `None` for the server's default.
        readonly: Whether the server refuses writes.
        deferrable: PostgreSQL's DEFERRABLE, of use with SERIALIZABLE and READ ONLY only.
        settings: Names and values of `SET LOCAL`.

    Raises:
        ValueError: A name or value is not a plain word. The message takes no parameters, so whatever
            is not one must be encoded first (hex, for instance).
    """
    words = ["BEGIN"]
    if isolation:
        words.append(f"ISOLATION LEVEL {isolation.replace('_', ' ').upper()}")
    if readonly:
        words.append("READ ONLY")
    if deferrable:
        words.append("DEFERRABLE")
    return "; ".join([" ".join(words), *(set_local(*item) for item in settings.items())])


def set_local(name: str, value: str) -> str:
    """Return the statement that gives a setting to the transaction, and to nothing after it.

    Raises:
        ValueError: The name or the value is not a plain word.
    """
    if not _SAFE_NAME.fullmatch(name) or not _SAFE_VALUE.fullmatch(value):
        raise ValueError(f"{name!r} cannot ride on BEGIN: names and values are plain words there")
    return f"SET LOCAL {name} = '{value}'"
