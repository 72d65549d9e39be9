"""The one connection that a migration runs on: direct, with timeouts that are proven."""

from __future__ import annotations

import json
import os
import socket
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any, Final

import psycopg
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from psycopg.pq import ExecStatus

from api.database.connection_url import DirectUrl
from api.database.timeouts import Timeouts
from infra.migrate.errors import (
    DatabaseUnreachableError,
    MeasurementError,
    MigrationError,
    PooledUrlRefusedError,
    TimeoutsNotInForceError,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    import sqlalchemy as sa

    Connection = psycopg.Connection[tuple[Any, ...]]

#: What holds where `[tool.bough.migrate]` does not say otherwise. A lock is given up soon, because every
#: later query of that table queues behind who waits for it; a statement may run long, because most take
#: no lock that matters.
TIMEOUTS: Final = Timeouts(statement=900.0, lock=5.0, idle_in_transaction=300.0)

#: Seconds; libpq itself would wait for as long as the network lets it.
_CONNECT_TIMEOUT: Final = 10

#: Seconds. A connection that is silent while a long statement runs is forgotten by some gateways
#: (AWS's after 350 s), unless something moves on it.
_KEEPALIVES: Final = {"keepalives_idle": 60, "keepalives_interval": 15, "keepalives_count": 4}

#: How often the server looks, while it runs a statement, whether the client is still there.
_CLIENT_CHECK: Final = {"client_connection_check_interval": "2000ms"}


@contextmanager
def open_connection(url: DirectUrl, timeouts: Timeouts) -> Iterator[Connection]:
    """Connect in autocommit, with timeouts that the server confirmed, and close at the end.

    They are set by statements, not by connection options: Supavisor drops those in silence.

    Raises:
        PooledUrlRefusedError: The URL is not a direct one.
        DatabaseUnreachableError: No connection could be made.
        TimeoutsNotInForceError: The server holds other values than were set.
    """
    if not isinstance(url, DirectUrl):
        message = (
            f"migrations do not run on {url}: behind a transaction pooler locks and settings do not hold"
        )
        raise PooledUrlRefusedError(message, hint="give the direct connection string, DATABASE_URL_UNPOOLED")
    parameters: dict[str, Any] = {"connect_timeout": _CONNECT_TIMEOUT, **_KEEPALIVES}
    parameters |= conninfo_to_dict(url.libpq())
    try:
        connection = psycopg.connect(make_conninfo(**parameters), autocommit=True)
    except psycopg.Error as error:
        message = f"cannot connect to {url}: {_one_line(error)}"
        raise DatabaseUnreachableError(message) from None
    try:
        _set_up(connection, timeouts)
        yield connection
    except psycopg.Error as error:
        message = f"{url}: {_one_line(error)}"
        raise MigrationError(message) from error
    finally:
        # A session pooler hands this session to its next client: leave it neither lock nor settings.
        with suppress(psycopg.Error):
            connection.execute("DISCARD ALL")
        connection.close()


def _set_up(connection: Connection, timeouts: Timeouts) -> None:
    name = f"bough migrate {socket.gethostname()}:{os.getpid()}"
    _set(connection, {"application_name": name[:63]})
    wanted = timeouts.settings()
    _set(connection, wanted)
    # Without it the statement of a client that was killed runs to its end, and keeps every lock. Servers
    # on Windows refuse it.
    with suppress(psycopg.errors.InvalidParameterValue):
        _set(connection, _CLIENT_CHECK)
        wanted |= _CLIENT_CHECK
    # A statement of its own: behind a pooler it may reach another session, and then says so.
    rows = connection.execute(
        "SELECT name, setting FROM pg_settings WHERE name = ANY(%s)", (list(wanted),)
    ).fetchall()
    found = {name: f"{milliseconds}ms" for name, milliseconds in rows}
    if found != wanted:
        wrong = ", ".join(
            f"{name} is {found.get(name)}, not {wanted[name]}"
            for name in wanted
            if found.get(name) != wanted[name]
        )
        message = f"the server does not keep the settings of this migration: {wrong}"
        raise TimeoutsNotInForceError(message, hint="is a pooler between? use the direct connection string")


def _set(connection: Connection, settings: dict[str, str]) -> None:
    for setting, value in settings.items():
        connection.execute("SELECT set_config(%s, %s, false)", (setting, value))


@contextmanager
def as_sqlalchemy(connection: Connection) -> Iterator[sa.Connection]:
    """Lend the connection to SQLAlchemy; afterwards it is in autocommit again, nothing open.

    SQLAlchemy begins its transactions itself, so that Alembic finds none open when it is configured.
    """
    import sqlalchemy as sa  # noqa: PLC0415  a third of a second that who only reads need not wait for

    connection.autocommit = False
    # Parameters may be data, which no message is to show.
    engine = sa.create_engine(
        "postgresql+psycopg://", creator=lambda: connection, poolclass=sa.StaticPool, hide_parameters=True
    )
    try:
        with engine.connect() as lent:
            yield lent
    finally:
        with suppress(psycopg.Error):
            connection.rollback()
            connection.autocommit = True


@contextmanager
def unobserved(connection: Connection) -> Iterator[None]:
    """Run the kit's own statements between a revision's: no observer's cursors see them."""
    factory, connection.cursor_factory = connection.cursor_factory, psycopg.Cursor
    try:
        yield
    finally:
        connection.cursor_factory = factory


def ask(connection: Connection, query: str) -> Any:
    """Return a query's one JSON value, through libpq itself.

    psycopg would begin a transaction, and its cursors are where a run's own statements are watched.

    Raises:
        MeasurementError: The server refused.
    """
    result = connection.pgconn.exec_(query.encode())
    if result.status != ExecStatus.TUPLES_OK:
        reason = " ".join(result.get_error_message().split())
        raise MeasurementError(f"the database cannot be measured: {reason}")
    return json.loads((result.get_value(0, 0) or b"null").decode(connection.info.encoding))


def has_table(connection: Connection, name: str) -> bool:
    """Say whether there is a table of that name, as the connection would look it up."""
    row = connection.execute("SELECT to_regclass(%s) IS NOT NULL", (name,)).fetchone()
    return row is not None and row[0]


def current_versions(connection: Connection) -> tuple[str, ...]:
    """Return what `alembic_version` holds, committed; nothing where the table is absent."""
    if not has_table(connection, "alembic_version"):
        return ()
    return tuple(version for (version,) in connection.execute("SELECT version_num FROM alembic_version"))


def widen_version_column(connection: Connection, needed: int) -> None:
    """Make room for ids of `needed` characters where plain Alembic made the table, with 32.

    From varchar to text is a change of the catalog only: no rewrite.
    """
    row = connection.execute(
        "SELECT atttypmod - 4 FROM pg_attribute "
        "WHERE attrelid = to_regclass('alembic_version') AND attname = 'version_num' AND atttypmod > 0"
    ).fetchone()
    if row is not None and row[0] < needed:
        connection.execute("ALTER TABLE alembic_version ALTER COLUMN version_num TYPE text")


def _one_line(error: psycopg.Error) -> str:
    return " ".join(str(error).split())
