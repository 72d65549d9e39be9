"""What a freeze leaves behind: pooled connections that idled, and died or fell silent meanwhile."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import cast, literal, select
from sqlalchemy.dialects.postgresql import JSONB

from api.database import dialect
from api.database.engine import IDLE_THRESHOLD
from api.database.errors import DatabaseUnavailableError, DeadlineExceededError
from api.database.session import read
from api.database.timeouts import deadline
from tests.support.items import add, count, kill_backends, stored

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    import psycopg
    from sqlalchemy.ext.asyncio import AsyncEngine

    from infra.local.pooler import Pooler
    from tests.integration.api.database.conftest import Clock
    from tests.support.tcp_proxy import TcpProxy

DEATHS = ["backends killed", "pooler restarted", "packets dropped", "connection reset"]


@pytest.fixture(params=DEATHS)
def die(
    request: pytest.FixtureRequest, administrator: psycopg.Connection, pooler: Pooler, proxy: TcpProxy
) -> Callable[[], None]:
    """One way in which a connection ends during a freeze."""
    return {
        "backends killed": lambda: kill_backends(administrator),
        "pooler restarted": pooler.restart,
        "packets dropped": lambda: proxy.freeze(existing_only=True),
        "connection reset": proxy.cut,
    }[request.param]


class TestIdleLongerThanThreshold:
    """The connection is replaced without being asked."""

    @pytest.mark.asyncio
    @pytest.mark.parametrize("use", [count, add])
    async def test_request_succeeds_within_a_second(
        self,
        warm: AsyncEngine,
        clock: Clock,
        die: Callable[[], None],
        use: Callable[[AsyncEngine], Awaitable[int | None]],
    ) -> None:
        """Whatever happened to it, the request after the freeze takes under a second."""
        die()
        clock.now += IDLE_THRESHOLD + 1
        async with asyncio.timeout(1):
            await use(warm)

    @pytest.mark.asyncio
    async def test_healthy_connection_is_replaced_too(
        self, warm: AsyncEngine, clock: Clock, proxy: TcpProxy
    ) -> None:
        """Nobody can tell from here that it is healthy."""
        clock.now += IDLE_THRESHOLD + 1
        await count(warm)
        assert proxy.connections == 1

    @pytest.mark.asyncio
    async def test_clock_set_back_counts_as_too_long(
        self, warm: AsyncEngine, clock: Clock, proxy: TcpProxy
    ) -> None:
        """How long it idled is then unknown."""
        clock.now -= 5
        await count(warm)
        assert proxy.connections == 1


@pytest.mark.prove
class TestIdleShorterThanThreshold:
    """The connection is used; its first message proves that it lives."""

    @pytest.mark.asyncio
    async def test_healthy_connection_is_kept(self, warm: AsyncEngine, clock: Clock, proxy: TcpProxy) -> None:
        """At the threshold it is still used."""
        clock.now += IDLE_THRESHOLD
        await count(warm)
        assert proxy.connections == 0

    @pytest.mark.asyncio
    @pytest.mark.parametrize("use", [count, add])
    async def test_request_succeeds_within_five_seconds(
        self,
        warm: AsyncEngine,
        die: Callable[[], None],
        use: Callable[[AsyncEngine], Awaitable[int | None]],
        owner: psycopg.Connection,
    ) -> None:
        """Its first message went unanswered, so nothing was executed: another connection is opened."""
        die()
        async with asyncio.timeout(5):
            await use(warm)
        assert stored(owner) == (use is add)

    @pytest.mark.asyncio
    async def test_json_is_decoded_on_the_new_connection(self, warm: AsyncEngine, proxy: TcpProxy) -> None:
        """The replacement is set up as the first connection was."""
        proxy.cut()
        async with read(warm) as session:
            statement = select(cast(literal({"a": [1]}, JSONB()), JSONB()))
            assert (await session.execute(statement)).scalar_one() == {"a": [1]}

    @pytest.mark.asyncio
    async def test_new_connection_is_pooled(self, warm: AsyncEngine, proxy: TcpProxy) -> None:
        """The next request uses the replacement."""
        proxy.cut()
        await count(warm)
        proxy.reset()
        await count(warm)
        assert (proxy.round_trips, proxy.connections) == (2, 0)

    @pytest.mark.asyncio
    async def test_new_connection_is_replaced_when_it_falls_silent_in_turn(
        self, warm: AsyncEngine, proxy: TcpProxy, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A replacement is a pooled connection like any other."""
        monkeypatch.setattr(dialect, "FIRST_ANSWER_TIMEOUT", 0.5)
        proxy.cut()
        await count(warm)
        proxy.freeze(existing_only=True)
        async with asyncio.timeout(2):
            await count(warm)

    @pytest.mark.asyncio
    async def test_unreachable_database_is_said_to_be(
        self, warm: AsyncEngine, proxy: TcpProxy, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """When no other connection can be had, the error says so, and within the deadline."""
        monkeypatch.setattr(dialect, "FIRST_ANSWER_TIMEOUT", 0.5)
        proxy.freeze()
        token = deadline.set(asyncio.get_running_loop().time() + 1.5)
        started = time.monotonic()
        with pytest.raises((DatabaseUnavailableError, DeadlineExceededError)):
            await count(warm)
        deadline.reset(token)
        assert time.monotonic() - started < 2.5
