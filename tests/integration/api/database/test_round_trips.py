"""What a request costs on the wire, counted by a proxy between the engine and the pooler."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import asyncpg
import pytest
from sqlalchemy import literal, select, text

from api.database.session import consistent, read, write
from api.database.statistics import Statistics, statistics
from api.database.timeouts import Timeouts, deadline

if TYPE_CHECKING:
    from collections.abc import Callable

    import psycopg
    from sqlalchemy.ext.asyncio import AsyncEngine

    from api.database.connection_url import PooledUrl
    from infra.testing.databases import Database
    from tests.support.tcp_proxy import TcpProxy

SHORT = Timeouts(statement=5)


@pytest.fixture(params=["disable", "prefer"])
def url(request: pytest.FixtureRequest, empty_database: Database, proxy: TcpProxy) -> PooledUrl:
    """The pooled URL by way of the proxy; `prefer` asks for TLS first, which the pooler denies."""
    pooled = empty_database.pooled.replace(port=proxy.port)
    return type(pooled).parse(pooled.libpq().replace("sslmode=disable", f"sslmode={request.param}"))


async def run_read(engine: AsyncEngine) -> None:
    """Do what a route that reads does."""
    async with read(engine) as session:
        await session.execute(select(literal(1)))


async def run_write(engine: AsyncEngine, timeouts: Timeouts | None = SHORT) -> None:
    """Do what a route that writes does."""
    async with read(engine) as session, write(session, timeouts=timeouts) as writer:
        await writer.execute(select(literal(1)))


async def bare_first_request(url: PooledUrl, proxy: TcpProxy) -> int:
    """Count what asyncpg itself needs to connect and to run one statement."""
    target, connect_args = url.asyncpg()
    connection = await asyncpg.connect(
        host=target.host,
        port=target.port,
        user=target.username,
        password=target.password,
        database=target.database,
        statement_cache_size=0,
        **connect_args,
    )
    await connection.fetch("SELECT $1::int", 1)
    counted = proxy.round_trips
    await connection.close()
    proxy.reset()
    return counted


class TestWarmRequest:
    """A request on a connection that is open."""

    @pytest.mark.asyncio
    async def test_read_costs_two(
        self, engine_to: Callable[..., AsyncEngine], url: PooledUrl, proxy: TcpProxy
    ) -> None:
        """Parse and execute, nothing else: no BEGIN, no ping, no reset."""
        engine = engine_to(url)
        await run_read(engine)
        for _ in range(3):
            proxy.reset()
            await run_read(engine)
            assert (proxy.round_trips, proxy.connections) == (2, 0)

    @pytest.mark.asyncio
    @pytest.mark.parametrize("timeouts", [SHORT, None])
    async def test_write_costs_four(
        self,
        engine_to: Callable[..., AsyncEngine],
        url: PooledUrl,
        proxy: TcpProxy,
        timeouts: Timeouts | None,
    ) -> None:
        """BEGIN with or without its settings is one message, and COMMIT another."""
        engine = engine_to(url)
        await run_write(engine)
        for _ in range(3):
            proxy.reset()
            await run_write(engine, timeouts)
            assert (proxy.round_trips, proxy.connections) == (4, 0)

    @pytest.mark.asyncio
    async def test_read_then_write_costs_six(
        self, engine_to: Callable[..., AsyncEngine], url: PooledUrl, proxy: TcpProxy
    ) -> None:
        """The current user, then an insert: moving between the two costs nothing."""
        engine = engine_to(url)
        await run_read(engine)
        proxy.reset()
        async with read(engine) as session:
            await session.execute(select(literal(1)))
            async with write(session, timeouts=SHORT) as writer:
                await writer.execute(select(literal(1)))
        assert proxy.round_trips == 6

    @pytest.mark.asyncio
    async def test_consistent_read_costs_two_more(
        self, engine_to: Callable[..., AsyncEngine], url: PooledUrl, proxy: TcpProxy
    ) -> None:
        """One snapshot for two statements costs its BEGIN and its end."""
        engine = engine_to(url)
        await run_read(engine)
        proxy.reset()
        async with read(engine) as session, consistent(session):
            await session.execute(select(literal(1)))
            await session.execute(select(literal(2)))
        assert proxy.round_trips == 6

    @pytest.mark.asyncio
    async def test_deadline_beyond_the_timeout_costs_nothing(
        self, engine_to: Callable[..., AsyncEngine], url: PooledUrl, proxy: TcpProxy
    ) -> None:
        """With enough time left, the role's timeout suffices and a read stays in AUTOCOMMIT."""
        engine = engine_to(url)
        await run_read(engine)
        proxy.reset()
        token = deadline.set(asyncio.get_running_loop().time() + 31)
        await run_read(engine)
        deadline.reset(token)
        assert proxy.round_trips == 2


class TestCounters:
    """What the log says of a request: the wire's own count."""

    @pytest.mark.asyncio
    @pytest.mark.parametrize("kind", ["read", "write", "several rows", "stream"])
    async def test_round_trips_are_those_of_the_wire(
        self, engine_to: Callable[..., AsyncEngine], url: PooledUrl, proxy: TcpProxy, kind: str
    ) -> None:
        """Statements, BEGIN and COMMIT, several parameter sets, and each batch of a stream."""
        engine = engine_to(url)
        await run_read(engine)
        proxy.reset()
        counters = Statistics()
        token = statistics.set(counters)
        if kind == "read":
            await run_read(engine)
        elif kind == "write":
            await run_write(engine)
        elif kind == "several rows":
            async with engine.begin() as connection:
                await connection.execute(text("SELECT CAST(:n AS text)"), [{"n": "1"}, {"n": "2"}])
        else:
            async with read(engine) as session, consistent(session):
                rows = await session.stream(
                    text("SELECT generate_series(1, 3)").execution_options(yield_per=1)
                )
                assert [row async for row in rows.scalars()] == [1, 2, 3]
        statistics.reset(token)
        assert counters.round_trips == proxy.round_trips > 0


class TestFirstRequest:
    """The first request of an execution environment, connecting included."""

    @pytest.mark.asyncio
    async def test_read_costs_what_bare_asyncpg_does(
        self, engine_to: Callable[..., AsyncEngine], url: PooledUrl, proxy: TcpProxy
    ) -> None:
        """Nothing is added to the driver's own count."""
        bare = await bare_first_request(url, proxy)
        await run_read(engine_to(url))
        assert proxy.round_trips == bare

    @pytest.mark.asyncio
    async def test_write_costs_two_more_than_bare_asyncpg(
        self, engine_to: Callable[..., AsyncEngine], url: PooledUrl, proxy: TcpProxy
    ) -> None:
        """BEGIN, with the transaction's own timeout, and COMMIT."""
        bare = await bare_first_request(url, proxy)
        await run_write(engine_to(url))
        assert proxy.round_trips == bare + 2


class TestTypeIntrospection:
    """asyncpg's questions to the catalogue about types that it does not know."""

    @pytest.mark.asyncio
    async def test_native_enum_costs_more(
        self,
        engine_to: Callable[..., AsyncEngine],
        url: PooledUrl,
        proxy: TcpProxy,
        owner: psycopg.Connection,
    ) -> None:
        """Why no table of the application has one; and the proxy would see it if one had."""
        owner.execute("CREATE TYPE mood AS ENUM ('calm')")
        engine = engine_to(url)
        await run_read(engine)
        proxy.reset()
        async with read(engine) as session:
            await session.execute(text("SELECT 'calm'::mood"))
        assert proxy.round_trips > 2
