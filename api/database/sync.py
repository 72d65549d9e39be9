"""Synchronous sessions for scripts and notebooks, over psycopg: the same models, repositories and services.

    from api.database.sync import reading, writing

    with reading() as session:
        newest = session.scalars(select(User).order_by(User.id.desc()).limit(10)).all()
        user = session.run(users.get, key)

    with writing() as session:
        session.run(users.change, key, {"is_active": False})

A session is SQLAlchemy's `Session`. Its `run` calls what the application wrote for its own sessions: a
repository's methods and a service's functions are coroutines that wait for nothing but the session, and this
session never makes them wait. So they need no event loop, and run inside the one that a notebook has.

The rules are the application's: errors are those of `api.database.errors`, a read session refuses to write, a
write is one transaction that is committed when its block ends. Each block has a connection of its own.
"""

from __future__ import annotations

import os
from contextlib import ExitStack, contextmanager
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Concatenate, ParamSpec, TypeVar, cast

from sqlalchemy import create_engine, event
from sqlalchemy.dialects import registry
from sqlalchemy.ext.asyncio import AsyncEngine, async_session
from sqlalchemy.pool import NullPool

from api.database import session as sessions
from api.database.connection_url import ConnectionUrl, ConnectionUrlError, DirectUrl, PooledUrl
from api.database.session import BlockSession, Isolation, ReadSession, WriteSession
from api.database.timeouts import Timeouts
from api.database.translation import translate

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterator, Mapping
    from contextlib import AbstractAsyncContextManager

    from sqlalchemy import Engine

P = ParamSpec("P")
T = TypeVar("T")
SessionT = TypeVar("SessionT", bound="SyncReadSession")

registry.register("postgresql.bough_sync", "api.database.sync_dialect", "Dialect")


class SyncReadSession(BlockSession):
    """A session that reads; each statement in its own snapshot unless opened with `consistent=True`."""

    def run(
        self,
        function: Callable[Concatenate[ReadSession, P], Coroutine[Any, Any, T]],
        /,
        *args: P.args,
        **kwargs: P.kwargs,
    ) -> T:
        """Call a repository's method or a service's function that reads, and return what it returns.

        Args:
            function: A coroutine function whose first argument is the session.
            args: Its other arguments.
            kwargs: Its other arguments.

        Raises:
            RuntimeError: It waited for something that is not the database.
        """
        return _run(function(_face(self), *args, **kwargs))


class SyncWriteSession(SyncReadSession):
    """A session inside a transaction; usable wherever a `SyncReadSession` is."""

    def run(
        self,
        function: Callable[Concatenate[WriteSession, P], Coroutine[Any, Any, T]],
        /,
        *args: P.args,
        **kwargs: P.kwargs,
    ) -> T:
        """Do as `SyncReadSession.run`, with a function that may write."""
        return _run(function(WriteSession(_face(self)), *args, **kwargs))


@contextmanager
def reading(
    url: ConnectionUrl | None = None,
    *,
    timeouts: Timeouts | None = None,
    claims: Mapping[str, Any] | None = None,
    consistent: bool = False,
) -> Iterator[SyncReadSession]:
    """Open a session that reads.

    Args:
        url: Where to; the environment's unless given: `DATABASE_URL_UNPOOLED`, or else `DATABASE_URL`.
        timeouts: Limits on the server; `Timeouts()` unless given.
        claims: Of whoever it acts for (`user_id` and `role`), where row-level security is switched on. The
            tables' owner, as whom the direct URL connects, is not bound by it.
        consistent: Read all statements from one snapshot, in one transaction. Rows can then be streamed.

    Raises:
        ConnectionUrlError: The environment has no URL, or one that cannot be used.
        ReadOnlySessionError: It was asked to write, or ended with changes that nobody sent.
        DatabaseError: Any other failure.
    """
    with _opened(SyncReadSession, url, timeouts, claims) as session, ExitStack() as block:
        if consistent:
            block.enter_context(_entered(sessions.consistent(_face(session))))
        yield session


@contextmanager
def writing(
    url: ConnectionUrl | None = None,
    *,
    timeouts: Timeouts | None = None,
    claims: Mapping[str, Any] | None = None,
    isolation: Isolation = "READ COMMITTED",
    settings: Mapping[str, str] | None = None,
) -> Iterator[SyncWriteSession]:
    """Open one transaction: committed at the end, rolled back on any exception.

    Args:
        url: As for `reading`.
        timeouts: As for `reading`.
        claims: As for `reading`.
        isolation: The transaction's isolation level.
        settings: More `SET LOCAL`, by name; plain words only.

    Raises:
        ConnectionUrlError: The environment has no URL, or one that cannot be used.
        CommitUncertainError: The connection ended under `COMMIT`.
        DatabaseError: Any other failure; nothing was committed.
    """
    with (
        _opened(SyncWriteSession, url, timeouts, claims) as session,
        _entered(sessions.write(_face(session), isolation=isolation, settings=settings)),
    ):
        yield session


@contextmanager
def _opened(
    kind: type[SessionT],
    url: ConnectionUrl | None,
    timeouts: Timeouts | None,
    claims: Mapping[str, Any] | None,
) -> Iterator[SessionT]:
    """Open a session of the kind outside a transaction."""
    engine = _engine(url or _url_from_environment(), timeouts or Timeouts())
    with _entered(sessions.read(engine, session_class=kind)) as face:
        if claims is not None:
            _run(sessions.claim(face, claims))
        yield cast("SessionT", face.sync_session)


class _Engine(AsyncEngine):
    """An `AsyncEngine` over a driver that never waits, which SQLAlchemy's own constructor refuses."""

    def __init__(self, sync_engine: Engine) -> None:
        self.sync_engine = self._assign_proxied(sync_engine)

    def execution_options(self, **options: Any) -> AsyncEngine:
        return _Engine(self.sync_engine.execution_options(**options))


@lru_cache(maxsize=8)
def _engine(url: ConnectionUrl, timeouts: Timeouts) -> AsyncEngine:
    # No pool: between two blocks of a notebook hours may pass, and a connection would not outlive them.
    engine = create_engine(
        url.psycopg().set(drivername="postgresql+bough_sync"),
        timeouts=timeouts,
        poolclass=NullPool,
        hide_parameters=True,
    )
    event.listen(engine, "handle_error", translate)
    return _Engine(engine)


def _url_from_environment() -> ConnectionUrl:
    kinds: dict[str, type[ConnectionUrl]] = {"DATABASE_URL_UNPOOLED": DirectUrl, "DATABASE_URL": PooledUrl}
    for name, kind in kinds.items():
        if text := os.environ.get(name):
            return kind.parse(text)
    raise ConnectionUrlError(
        f"Neither {' nor '.join(kinds)} is set",
        hint="set one, or pass one: reading(DirectUrl.parse(…)); `bough status -o json` shows the local ones",
    )


def _face(session: SyncReadSession) -> ReadSession:
    """Return the session as the application's functions take it."""
    face = async_session(session)
    if face is None:
        raise RuntimeError("the session's block has ended")
    return ReadSession(face)


@contextmanager
def _entered(manager: AbstractAsyncContextManager[T]) -> Iterator[T]:
    """Enter and leave an asynchronous context manager that never waits."""
    value = _run(manager.__aenter__())
    try:
        yield value
    except BaseException as error:
        if not _run(manager.__aexit__(type(error), error, error.__traceback__)):
            raise
    else:
        _run(manager.__aexit__(None, None, None))


def _run(coroutine: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine that never waits to its end."""
    try:
        coroutine.send(None)
    except StopIteration as done:
        return cast("T", done.value)
    coroutine.close()
    name = getattr(coroutine, "__qualname__", "it")
    raise RuntimeError(
        f"{name} waited for something that is not the database, which only an event loop can do; "
        "call it with the application's own session (api.database.session)"
    )
