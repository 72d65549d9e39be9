"""Which request a statement belongs to, as the server sees it through the pooler."""

from __future__ import annotations

from typing import TYPE_CHECKING
from uuid import uuid4

import pytest
from sqlalchemy import text

from api.database.request_comment import request_id
from api.database.session import read, write

if TYPE_CHECKING:
    from collections.abc import Callable

    from sqlalchemy.ext.asyncio import AsyncEngine

    from api.database.connection_url import PooledUrl
    from infra.testing.databases import Database
    from tests.support.tcp_proxy import TcpProxy

MINE = "FROM pg_stat_activity WHERE pid = pg_backend_pid()"
SHOW_STATEMENT = text(f"SELECT query {MINE}")
SHOW_NAME = text(f"SELECT application_name {MINE}")


async def seen(engine: AsyncEngine, identity: str | None, *, writes: bool = False) -> str:
    """Return what the server shows of a statement of this request."""
    token = request_id.set(identity)
    try:
        async with read(engine) as session:
            if not writes:
                return str(await session.scalar(SHOW_STATEMENT))
            async with write(session) as writer:
                return str(await writer.scalar(SHOW_STATEMENT))
    finally:
        request_id.reset(token)


class TestComment:
    """The id in each statement."""

    @pytest.mark.asyncio
    @pytest.mark.parametrize("writes", [False, True])
    async def test_statement_names_its_request(self, engine: AsyncEngine, *, writes: bool) -> None:
        """Requests one after the other on one backend are told apart."""
        for identity in ("a1b2c3d4-0000-4000-8000-000000000001", "caller:request-2"):
            shown = await seen(engine, identity, writes=writes)
            assert shown == f"/*request_id='{identity}'*/ {SHOW_STATEMENT.text}"

    @pytest.mark.asyncio
    @pytest.mark.parametrize("identity", [None, "", "x*/ DELETE", "it's", "a\nb", "x" * 200])
    async def test_unsound_id_is_not_sent(self, engine: AsyncEngine, identity: str | None) -> None:
        """Without an id, or with one that could be more than a comment, the statement goes as it is."""
        assert await seen(engine, identity) == SHOW_STATEMENT.text

    @pytest.mark.asyncio
    async def test_it_costs_bytes_and_no_round_trip(
        self, engine_to: Callable[..., AsyncEngine], empty_database: Database, proxy: TcpProxy
    ) -> None:
        """54 bytes wherever the text is sent: a statement sends it to parse and to execute, BEGIN once."""
        engine = engine_to(empty_database.pooled.replace(port=proxy.port))
        await seen(engine, None)
        for writes, messages in ((False, 2), (True, 4)):
            counted = []
            for identity in (None, str(uuid4())):
                proxy.reset()
                await seen(engine, identity, writes=writes)
                counted.append((proxy.sent, proxy.round_trips))
            (without, expected), (sent, round_trips) = counted
            assert round_trips == expected
            assert sent - without == 54 * messages


class TestApplicationName:
    """What a connection calls itself."""

    @pytest.mark.asyncio
    async def test_function_and_version_are_named(
        self, engine: AsyncEngine, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The pooler passes it on; the version stays where the name is too long."""
        monkeypatch.setenv("AWS_LAMBDA_FUNCTION_NAME", "shop-" + "x" * 59)
        monkeypatch.setenv("AWS_LAMBDA_FUNCTION_VERSION", "12")
        async with read(engine) as session:
            assert await session.scalar(SHOW_NAME) == "shop-" + "x" * 55 + ":12"

    @pytest.mark.asyncio
    async def test_name_in_the_url_wins(
        self,
        engine_to: Callable[..., AsyncEngine],
        empty_database: Database,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        """Whoever wrote it there meant it."""
        monkeypatch.setenv("AWS_LAMBDA_FUNCTION_NAME", "shop")
        pooled: PooledUrl = empty_database.pooled
        url = type(pooled).parse(f"{pooled.libpq()}&application_name=own")
        async with read(engine_to(url)) as session:
            assert await session.scalar(SHOW_NAME) == "own"
