"""What a URL's parameters become on the server, through the pooler and past it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import asyncpg
import psycopg
import pytest
from sqlalchemy.dialects.postgresql.psycopg import PGDialect_psycopg

from api.database.connection_url import DirectUrl, PooledUrl

if TYPE_CHECKING:
    from api.database.connection_url import ConnectionUrl
    from infra.testing.databases import Database


async def setting_by_asyncpg(url: ConnectionUrl, name: str) -> str:
    """Return a setting as asyncpg's connection has it."""
    sqlalchemy_url, arguments = url.asyncpg()
    where = sqlalchemy_url.translate_connect_args(username="user")
    connection = await asyncpg.connect(**where, **arguments, statement_cache_size=0)
    try:
        return str(await connection.fetchval("SELECT current_setting($1)", name))
    finally:
        await connection.close()


async def setting_by_psycopg(url: ConnectionUrl, name: str) -> str:
    """Return a setting as psycopg's connection has it."""
    _, arguments = PGDialect_psycopg().create_connect_args(url.psycopg())
    async with await psycopg.AsyncConnection.connect(**arguments, prepare_threshold=None) as connection:
        row = await (await connection.execute("SELECT current_setting(%s)", (name,))).fetchone()
    assert row is not None
    return str(row[0])


def with_query(url: ConnectionUrl, query: str) -> str:
    """Return the URL's text with more parameters."""
    text = url.libpq()
    return f"{text}{'&' if '?' in text else '?'}{query}"


@pytest.mark.parametrize("setting_by", [setting_by_asyncpg, setting_by_psycopg])
@pytest.mark.asyncio
class TestStartup:
    """Parameters that the server sees."""

    async def test_application_name_passes_the_pooler(self, setting_by, empty_database: Database) -> None:
        """PgBouncer keeps it for each client."""
        url = PooledUrl.parse(
            with_query(empty_database.pooled, "application_name=tidy%20app&connect_timeout=5")
        )
        assert await setting_by(url, "application_name") == "tidy app"

    async def test_options_reach_a_direct_server(self, setting_by, empty_database: Database) -> None:
        """Past the pooler, settings in `options` hold for the session."""
        url = DirectUrl.parse(with_query(empty_database.direct, "options=-c%20lock_timeout%3D1234ms"))
        assert await setting_by(url, "lock_timeout") == "1234ms"

    async def test_primary_is_found(self, setting_by, empty_database: Database) -> None:
        """Both drivers know `target_session_attrs`."""
        url = DirectUrl.parse(with_query(empty_database.direct, "target_session_attrs=read-write"))
        assert await setting_by(url, "transaction_read_only") == "off"
