"""Statements as they pass through psycopg, whoever sends them: Alembic, SQLAlchemy, or COPY past both."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Protocol

import psycopg
from psycopg import sql

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from contextlib import AbstractContextManager

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


def _text(query: Any, cursor: Cursor) -> str:
    if isinstance(query, sql.Composable):
        return query.as_string(cursor)
    return query.decode(errors="replace") if isinstance(query, bytes) else str(query)
