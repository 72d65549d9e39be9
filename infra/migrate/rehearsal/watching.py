"""Statements as they pass through psycopg, whoever sends them: Alembic, SQLAlchemy, or COPY past both."""

from __future__ import annotations

import sys
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import psycopg
from alembic.runtime.migration import MigrationContext
from psycopg import sql

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from contextlib import AbstractContextManager
    from pathlib import Path
    from types import FrameType

    Cursor = psycopg.Cursor[Any]


class Watch(Protocol):
    """Is entered around every statement."""

    def __call__(self, cursor: Cursor, statement: str, /) -> AbstractContextManager[None]:
        """Return what is entered before the statement is sent, and left when it was answered."""


def watching_cursor(watch: Watch) -> type[Cursor]:
    """Return a class of cursors that `watch` is told of."""

    class WatchingCursor(psycopg.Cursor[Any]):
        def execute(self, query: Any, *args: Any, **kwargs: Any) -> Any:
            with watch(self, _text(query, self)):
                return super().execute(query, *args, **kwargs)

        def executemany(self, query: Any, params_seq: Iterable[Any], **kwargs: Any) -> None:
            with watch(self, _text(query, self)):
                super().executemany(query, params_seq, **kwargs)

        @contextmanager
        def copy(self, statement: Any, *args: Any, **kwargs: Any) -> Iterator[psycopg.Copy]:
            with watch(self, _text(statement, self)), super().copy(statement, *args, **kwargs) as copy:
                yield copy

    return WatchingCursor


@dataclass(frozen=True, slots=True)
class Origin:
    """A revision's own statement comes from its `upgrade` or `downgrade`.

    Args:
        line: Of the revision's file, the innermost; `None` where the function stands in another one.
    """

    line: int | None


def origin(path: Path) -> Origin | None:
    """Return where the revision in a file is now; `None` in the bookkeeping around it."""
    name = str(path)
    inner: FrameType | None = None
    frame: FrameType | None = sys._getframe(1)  # noqa: SLF001  inspect.stack() reads every file on the way
    while frame is not None:
        if frame.f_code.co_filename == name:
            return Origin(frame.f_lineno)
        if frame.f_code is MigrationContext.run_migrations.__code__:
            own = inner is not None and inner.f_code.co_name in {"upgrade", "downgrade"}
            return Origin(None) if own else None
        inner, frame = frame, frame.f_back
    return None


def _text(query: Any, cursor: Cursor) -> str:
    if isinstance(query, sql.Composable):
        return query.as_string(cursor)
    return query.decode(errors="replace") if isinstance(query, bytes) else str(query)
