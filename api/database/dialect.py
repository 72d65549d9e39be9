"""SQLAlchemy's asyncpg dialect, cut and extended for serverless; its only overrides live here.

What differs from `postgresql+asyncpg`, each pinned by a contract test (`test_dialect.py`) that fails
when SQLAlchemy changes underneath (hence the upper version bound in pyproject.toml):

- A new connection costs what asyncpg's own costs: the dialect's first-connection queries (version,
  schema, isolation level, string escapes; 8 round trips of 12, `docs/decisions/0002-connections.md`)
  are answered from what the server announced at connect.
- `BEGIN` carries the transaction's settings (`SET LOCAL`) in its own message: no extra round trip.
- No statement outlives the invocation: what runs at the deadline is cancelled on the server.
- Each statement names its request in a comment (`request_comment.py`).
- A connection that died while pooled is replaced when its first message goes unanswered: nothing
  was executed yet, so that is safe for writes too. A lost read is repeated once.
- A broken connection is dropped without a graceful close, which would wait 2 s for a dead peer.
"""

from __future__ import annotations

import asyncio
import time
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, ClassVar, Final

import asyncpg
from sqlalchemy.dialects.postgresql.asyncpg import (
    AsyncAdapt_asyncpg_connection,
    AsyncAdapt_asyncpg_cursor,
    AsyncAdapt_asyncpg_dbapi,
    AsyncAdapt_asyncpg_ss_cursor,
    PGDialect_asyncpg,
)
from sqlalchemy.engine.characteristics import ConnectionCharacteristic
from sqlalchemy.util import await_only

from api.database.begin import begin_message
from api.database.connect import connect
from api.database.reading import refuse_write
from api.database.request_comment import with_request_id
from api.database.statistics import count, statistics
from api.database.timeouts import DEADLINE_MARGIN, Timeouts, remaining

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Mapping

    from sqlalchemy.engine.interfaces import DBAPIConnection

#: Seconds that the first message on a pooled connection may stay unanswered before another
#: connection is opened. A parse or a BEGIN is answered at once by a living server; one that waits
#: (for the pooler, for a lock of a migration) loses nothing but its place.
FIRST_ANSWER_TIMEOUT: Final = 4.0


class DBAPI(AsyncAdapt_asyncpg_dbapi):
    """The adapter's exceptions, and three of our own for `translation.py` to tell apart."""

    class DeadlineExceeded(AsyncAdapt_asyncpg_dbapi.OperationalError):
        """The invocation's time ran out under the statement."""

    class ConnectionLost(AsyncAdapt_asyncpg_dbapi.OperationalError):
        """The server went silent or the socket closed."""

    class CommitUncertain(AsyncAdapt_asyncpg_dbapi.OperationalError):
        """The connection ended under COMMIT."""

    class CommitRefused(AsyncAdapt_asyncpg_dbapi.OperationalError):
        """The server answered COMMIT with ROLLBACK: an earlier error was swallowed."""


class _Transaction:
    """What the adapter wants of a transaction, with a `BEGIN` of our own words."""

    def __init__(self, connection: Connection, begin: str) -> None:
        self._connection = connection
        self._begin = begin

    async def start(self) -> None:
        await self._connection.run(self._begin)

    async def commit(self) -> None:
        status = await self._connection.run("COMMIT")
        if status != "COMMIT":
            message = f"the server answered COMMIT with {status}: a statement of the transaction had failed"
            raise self._connection.dbapi.CommitRefused(message)

    async def rollback(self) -> None:
        await self._connection.run("ROLLBACK")


class Cursor(AsyncAdapt_asyncpg_cursor):
    """Runs one statement within the deadline, repeating it where that is safe."""

    __slots__ = ()
    _adapt_connection: Connection

    async def _prepare_and_execute(self, operation: Any, parameters: Any) -> None:
        self._adapt_connection.refuse_write(operation)
        run, named = super()._prepare_and_execute, with_request_id(operation)
        await self._adapt_connection.attempt(lambda: run(named, parameters), self)

    async def _executemany(self, operation: Any, seq_of_parameters: Any) -> Any:
        self._adapt_connection.refuse_write(operation)
        count(statements=1, round_trips=2)
        run, named = super()._executemany, with_request_id(operation)
        return await self._adapt_connection.attempt(lambda: run(named, seq_of_parameters), self)


class ServerSideCursor(AsyncAdapt_asyncpg_ss_cursor, Cursor):
    """The same for `stream()`, each batch within the deadline."""

    __slots__ = ()

    async def _prepare_and_execute(self, operation: Any, parameters: Any) -> None:
        await super()._prepare_and_execute(operation, parameters)
        self._cursor = _Batches(self._adapt_connection, self._cursor)


class _Batches:
    """An asyncpg cursor whose fetches keep to the deadline."""

    def __init__(self, connection: Connection, cursor: Any) -> None:
        self._connection = connection
        self._cursor = cursor
        self._ended = False

    async def fetch(self, size: int) -> Any:
        if not self._ended:  # then asyncpg asks no more
            count(round_trips=1)
        async with self._connection.within_deadline():
            rows = await self._cursor.fetch(size)
        self._ended = len(rows) < size
        return rows


class Connection(AsyncAdapt_asyncpg_connection):
    """One pooled connection; the asyncpg connection inside it may be replaced."""

    __slots__ = ("_acknowledged", "_dialect", "_open", "_reused", "local_settings")
    _cursor_cls = Cursor
    _ss_cursor_cls = ServerSideCursor

    def __init__(self, dialect: Dialect, connection: Any, open_: Callable[[], Awaitable[Any]]) -> None:
        """Wrap an open asyncpg connection and remember how to open another."""
        super().__init__(dialect.loaded_dbapi, connection, prepared_statement_cache_size=0)
        self._dialect = dialect
        self._open = open_
        self._reused = False
        self._acknowledged = False
        self.local_settings: Mapping[str, str] = {}

    def checked_out(self) -> None:
        """Start a new use of a pooled connection: its first message proves that it lives."""
        self._reused = True
        self._acknowledged = False

    def is_closed(self) -> bool:
        """Return whether the socket is known to be closed; asks nobody."""
        return bool(self._connection.is_closed())

    def refuse_write(self, statement: str) -> None:
        """Refuse what a connection that reads must not send: the server would not, in AUTOCOMMIT.

        Raises:
            ReadOnlySessionError: The statement writes.
        """
        if self.readonly:
            refuse_write(statement)

    async def run(self, statement: str) -> str:
        """Send one simple-protocol message and return the last command's tag."""
        count(statements=1, round_trips=1)
        return str(await self._connection.execute(with_request_id(statement)))  # type: ignore[attr-defined]

    async def attempt(self, run: Callable[[], Awaitable[Any]], cursor: Cursor) -> Any:
        """Run a statement, within the deadline; repeat it once on a new connection where safe."""
        async with self.within_deadline():
            try:
                return await run()
            except (self.dbapi.Error, OSError):
                if not self._may_repeat():
                    if self.autocommit:
                        # A BEGIN for want of time must not make the next read fail with this one.
                        await self._roll_back()
                    raise
                self._connection = await self._open()
                await self._dialect.setup_asyncpg_json_codec(self)
                await self._dialect.setup_asyncpg_jsonb_codec(self)
                self._reused, self._acknowledged = False, True
                cursor._connection = self._connection  # noqa: SLF001  the cursor keeps its own reference
                return await run()

    def _may_repeat(self) -> bool:
        """Nothing was executed yet, or it was a read; and the loss is the connection's, not ours."""
        if not self.is_closed() or self._transaction is not None:
            return False
        return not self._acknowledged or (self.autocommit and self.readonly)

    @asynccontextmanager
    async def within_deadline(self) -> AsyncIterator[None]:
        """Count the time, and cancel on the server what the deadline finds running."""
        left = remaining()
        if left is not None and left <= 0:
            message = "no time was left of the invocation; nothing was sent"
            raise self.dbapi.DeadlineExceeded(message)
        counters = statistics.get()
        counted, started = counters.seconds if counters else 0.0, time.perf_counter()
        try:
            async with asyncio.timeout(left) as limit:
                yield
        except asyncio.CancelledError:
            # The request was given up: the server need not go on either.
            await self._close()
            raise
        except TimeoutError as error:
            if not limit.expired():
                raise
            await self._close()
            message = "the invocation's time ran out; the statement was cancelled"
            raise self.dbapi.DeadlineExceeded(message) from error
        finally:
            if counters:
                # Not +=: what a connection opened meanwhile took is part of it, and was counted there.
                counters.seconds = counted + time.perf_counter() - started

    def close(self) -> None:
        """Close in the server's sight, but not for longer than a peer that is gone deserves."""
        await_only(self._close())

    async def _close(self) -> None:
        """Have what still runs cancelled on the server, wait for its answer, then close."""
        self._transaction = None
        try:
            await self._connection.close(timeout=DEADLINE_MARGIN / 2)  # type: ignore[arg-type]  # asyncpg takes a float
        except (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError):
            self._connection.terminate()

    @asynccontextmanager
    async def _first_answer(self) -> AsyncIterator[None]:
        """Bound the wait for the first answer on a pooled connection."""
        limit = FIRST_ANSWER_TIMEOUT if self._reused and not self._acknowledged else None
        try:
            async with asyncio.timeout(limit) as waiting:
                yield
        except TimeoutError as error:
            if not waiting.expired():
                raise
            self.terminate()
            message = f"the pooled connection gave no answer within {FIRST_ANSWER_TIMEOUT} s"
            raise self.dbapi.ConnectionLost(message) from error
        except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
            if not self._connection.is_closed():
                self._acknowledged = True
            self._handle_exception(error)
        self._acknowledged = True

    async def _prepare(self, operation: Any, invalidate_timestamp: float) -> Any:
        count(statements=1, round_trips=1)
        async with self._first_answer():
            prepared = await super()._prepare(operation, invalidate_timestamp)
        count(round_trips=1)  # it is always executed next
        return prepared

    async def _start_transaction(self) -> None:
        begin = self._begin()
        if begin is None:
            return
        # Kept before it is acknowledged: where a setting is refused, its BEGIN has taken effect already.
        self._transaction = _Transaction(self, begin)
        async with self._first_answer():
            await self._transaction.start()

    def _begin(self) -> str | None:
        """Return the message that opens the transaction; `None` for a plain AUTOCOMMIT statement."""
        settings = dict(self.local_settings)
        left = remaining()
        if left is not None and left < self._dialect.statement_timeout(settings):
            settings["statement_timeout"] = f"{max(1, int(left * 1000))}ms"
        if self.autocommit and not (self.readonly and settings):
            return None  # a write in AUTOCOMMIT has nobody to send its COMMIT
        isolation = None if self.autocommit else self.isolation_level
        return begin_message(isolation, readonly=self.readonly, deferrable=self.deferrable, settings=settings)

    async def _call_and_discard(self, fn: Callable[[], Awaitable[Any]]) -> None:
        async with self.within_deadline():
            await super()._call_and_discard(fn)

    def commit(self) -> None:
        """Commit within the deadline.

        Raises:
            CommitUncertain: The connection ended before the server answered.
        """
        try:
            super().commit()
        except self.dbapi.CommitRefused:
            raise
        except Exception as error:
            if self.is_closed():
                message = "the connection ended under COMMIT"
                raise self.dbapi.CommitUncertain(message) from error
            raise

    def rollback(self) -> None:
        """Roll back; never fails, and never for want of time: a dropped connection rolls back too."""
        if self._transaction is not None:
            await_only(self._roll_back())

    async def _roll_back(self) -> None:
        transaction, self._transaction = self._transaction, None
        if transaction is None:
            return
        try:
            async with asyncio.timeout(DEADLINE_MARGIN / 2):
                await transaction.rollback()
        except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError):  # TimeoutError is an OSError
            self._connection.terminate()

    def terminate(self) -> None:
        """Abort the socket at once: a graceful close waits for a peer that may be gone."""
        self._terminate_force_close()


class LocalSettings(ConnectionCharacteristic):
    """The execution option `local_settings`: names and values for the transaction's `SET LOCAL`."""

    transactional: ClassVar[bool] = True

    def reset_characteristic(self, dialect: Any, dbapi_conn: DBAPIConnection) -> None:  # noqa: ARG002
        """Return to the role's defaults."""
        dbapi_conn.local_settings = {}

    def set_characteristic(self, dialect: Any, dbapi_conn: DBAPIConnection, value: Any) -> None:  # noqa: ARG002
        """Keep the settings for the next `BEGIN`."""
        dbapi_conn.local_settings = value

    def get_characteristic(self, dialect: Any, dbapi_conn: DBAPIConnection) -> Any:  # noqa: ARG002
        """Return what the next `BEGIN` will set."""
        return dbapi_conn.local_settings


class Dialect(PGDialect_asyncpg):
    """`postgresql+bough`.

    Args:
        role_timeouts: What the role has by default; a transaction whose invocation has less time
            left than its statement timeout carries its own.
        connector: Opens connections instead of the engine's URL.
    """

    supports_statement_cache = True
    connection_characteristics = PGDialect_asyncpg.connection_characteristics.union(
        {"local_settings": LocalSettings()}
    )

    def __init__(
        self,
        role_timeouts: Timeouts | None = None,
        connector: Callable[[], Awaitable[Any]] | None = None,
        **options: Any,
    ) -> None:
        """Keep what is ours; SQLAlchemy passes the rest."""
        super().__init__(**options)
        self.role_timeouts = role_timeouts or Timeouts()
        self._connector = connector

    @classmethod
    def import_dbapi(cls) -> Any:
        """Return asyncpg, adapted."""
        return DBAPI(asyncpg)

    def statement_timeout(self, settings: Mapping[str, str]) -> float:
        """Return the statement timeout in force under `settings`, in seconds."""
        own = settings.get("statement_timeout")
        return self.role_timeouts.statement if own is None else int(own.removesuffix("ms")) / 1000

    def connect(self, *args: Any, **options: Any) -> Any:
        """Open a connection.

        Raises:
            DatabaseUnavailableError: Refused, unreachable, not in time, or no time left.
            DatabaseAuthenticationError: Wrong user or password.
        """
        if args:
            raise TypeError("asyncpg's arguments come by name")

        async def open_() -> Any:
            return await (self._connector() if self._connector else connect(options))

        return Connection(self, await_only(open_()), open_)

    def _get_server_version_info(self, connection: Any) -> tuple[int, ...]:
        version = _driver(connection).get_server_version()
        return (version.major, version.micro)  # asyncpg counts 18.4 as 18.0.4

    def _get_default_schema_name(self, connection: Any) -> str:  # noqa: ARG002  the hook's signature
        # Only reflection asks; the application never reflects.
        return "public"

    def get_default_isolation_level(self, dbapi_conn: Any) -> Any:  # noqa: ARG002
        """Return PostgreSQL's own default without asking."""
        return "READ COMMITTED"

    def _set_backslash_escapes(self, connection: Any) -> None:
        settings = _driver(connection).get_settings()
        self._backslash_escapes = settings.standard_conforming_strings == "off"


def _driver(connection: Any) -> Any:
    """Return the asyncpg connection under a SQLAlchemy connection."""
    return connection.connection.dbapi_connection.driver_connection
