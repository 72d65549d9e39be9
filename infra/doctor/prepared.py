"""Prepared statements behind a pooler: the application's engine must not depend on them."""

from __future__ import annotations

import asyncio
import secrets
from contextlib import suppress
from typing import TYPE_CHECKING

import psycopg
from psycopg import sql

from api.database.engine import make_engine
from infra.doctor.checks import failed, ok

if TYPE_CHECKING:
    from psycopg.pq.abc import PGconn

    from api.database.connection_url import PooledUrl
    from infra.doctor.checks import Finding
    from infra.doctor.target import Pooled

_STATEMENT = "SELECT pg_backend_pid(), CAST(:n AS int)"


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
    others = "named ones hold too" if named else "named ones are lost: other clients must not use them here"
    return ok(f"the engine's statements are unnamed and survive a change of server process; {others}")


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


def _named_statements_hold(target: Pooled) -> bool:
    """Prepare a statement, let another client take the server process, and use it then.

    Its name is random and it is dropped again where it is, so that no client ever meets it.
    """
    name = f"bough_doctor_{secrets.token_hex(8)}"
    with target.connected() as one, target.connected() as other:
        one.pgconn.prepare(name.encode(), b"SELECT pg_backend_pid()")
        other.execute("BEGIN")
        other.execute("SELECT pg_backend_pid()")
        holds = _executes(one.pgconn, name)
        for connection in (other, one):
            with suppress(psycopg.Error):
                connection.execute(sql.SQL("DEALLOCATE {}").format(sql.Identifier(name)))
        other.rollback()
    return holds


def _executes(connection: PGconn, name: str) -> bool:
    result = connection.exec_prepared(name.encode(), [])
    return result.status == psycopg.pq.ExecStatus.TUPLES_OK
