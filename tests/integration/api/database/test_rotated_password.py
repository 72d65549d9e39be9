"""A password that is replaced while an engine lives, on the real server and through the real pooler."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from sqlalchemy import text

from api.database.errors import DatabaseAuthenticationError
from api.database.session import read
from api.database.statistics import Statistics, statistics

if TYPE_CHECKING:
    from collections.abc import Callable

    from sqlalchemy.ext.asyncio import AsyncEngine

    from api.database.connection_url import ConnectionUrl
    from infra.testing.databases import Database


class Source:
    """Says where to connect, and keeps how it was asked."""

    def __init__(self, url: ConnectionUrl) -> None:
        self.now = self.after_refusal = url
        self.asked: list[bool] = []

    def __call__(self, *, refused: bool) -> ConnectionUrl:
        self.asked.append(refused)
        if refused:
            self.now = self.after_refusal
        return self.now


async def used(engine: AsyncEngine) -> Statistics:
    """Read once, and return what it took."""
    token = statistics.set(counted := Statistics())
    try:
        async with read(engine) as session:
            await session.execute(text("SELECT 1"))
    finally:
        statistics.reset(token)
    return counted


@pytest.fixture(params=["direct", "pooled"])
def source(empty_database: Database, request: pytest.FixtureRequest) -> Source:
    """The database, past the pooler as its owner and through it as the application role."""
    return Source(getattr(empty_database, request.param))


class TestTargetConnector:
    """An engine with a `target`."""

    @pytest.mark.asyncio
    async def test_reads_the_secret_once_more_when_the_password_is_refused(
        self, engine_to: Callable[..., AsyncEngine], source: Source
    ) -> None:
        """The request succeeds, and later connections begin with the new password."""
        source.now = source.now.replace(password="of-yesterday")
        engine = engine_to(source.now, target=source)
        first = await used(engine)
        assert (first.connections, first.round_trips, source.asked) == (2, 2, [False, True])
        await engine.dispose()
        assert (await used(engine)).connections == 1
        assert source.asked[2:] == [False]

    @pytest.mark.asyncio
    async def test_asks_nothing_more_where_the_password_is_good(
        self, engine_to: Callable[..., AsyncEngine], source: Source
    ) -> None:
        """A read stays at two round trips, on one connection."""
        engine = engine_to(source.now, target=source)
        counted = [await used(engine), await used(engine)]
        assert [(each.connections, each.round_trips) for each in counted] == [(1, 2), (0, 2)]
        assert source.asked == [False]

    @pytest.mark.asyncio
    async def test_tries_no_password_twice(
        self, engine_to: Callable[..., AsyncEngine], source: Source
    ) -> None:
        """A password that is wrong everywhere is refused at once."""
        source.now = source.after_refusal = source.now.replace(password="wrong")
        engine = engine_to(source.now, target=source)
        with pytest.raises(DatabaseAuthenticationError):
            await used(engine)
        assert source.asked == [False, True]
