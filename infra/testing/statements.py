"""The statements that code sends, to be counted: the number must not grow with the number of rows."""

from __future__ import annotations

from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

from sqlalchemy import Engine, event

if TYPE_CHECKING:
    from collections.abc import Iterator

_sent: ContextVar[list[str] | None] = ContextVar("sent", default=None)


@contextmanager
def count_statements() -> Iterator[list[str]]:
    """Collect the SQL that runs inside, on any engine; BEGIN and COMMIT are not among it.

    Use: `with count_statements() as statements: …`, then `assert len(statements) == 2`.
    """
    sent: list[str] = []
    token = _sent.set(sent)
    try:
        yield sent
    finally:
        _sent.reset(token)


@event.listens_for(Engine, "before_cursor_execute")
def _collect(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
    sent = _sent.get()
    if sent is not None:
        sent.append(statement)
