"""What routes do with a table `item`, and what is stored in it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import text

from api.database.session import read, write
from api.database.timeouts import Timeouts

if TYPE_CHECKING:
    import psycopg
    from sqlalchemy.ext.asyncio import AsyncEngine

COUNT = text("SELECT count(*) FROM item")
INSERT = text("INSERT INTO item VALUES (1)")


async def count(engine: AsyncEngine) -> int:
    """Do what a route that reads does."""
    async with read(engine) as session:
        return int((await session.execute(COUNT)).scalar_one())


async def add(engine: AsyncEngine) -> None:
    """Do what a route that writes does, with timeouts of its own."""
    async with read(engine) as session, write(session, timeouts=Timeouts(statement=9)) as writer:
        await writer.execute(INSERT)


def stored(owner: psycopg.Connection) -> int:
    """Count the rows past pooler and proxy."""
    row = owner.execute("SELECT count(*) FROM item").fetchone()
    assert row is not None
    return int(row[0])


def kill_backends(administrator: psycopg.Connection) -> None:
    """End the pooler's server connections to the database."""
    administrator.execute(
        "SELECT pg_terminate_backend(pid, 1000) FROM pg_stat_activity"
        " WHERE usename = 'bough_app' AND datname = current_database()"
    )
