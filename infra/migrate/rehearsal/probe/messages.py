"""A server's message without the values that it may repeat: they are rows of production."""

from __future__ import annotations

from typing import Final

#: Of PostgreSQL's source: what RAISE runs, under any SQLSTATE that a function chooses.
_RAISE: Final = "exec_stmt_raise"


def without_values(sqlstate: str, message: str, raised_by: str | None) -> str:
    """Cut what PostgreSQL and the drivers quote of a value, and what a trigger may say of one.

    Args:
        sqlstate: Empty for an error of the client's own.
        message: The primary one; a detail is all values.
        raised_by: The function of PostgreSQL's source that it comes from, where that is known.
    """
    if sqlstate.startswith("P0") or raised_by == _RAISE:
        return "a trigger or function raised an exception"
    line = " ".join(message.split())
    return line.partition(": ")[0] if sqlstate.startswith("22") or not sqlstate else line
