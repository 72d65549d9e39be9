"""SQLAlchemy's psycopg dialect with this kit's rules, for `api.database.sync`; it does not ship to Lambda.

What differs from `postgresql+psycopg`, as far as it goes the same as in `dialect.py`:

- Every transaction carries its timeouts as `SET LOCAL`, so that they hold on both kinds of URL and no other
  client of a pooler sees them.
- A statement of a read session runs in a `READ ONLY` transaction of its own: in AUTOCOMMIT the server would
  neither refuse a write nor keep a timeout.
- A `COMMIT` that could not have taken effect, or whose effect is unknown, is an error.
- No prepared statements: behind a pooler the next statement may reach another server process.
- `infinity` among dates is the last day that Python has, and `-infinity` the first, as asyncpg has it.
- The cursor has the one coroutine that `AsyncSession` awaits of a driver's, and it is done at once.
"""

from __future__ import annotations

from contextlib import contextmanager, suppress
from datetime import date
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy.dialects.postgresql.psycopg import PGDialect_psycopg

from api.database.begin import set_local
from api.database.connect import CONNECT_TIMEOUT
from api.database.dialect import LocalSettings
from api.database.errors import CommitUncertainError, DatabaseError, ReadOnlySessionError
from api.database.reading import refuse_write
from api.database.timeouts import Timeouts
from api.database.translation import translate_connect_error

if TYPE_CHECKING:
    from collections.abc import Iterator

_MISSING: Final = (
    "psycopg is not installed: synchronous sessions are for scripts and notebooks, and what ships to Lambda"
    " uses api.database.session; install it with: uv add --dev 'psycopg[binary]'"
)


async def _soft_close(_cursor: Any) -> None:
    """Do nothing: psycopg's rows are here when the statement is done."""


class Dialect(PGDialect_psycopg):
    """`postgresql+bough_sync`.

    Args:
        timeouts: What every transaction carries that says nothing else.
    """

    supports_statement_cache = True
    connection_characteristics = PGDialect_psycopg.connection_characteristics.union(
        {"local_settings": LocalSettings()}
    )

    def __init__(self, timeouts: Timeouts | None = None, **options: Any) -> None:
        """Keep the timeouts; SQLAlchemy passes the rest."""
        super().__init__(use_native_hstore=False, **options)
        self.timeouts = timeouts or Timeouts()

    @classmethod
    def import_dbapi(cls) -> Any:
        """Return psycopg.

        Raises:
            ModuleNotFoundError: It is not installed.
        """
        try:
            return super().import_dbapi()
        except ModuleNotFoundError as error:
            raise ModuleNotFoundError(_MISSING, name=error.name) from error

    @cached_property
    def _connection_class(self) -> Any:
        return type("Connection", (self.loaded_dbapi.Connection,), {"local_settings": {}})

    @cached_property
    def _cursor_class(self) -> Any:
        return type("Cursor", (self.loaded_dbapi.Cursor,), {"_async_soft_close": _soft_close})

    @cached_property
    def _date_adapters(self) -> tuple[Any, Any]:
        """Return the classes that read and write dates, made as psycopg's documentation makes them."""
        types = self.loaded_dbapi.types.datetime
        infinite = {date.max: b"infinity", date.min: b"-infinity"}
        finite = {text: value for value, text in infinite.items()}

        def load(loader: Any, data: Any) -> Any:
            return finite.get(bytes(data)) or types.DateLoader.load(loader, data)

        def dump(dumper: Any, value: date) -> Any:
            return infinite.get(value) or types.DateDumper.dump(dumper, value)

        return type("Loader", (types.DateLoader,), {"load": load}), type(
            "Dumper", (types.DateDumper,), {"dump": dump}
        )

    def connect(self, *args: Any, **options: Any) -> Any:
        """Open a connection.

        Raises:
            DatabaseUnavailableError: Refused, unreachable, or not in time.
            DatabaseAuthenticationError: Wrong user or password.
        """
        options = {"connect_timeout": round(CONNECT_TIMEOUT), **options}
        try:
            connection = self._connection_class.connect(
                *args, cursor_factory=self._cursor_class, prepare_threshold=None, **options
            )
        except self.loaded_dbapi.Error as error:
            raise translate_connect_error(error, float(options["connect_timeout"])) from error
        loader, dumper = self._date_adapters
        connection.adapters.register_loader("date", loader)
        connection.adapters.register_dumper(date, dumper)
        return connection

    def set_isolation_level(self, dbapi_connection: Any, level: Any) -> None:
        """Set it, except on a connection that has ended, which SQLAlchemy would put back in order."""
        if not dbapi_connection.closed:
            super().set_isolation_level(dbapi_connection, level)

    def set_readonly(self, connection: Any, value: bool) -> None:  # noqa: FBT001  SQLAlchemy's signature
        """Set it, except on a connection that has ended."""
        if not connection.closed:
            super().set_readonly(connection, value)

    def do_begin(self, dbapi_connection: Any) -> None:
        """Give the transaction its settings; psycopg sends the `BEGIN` before them."""
        if not dbapi_connection.autocommit:
            dbapi_connection.execute(self._settings(dbapi_connection))

    def do_commit(self, dbapi_connection: Any) -> None:
        """Commit.

        Raises:
            DatabaseError: A statement had failed and its error was swallowed.
            CommitUncertainError: The connection ended before the server answered.
        """
        connection = dbapi_connection.dbapi_connection  # out of the pool's wrapping
        if connection.info.transaction_status.name == "INERROR":
            connection.rollback()
            raise DatabaseError("nothing was committed: a statement of the transaction had failed")
        try:
            connection.commit()
        except self.loaded_dbapi.Error as error:
            if connection.closed:
                raise CommitUncertainError("the connection ended under COMMIT") from error
            raise

    def do_rollback(self, dbapi_connection: Any) -> None:
        """Roll back; never fails: a dropped connection rolls back too."""
        with suppress(self.loaded_dbapi.Error):
            super().do_rollback(dbapi_connection)

    def do_execute(self, cursor: Any, statement: str, parameters: Any, context: Any = None) -> None:
        """Run a statement, of a read session in a transaction of its own."""
        with self._reading(cursor, statement):
            super().do_execute(cursor, statement, parameters, context)

    def do_executemany(self, cursor: Any, statement: str, parameters: Any, context: Any = None) -> None:
        """Run a statement for each of several sets of parameters."""
        with self._reading(cursor, statement):
            super().do_executemany(cursor, statement, parameters, context)

    @contextmanager
    def _reading(self, cursor: Any, statement: str) -> Iterator[None]:
        connection = cursor.connection
        if not connection.read_only:
            yield
            return
        refuse_write(statement)
        try:
            if not connection.autocommit:
                yield
            elif isinstance(cursor, self.loaded_dbapi.ServerCursor):
                raise DatabaseError("rows are streamed in one transaction: reading(consistent=True)")
            else:
                with connection.transaction():
                    connection.execute(self._settings(connection))
                    yield
        except self.loaded_dbapi.errors.ReadOnlySqlTransaction as error:
            raise ReadOnlySessionError("a function that writes, in a session that reads") from error

    def _settings(self, connection: Any) -> str:
        settings = {**self.timeouts.settings(), **connection.local_settings}
        return "; ".join(set_local(*item) for item in settings.items())
