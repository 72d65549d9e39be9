"""The invocation's end: what still runs then is cancelled on the server, through the pooler."""

from __future__ import annotations

import asyncio
import time
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import text

from api.database.errors import (
    DatabaseUnavailableError,
    DeadlineExceededError,
    InvalidValueError,
    StatementTimeoutError,
)
from api.database.session import read, write
from api.database.timeouts import Timeouts, deadline
from tests.support.server_activity import wait_until_idle

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    import psycopg
    from sqlalchemy.ext.asyncio import AsyncEngine

    from infra.testing.databases import Database

SLEEP = text("SELECT pg_sleep(20)")
STATE = text("SELECT current_setting('statement_timeout'), current_setting('transaction_read_only')")


@asynccontextmanager
async def time_left(seconds: float) -> AsyncIterator[None]:
    """Give what runs inside a deadline."""
    token = deadline.set(asyncio.get_running_loop().time() + seconds)
    try:
        yield
    finally:
        deadline.reset(token)


class TestDeadline:
    """The invocation's end, which nothing outlives."""

    @pytest.mark.asyncio
    async def test_read_with_little_time_left_carries_its_own_timeout(self, engine: AsyncEngine) -> None:
        """The role's timeout would come too late, so the read begins a READ ONLY transaction."""
        async with time_left(7), read(engine) as session:
            timeout, read_only = (await session.execute(STATE)).one()
        assert read_only == "on"
        assert 6000 < int(timeout.removesuffix("ms")) <= 7000

    @pytest.mark.asyncio
    async def test_read_with_enough_time_left_does_not(self, engine: AsyncEngine) -> None:
        """The role's timeout ends first."""
        async with time_left(31), read(engine) as session:
            assert tuple((await session.execute(STATE)).one()) == ("30s", "off")

    @pytest.mark.asyncio
    @pytest.mark.parametrize("seconds", [7, 31])
    async def test_failed_read_leaves_the_next_one_alone(self, engine: AsyncEngine, seconds: float) -> None:
        """How much time is left does not decide whether one error spoils the rest of the request."""
        async with time_left(seconds), read(engine) as session:
            with pytest.raises(InvalidValueError):
                await session.execute(text("SELECT 1 / 0"))
            await session.execute(STATE)

    @pytest.mark.asyncio
    async def test_write_in_autocommit_is_kept_with_little_time_left(
        self, engine: AsyncEngine, owner: psycopg.Connection
    ) -> None:
        """A script that writes past the sessions, in AUTOCOMMIT, has no COMMIT to lose."""
        owner.execute("CREATE TABLE kept (id int)")
        autocommit = engine.execution_options(isolation_level="AUTOCOMMIT")
        async with time_left(7), autocommit.connect() as connection:
            await connection.execute(text("INSERT INTO kept VALUES (1)"))
        assert owner.execute("SELECT id FROM kept").fetchall() == [(1,)]

    @pytest.mark.asyncio
    async def test_shorter_own_timeout_wins(self, engine: AsyncEngine) -> None:
        """A transaction never gets more than it asked for."""
        own = Timeouts(statement=3)
        async with time_left(20), read(engine) as session, write(session, timeouts=own) as writer:
            assert (await writer.execute(STATE)).one()[0] == "3s"

    @pytest.mark.asyncio
    async def test_longer_own_timeout_is_cut(self, engine: AsyncEngine) -> None:
        """Nor more than the invocation has left."""
        own = Timeouts(statement=60)
        async with time_left(20), read(engine) as session, write(session, timeouts=own) as writer:
            assert int((await writer.execute(STATE)).one()[0].removesuffix("ms")) <= 20000

    @pytest.mark.asyncio
    @pytest.mark.parametrize("seconds", [0.3, 1.0])
    async def test_statement_running_at_the_deadline_is_cancelled_on_the_server(
        self,
        engine_to: Callable[..., AsyncEngine],
        empty_database: Database,
        administrator: psycopg.Connection,
        seconds: float,
    ) -> None:
        """Also where the client believes that the role's timeout is shorter than it is."""
        engine = engine_to(empty_database.pooled, timeouts=Timeouts(statement=0.001))
        started = time.monotonic()
        async with time_left(seconds):
            with pytest.raises(DeadlineExceededError):
                async with read(engine) as session:
                    await session.execute(SLEEP)
        assert time.monotonic() - started < seconds + 1
        await wait_until_idle(administrator)

    @pytest.mark.asyncio
    async def test_server_or_client_ends_what_outlives_the_invocation(
        self, engine: AsyncEngine, administrator: psycopg.Connection
    ) -> None:
        """Both limits fall together; whoever is first, the error says that time ran out."""
        async with time_left(0.4):
            with pytest.raises((DeadlineExceededError, StatementTimeoutError)):
                async with read(engine) as session:
                    await session.execute(SLEEP)
        await wait_until_idle(administrator)

    @pytest.mark.asyncio
    async def test_write_waiting_for_a_lock_at_the_deadline_leaves_nothing(
        self, engine: AsyncEngine, owner: psycopg.Connection, administrator: psycopg.Connection
    ) -> None:
        """The transaction is gone from the server when the lock is released."""
        owner.execute("CREATE TABLE item (id int)")
        with owner.transaction():
            owner.execute("LOCK TABLE item")
            async with time_left(0.4):
                with pytest.raises((DeadlineExceededError, StatementTimeoutError)):
                    async with read(engine) as session, write(session) as writer:
                        await writer.execute(text("INSERT INTO item VALUES (1)"))
            await asyncio.sleep(0.5)
        await wait_until_idle(administrator)
        assert owner.execute("SELECT count(*) FROM item").fetchone() == (0,)

    @pytest.mark.asyncio
    async def test_nothing_is_sent_without_time(self, engine: AsyncEngine) -> None:
        """A statement that could only be cancelled is not started; nor is a connection."""
        async with time_left(0):
            with pytest.raises(DatabaseUnavailableError):
                async with read(engine) as session:
                    await session.execute(SLEEP)
        async with read(engine) as session:
            await session.execute(STATE)
            async with time_left(0):
                with pytest.raises(DeadlineExceededError):
                    await session.execute(SLEEP)

    @pytest.mark.asyncio
    async def test_stream_ends_at_the_deadline(
        self, engine: AsyncEngine, administrator: psycopg.Connection
    ) -> None:
        """Later batches of a server-side cursor are bounded as the first is."""
        slow = text("SELECT n, pg_sleep(0.1) FROM generate_series(1, 200) n")
        started = time.monotonic()
        async with time_left(0.5):
            with pytest.raises((DeadlineExceededError, StatementTimeoutError)):
                async with read(engine) as session:
                    await (await session.stream(slow)).all()
        assert time.monotonic() - started < 1.5
        await wait_until_idle(administrator)

    @pytest.mark.asyncio
    async def test_next_invocation_is_served(self, engine: AsyncEngine) -> None:
        """What was cancelled does not spoil the pool."""
        async with time_left(0.2):
            with pytest.raises((DeadlineExceededError, StatementTimeoutError)):
                async with read(engine) as session:
                    await session.execute(SLEEP)
        async with time_left(31), read(engine) as session:
            assert tuple((await session.execute(STATE)).one()) == ("30s", "off")
