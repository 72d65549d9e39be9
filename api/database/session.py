"""Sessions: reads in AUTOCOMMIT, writes in one transaction committed once at the edge.

One request has one session and so one connection: a request that reads (the current user) and then
writes must not wait for itself on a pool of one. `ReadSession` and `WriteSession` are two types of
that session: a function that takes a `WriteSession` cannot be called with a `ReadSession`, and a read
session refuses to write before anything is sent.

Reads in AUTOCOMMIT cost 2 round trips instead of 4; each statement sees its own snapshot. A read that
needs one snapshot for several statements asks for `consistent`.
"""

from __future__ import annotations

from contextlib import asynccontextmanager
from types import MappingProxyType
from typing import TYPE_CHECKING, Annotated, Any, Literal, NewType
from weakref import WeakKeyDictionary

from fastapi import Depends
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession
from sqlalchemy.orm import Session

from api.database.claims import SETTING, encode
from api.database.engine import get_engine
from api.database.errors import ReadOnlySessionError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Mapping

    from api.database.timeouts import Timeouts

#: A session that reads; each statement in its own snapshot unless opened by `consistent`.
ReadSession = NewType("ReadSession", AsyncSession)
#: A session inside a transaction; usable wherever a `ReadSession` is.
WriteSession = NewType("WriteSession", ReadSession)

Isolation = Literal["READ COMMITTED", "REPEATABLE READ", "SERIALIZABLE"]

_reading_engines: WeakKeyDictionary[AsyncEngine, AsyncEngine] = WeakKeyDictionary()


class BlockSession(Session):
    """What is under a `ReadSession`.

    Attributes:
        in_block: Whether it is inside a block of `write` or `consistent`.
        claims: The claims of whoever it acts for, as a setting of each of its transactions.
    """

    in_block = False
    claims: Mapping[str, str] = MappingProxyType({})


def _reading(engine: AsyncEngine) -> AsyncEngine:
    """Return the engine's variant that reads, made once: making it is a twentieth of a read's time."""
    if engine not in _reading_engines:
        _reading_engines[engine] = engine.execution_options(
            isolation_level="AUTOCOMMIT", postgresql_readonly=True
        )
    return _reading_engines[engine]


@asynccontextmanager
async def read(
    engine: AsyncEngine | None = None, *, session_class: type[BlockSession] = BlockSession
) -> AsyncIterator[ReadSession]:
    """Open a session that reads.

    Args:
        engine: Where to; the environment's unless given.
        session_class: What is under it.

    Raises:
        ReadOnlySessionError: It was asked to write, or ended with changes that nobody sent.
    """
    session = AsyncSession(
        _reading(engine or get_engine()), sync_session_class=session_class, expire_on_commit=False
    )
    try:
        yield ReadSession(session)
        if session.new or session.deleted or any(map(session.is_modified, session.dirty)):
            message = "a read session ended with changes, which would be lost; take a WriteSession"
            raise ReadOnlySessionError(message)
    finally:
        await session.close()


async def claim(session: ReadSession, claims: Mapping[str, Any]) -> None:
    """Send claims with all that this session does from now on, for policies of row-level security to read.

    They ride on each `BEGIN`. So a read, which had none, becomes a transaction: 4 round trips instead of 2.
    What the session read before is detached.

    Raises:
        ClaimsError: The claims are too large, or cannot be stored.
        RuntimeError: The session is inside a transaction, which would go on without them.
    """
    sync_session = _outside_a_block(session, "claims come before the transaction")
    sync_session.claims = {SETTING: encode(claims)}
    await session.close()  # the connection that it has would go on without them; no round trip
    bind = sync_session.get_bind().engine
    sync_session.bind = bind.execution_options(local_settings=sync_session.claims)


@asynccontextmanager
async def write(
    session: ReadSession,
    *,
    timeouts: Timeouts | None = None,
    isolation: Isolation = "READ COMMITTED",
    settings: Mapping[str, str] | None = None,
) -> AsyncIterator[WriteSession]:
    """Run one transaction in a request's session: committed at the end, rolled back on any exception.

    What the session read before is detached, so that nothing read outside the transaction is
    written back by it.

    Args:
        session: The request's session; afterwards it reads again.
        timeouts: Limits of this transaction instead of the role's; they ride on its `BEGIN`.
        isolation: The transaction's isolation level.
        settings: More `SET LOCAL`, by name; plain words only.

    Raises:
        CommitUncertainError: The connection ended under `COMMIT`.
        DatabaseError: Any other failure; nothing was committed.
    """
    async with _transaction(session, isolation, timeouts, settings, readonly=False):
        yield WriteSession(session)
        await session.commit()


@asynccontextmanager
async def consistent(session: ReadSession, *, timeouts: Timeouts | None = None) -> AsyncIterator[ReadSession]:
    """Read several statements from one snapshot (REPEATABLE READ, READ ONLY); 2 round trips more."""
    async with _transaction(session, "REPEATABLE READ", timeouts, None, readonly=True):
        yield session


@asynccontextmanager
async def _transaction(
    session: ReadSession,
    isolation: Isolation,
    timeouts: Timeouts | None,
    settings: Mapping[str, str] | None,
    *,
    readonly: bool,
) -> AsyncIterator[None]:
    """Move the session's connection out of AUTOCOMMIT, and back to reading at the end."""
    sync_session = _outside_a_block(session, "use begin_nested() for a savepoint")
    await session.close()  # gives the connection back and detaches what was read; no round trip
    local_settings = {
        **sync_session.claims,
        **(timeouts.settings() if timeouts else {}),
        **(settings or {}),
    }
    # Not session.connection(): what that wraps it in exists for asynchronous drivers only (`sync.py`).
    await session.run_sync(
        Session.connection,
        execution_options={
            "isolation_level": isolation,
            "postgresql_readonly": readonly,
            "local_settings": local_settings,
        },
    )
    sync_session.in_block = True
    try:
        yield
    finally:
        sync_session.in_block = False
        await session.close()


def _outside_a_block(session: ReadSession, hint: str) -> BlockSession:
    """Return what is under a session that may begin a transaction."""
    sync_session = session.sync_session
    if not isinstance(sync_session, BlockSession):
        message = "the session was not opened by api.database.session.read"
        raise TypeError(message)
    if sync_session.in_block:
        message = f"the session is inside a transaction already; {hint}"
        raise RuntimeError(message)
    return sync_session


async def _request_session() -> AsyncIterator[ReadSession]:
    async with read() as session:
        yield session


# "function": closed, and committed, before the response leaves. FastAPI's default would acknowledge
# a write first and commit it afterwards.
ReadSessionDep = Annotated[ReadSession, Depends(_request_session, scope="function")]


def writing(
    *, timeouts: Timeouts | None = None, isolation: Isolation = "READ COMMITTED"
) -> Callable[..., AsyncIterator[WriteSession]]:
    """Make a dependency that opens a transaction with its own limits or isolation.

    Use: `Annotated[WriteSession, Depends(writing(timeouts=…), scope="function")]`.
    """

    async def write_session(session: ReadSessionDep) -> AsyncIterator[WriteSession]:
        async with write(session, timeouts=timeouts, isolation=isolation) as writer:
            yield writer

    return write_session


WriteSessionDep = Annotated[WriteSession, Depends(writing(), scope="function")]
