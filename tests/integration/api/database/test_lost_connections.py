"""A connection that ends when something has been executed on it already."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import text

from api.database.errors import CommitUncertainError, ConnectionLostError, DeadlineExceededError
from api.database.session import read, write
from api.database.statistics import Statistics, statistics
from api.database.timeouts import deadline
from tests.support.items import COUNT, INSERT, add, count, kill_backends, stored

if TYPE_CHECKING:
    import psycopg
    from sqlalchemy.ext.asyncio import AsyncEngine

    from tests.support.tcp_proxy import TcpProxy

RUNNING = (
    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
    " WHERE usename = 'bough_app' AND datname = current_database()"
    " AND state = 'active' AND query LIKE 'SELECT 7 FROM pg_sleep%'"
)


class TestLossInsideRequest:
    """The connection ends when something has been executed already."""

    @pytest.mark.asyncio
    async def test_second_read_is_repeated(self, warm: AsyncEngine, proxy: TcpProxy) -> None:
        """A read changes nothing, so it may run twice."""
        async with read(warm) as session:
            await session.execute(COUNT)
            proxy.cut()
            assert (await session.execute(COUNT)).scalar_one() == 0

    @pytest.mark.asyncio
    async def test_time_of_a_replaced_connection_is_counted_once(
        self, warm: AsyncEngine, proxy: TcpProxy
    ) -> None:
        """The access line never claims more time in the database than passed."""
        proxy.cut()
        counters = Statistics()
        token = statistics.set(counters)
        started = time.perf_counter()
        await count(warm)
        statistics.reset(token)
        assert counters.connections == 1
        assert 0 < counters.seconds < time.perf_counter() - started

    @pytest.mark.asyncio
    async def test_read_is_repeated_when_its_backend_is_killed_under_it(
        self, warm: AsyncEngine, administrator: psycopg.Connection
    ) -> None:
        """The pooler passes the server's end on to the client that was being served."""

        async def kill() -> None:
            while not administrator.execute(RUNNING).rowcount:  # noqa: ASYNC110  the server's state, not ours
                await asyncio.sleep(0.02)

        async with read(warm) as session:
            killing = asyncio.create_task(kill())
            assert (await session.execute(text("SELECT 7 FROM pg_sleep(0.5)"))).scalar_one() == 7
            await killing

    @pytest.mark.asyncio
    async def test_write_fails_and_commits_nothing(
        self, warm: AsyncEngine, proxy: TcpProxy, owner: psycopg.Connection
    ) -> None:
        """A transaction that had begun is lost as a whole."""
        with pytest.raises(ConnectionLostError) as caught:
            async with read(warm) as session, write(session) as writer:
                await writer.execute(INSERT)
                proxy.cut()
                await writer.execute(COUNT)
        assert caught.value.code == "CONNECTION_LOST"
        assert stored(owner) == 0

    @pytest.mark.asyncio
    async def test_write_whose_backend_is_killed_fails_and_commits_nothing(
        self, warm: AsyncEngine, administrator: psycopg.Connection, owner: psycopg.Connection
    ) -> None:
        """An administrator's command ends the transaction, not the promise."""
        with pytest.raises(ConnectionLostError):
            async with read(warm) as session, write(session) as writer:
                await writer.execute(INSERT)
                kill_backends(administrator)
                await writer.execute(COUNT)
        assert stored(owner) == 0

    @pytest.mark.asyncio
    async def test_silence_under_a_write_ends_at_the_deadline(
        self, warm: AsyncEngine, proxy: TcpProxy, owner: psycopg.Connection
    ) -> None:
        """Nothing is repeated, nothing is committed, and the invocation's time is kept."""
        started = time.monotonic()
        token = deadline.set(asyncio.get_running_loop().time() + 1)
        with pytest.raises(DeadlineExceededError):
            async with read(warm) as session, write(session) as writer:
                await writer.execute(INSERT)
                proxy.freeze(existing_only=True)
                await writer.execute(COUNT)
        deadline.reset(token)
        assert time.monotonic() - started < 2
        proxy.cut()
        assert stored(owner) == 0

    @pytest.mark.asyncio
    async def test_silence_under_commit_is_uncertain(self, warm: AsyncEngine, proxy: TcpProxy) -> None:
        """Whether it took effect cannot be known from here, and the error says so."""
        token = deadline.set(asyncio.get_running_loop().time() + 1)
        with pytest.raises(CommitUncertainError):
            async with read(warm) as session, write(session) as writer:
                await writer.execute(INSERT)
                proxy.freeze(existing_only=True)
        deadline.reset(token)

    @pytest.mark.asyncio
    async def test_reset_under_commit_is_uncertain(self, warm: AsyncEngine, proxy: TcpProxy) -> None:
        """A socket that closes instead of answering COMMIT tells as little."""
        with pytest.raises(CommitUncertainError):
            async with read(warm) as session, write(session) as writer:
                await writer.execute(INSERT)
                proxy.freeze(existing_only=True)
                asyncio.get_running_loop().call_later(0.2, proxy.cut)

    @pytest.mark.asyncio
    async def test_engine_serves_after_every_loss(
        self, warm: AsyncEngine, proxy: TcpProxy, owner: psycopg.Connection
    ) -> None:
        """The broken connection is not the next request's."""
        with pytest.raises(ConnectionLostError):
            async with read(warm) as session, write(session) as writer:
                await writer.execute(INSERT)
                proxy.cut()
                await writer.execute(COUNT)
        await add(warm)
        assert await count(warm) == stored(owner) == 1
