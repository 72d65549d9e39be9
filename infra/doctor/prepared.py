"""Prepared statements behind a pooler: the application's engine must not depend on them."""

from __future__ import annotations

import asyncio
import secrets
from contextlib import ExitStack, suppress
from typing import TYPE_CHECKING, Final

import psycopg
from psycopg import sql

from api.database.engine import make_engine
from infra.doctor.checks import failed, ok

if TYPE_CHECKING:
    from api.database.connection_url import PooledUrl
    from infra.doctor.checks import Finding
    from infra.doctor.target import Connection, Pooled

#: Clients that hold a transaction at once: few, since they are a production pool's.
_HOLDERS: Final = 3
_NAMED: Final = {
    True: "named ones hold too",
    False: "named ones are lost: other clients must not use them here",
    None: "each client keeps its process, so named ones hold",
}
_STATEMENT: Final = "SELECT pg_backend_pid(), CAST(:n AS int)"


def prepared_statements(target: Pooled) -> Finding:
    """Does the application's own engine keep its feet when the server process changes under it?"""
    named = _named_statements_hold(target)
    try:
        asyncio.run(_change_processes(target.usable()))
    except Exception as error:  # noqa: BLE001  whatever a driver raises; its text may quote values
        return failed(
            f"the engine's statements fail when their server process changes: {type(error).__name__}",
            "asyncpg 0.31 or newer, with both statement caches at 0: as api/database/engine.py makes it",
        )
    return ok(f"the engine's statements are unnamed and survive a change of server process; {_NAMED[named]}")


async def _change_processes(url: PooledUrl) -> None:
    """Run one statement on a connection whose server process another holds in between."""
    from sqlalchemy import text  # noqa: PLC0415  a quarter of a second that other commands need not pay

    engine = make_engine(url, pool_size=2)
    statement = text(_STATEMENT)
    try:
        async with engine.connect() as one, engine.connect() as other:
            await one.execute(statement, {"n": 1})
            await one.commit()
            await other.execute(statement, {"n": 2})
            await one.execute(statement, {"n": 3})
    finally:
        await engine.dispose()


def _named_statements_hold(target: Pooled) -> bool | None:
    """Prepare a statement and use it on another server process; `None` when it always gets its own.

    Clients that hold a transaction each take processes away until another one comes. The name is
    random, and dropped where it is: no other client ever meets it.
    """
    name = f"bough_doctor_{secrets.token_hex(8)}"
    with ExitStack() as clients:
        one = clients.enter_context(target.connected())
        with one.transaction():
            own_process = _process(one)
            one.pgconn.prepare(name.encode(), b"SELECT pg_backend_pid()")
        drop = sql.SQL("DEALLOCATE {}").format(sql.Identifier(name))
        # Behind a pooler that knows named statements it is there under another name, or not at all.
        clients.callback(_try, one, drop)
        for _ in range(_HOLDERS):
            other = clients.enter_context(target.connected())
            other.execute("BEGIN")
            if _process(other) == own_process:
                clients.callback(_try, other, drop)
            result = one.pgconn.exec_prepared(name.encode(), [])
            if result.status != psycopg.pq.ExecStatus.TUPLES_OK:
                return False
            if result.get_value(0, 0) != str(own_process).encode():
                return True
    return None


def _process(connection: Connection) -> int:
    row = connection.execute("SELECT pg_backend_pid()").fetchone()
    return row[0] if row else 0


def _try(connection: Connection, statement: sql.Composed) -> None:
    with suppress(psycopg.Error):
        connection.execute(statement)
