"""A server's message without the values that it may repeat: they are rows of production."""

from __future__ import annotations


def without_values(sqlstate: str, message: str) -> str:
    """Cut what PostgreSQL and the drivers quote of a value, and what a trigger may say of one.

    Args:
        sqlstate: Empty for an error of the client's own.
        message: The primary one; a detail is all values.
    """
    if sqlstate.startswith("P0"):
        return "a trigger or function raised an exception"
    line = " ".join(message.split())
    return line.partition(": ")[0] if sqlstate.startswith("22") or not sqlstate else line
