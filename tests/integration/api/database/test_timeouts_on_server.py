"""Timeouts hold on the server, through the pooler, and stay the business of who asked for them."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import select, text

from api.database.errors import (
    ConnectionLostError,
    DatabaseError,
    LockTimeoutError,
    PoolExhaustedError,
    StatementTimeoutError,
)
from api.database.session import consistent, read, write
from api.database.timeouts import Timeouts
from tests.support.server_activity import wait_until_idle

if TYPE_CHECKING:
    from collections.abc import Callable

    import psycopg
    from sqlalchemy.ext.asyncio import AsyncEngine

    from infra.testing.databases import Database

SLEEP = text("SELECT pg_sleep(20)")
LIMITS = text(
    "SELECT current_setting('statement_timeout'), current_setting('lock_timeout'),"
    " current_setting('idle_in_transaction_session_timeout')"
)
ROLE_LIMITS = ("30s", "5s", "30s")
STATE = text("SELECT current_setting('statement_timeout'), current_setting('transaction_read_only')")


class TestRoleTimeouts:
    """The backstop: what holds although nobody asks for it."""

    @pytest.mark.asyncio
    async def test_defaults_are_in_force_in_a_read(self, engine: AsyncEngine) -> None:
        """An AUTOCOMMIT read has the role's limits."""
        async with read(engine) as session:
            assert tuple((await session.execute(LIMITS)).one()) == ROLE_LIMITS

    @pytest.mark.asyncio
    async def test_defaults_are_in_force_in_a_plain_write(self, engine: AsyncEngine) -> None:
        """So has a transaction that asks for nothing."""
        async with read(engine) as session, write(session) as writer:
            assert tuple((await writer.execute(LIMITS)).one()) == ROLE_LIMITS

    @pytest.mark.asyncio
    async def test_read_past_the_limit_is_cancelled(
        self, engine: AsyncEngine, administrator: psycopg.Connection
    ) -> None:
        """The role's own timeout ends an AUTOCOMMIT read on the server."""
        administrator.execute(
            f"ALTER ROLE bough_app IN DATABASE {administrator.info.dbname} SET statement_timeout = '300ms'"
        )
        async with read(engine) as session:
            with pytest.raises(StatementTimeoutError):
                await session.execute(SLEEP)
        await wait_until_idle(administrator, within=0.5)

    @pytest.mark.asyncio
    async def test_jit_is_off_and_stays_off_on_every_backend(
        self, engine_to: Callable[..., AsyncEngine], empty_database: Database, owner: psycopg.Connection
    ) -> None:
        """The driver turns it off around introspection and back to what it was: "off" by the role."""
        owner.execute("CREATE TYPE mood AS ENUM ('calm')")
        engines = [engine_to(empty_database.pooled) for _ in range(5)]
        together = asyncio.Barrier(5)

        async def seen(engine: AsyncEngine) -> tuple[int, str]:
            async with read(engine) as session:
                await session.execute(text("SELECT 'calm'::mood"))
                async with write(session) as writer:
                    row = (
                        await writer.execute(text("SELECT pg_backend_pid(), current_setting('jit')"))
                    ).one()
                    await together.wait()
                    return row[0], row[1]

        backends = dict(await asyncio.gather(*map(seen, engines)))
        assert (5, {"off"}) == (len(backends), set(backends.values()))


class TestOwnTimeouts:
    """A transaction that wants other limits."""

    @pytest.mark.asyncio
    async def test_all_three_are_in_force_and_end_with_it(self, engine: AsyncEngine) -> None:
        """They ride on BEGIN and are gone after COMMIT."""
        async with read(engine) as session:
            async with write(
                session, timeouts=Timeouts(statement=7, lock=0.25, idle_in_transaction=3)
            ) as writer:
                assert tuple((await writer.execute(LIMITS)).one()) == ("7s", "250ms", "3s")
            assert tuple((await session.execute(LIMITS)).one()) == ROLE_LIMITS

    @pytest.mark.asyncio
    async def test_consistent_read_may_have_its_own(self, engine: AsyncEngine) -> None:
        """A snapshot of several statements can be given less or more time."""
        async with read(engine) as session, consistent(session, timeouts=Timeouts(statement=7)):
            assert tuple((await session.execute(STATE)).one()) == ("7s", "on")

    @pytest.mark.asyncio
    async def test_statement_past_the_limit_is_cancelled_on_the_server(
        self, engine: AsyncEngine, administrator: psycopg.Connection
    ) -> None:
        """The client learns why, and the server does not go on."""
        with pytest.raises(StatementTimeoutError):
            async with read(engine) as session, write(session, timeouts=Timeouts(statement=0.2)) as writer:
                await writer.execute(SLEEP)
        await wait_until_idle(administrator, within=0.5)

    @pytest.mark.asyncio
    async def test_connection_serves_on_after_a_timeout(self, engine: AsyncEngine) -> None:
        """A cancelled statement costs neither the connection nor the session."""
        async with read(engine) as session:
            with pytest.raises(StatementTimeoutError):
                async with write(session, timeouts=Timeouts(statement=0.1)) as writer:
                    await writer.execute(SLEEP)
            assert tuple((await session.execute(LIMITS)).one()) == ROLE_LIMITS

    @pytest.mark.asyncio
    async def test_lock_past_its_limit_is_given_up(
        self, engine: AsyncEngine, owner: psycopg.Connection
    ) -> None:
        """A migration's lock does not hold the request for the statement's whole time."""
        owner.execute("CREATE TABLE item (id int)")
        with owner.transaction():
            owner.execute("LOCK TABLE item")
            with pytest.raises(LockTimeoutError):
                async with read(engine) as session, write(session, timeouts=Timeouts(lock=0.1)) as writer:
                    await writer.execute(text("INSERT INTO item VALUES (1)"))

    @pytest.mark.asyncio
    async def test_silence_inside_a_transaction_ends_it(self, engine: AsyncEngine) -> None:
        """The server takes its connection back from a client that says nothing."""
        with pytest.raises(ConnectionLostError):
            own = Timeouts(idle_in_transaction=0.1)
            async with read(engine) as session, write(session, timeouts=own) as writer:
                await writer.execute(LIMITS)
                await asyncio.sleep(0.5)
                await writer.execute(LIMITS)

    @pytest.mark.asyncio
    async def test_only_plain_words_ride_on_begin(self, engine: AsyncEngine) -> None:
        """The message takes no parameters; what could be SQL is refused before it is sent."""
        async with read(engine) as session:
            with pytest.raises(ValueError, match="plain words"):
                async with write(session, settings={"app.user": "x'; DROP TABLE item; --"}) as writer:
                    await writer.execute(LIMITS)

    @pytest.mark.asyncio
    async def test_other_clients_of_the_pooler_never_see_them(
        self, engine_to: Callable[..., AsyncEngine], empty_database: Database
    ) -> None:
        """Clients with and without own limits take turns on the same five backends."""
        seen: set[tuple[str, ...]] = set()
        backends: set[int] = set()

        async def with_own(engine: AsyncEngine, milliseconds: int) -> None:
            for turn in range(15):
                async with read(engine) as session:
                    own = Timeouts(statement=milliseconds / 1000, lock=1, idle_in_transaction=2)
                    async with write(session, timeouts=own) as writer:
                        limits = tuple((await writer.execute(LIMITS)).one())
                        assert (f"{milliseconds}ms", "1s", "2s") == limits
                        if turn % 5 == 0:
                            await writer.rollback()

        async def without(engine: AsyncEngine) -> None:
            for _ in range(30):
                async with read(engine) as session:
                    seen.add(tuple((await session.execute(LIMITS)).one()))
                    backends.add((await session.execute(text("SELECT pg_backend_pid()"))).scalar_one())

        engines = [engine_to(empty_database.pooled) for _ in range(16)]
        await asyncio.gather(
            *(with_own(engine, 15001 + n) for n, engine in enumerate(engines[:8])),
            *(without(engine) for engine in engines[8:]),
        )
        assert seen == {ROLE_LIMITS}
        assert len(backends) > 1


class TestPoolOfOne:
    """One connection for one request."""

    @pytest.mark.asyncio
    async def test_read_then_write_does_not_wait_for_itself(
        self, engine_to: Callable[..., AsyncEngine], empty_database: Database
    ) -> None:
        """A request that finds its user and then inserts uses one connection."""
        engine = engine_to(empty_database.pooled, pool_timeout=0.5)
        async with read(engine) as session:
            await session.execute(STATE)
            async with write(session) as writer:
                await writer.execute(STATE)
            await session.execute(STATE)

    @pytest.mark.asyncio
    async def test_second_session_is_told(
        self, engine_to: Callable[..., AsyncEngine], empty_database: Database
    ) -> None:
        """A request that opens two sessions at once gets an error that says so, not a hang."""
        engine = engine_to(empty_database.pooled, pool_timeout=0.1)
        async with read(engine) as first:
            await first.execute(STATE)
            async with read(engine) as second:
                with pytest.raises(PoolExhaustedError):
                    await second.execute(STATE)


class TestCommit:
    """COMMIT means that it is committed."""

    @pytest.mark.asyncio
    async def test_commit_answered_by_rollback_is_an_error(
        self, engine: AsyncEngine, owner: psycopg.Connection
    ) -> None:
        """PostgreSQL answers COMMIT of a failed transaction with ROLLBACK, and no error of its own."""
        owner.execute("CREATE TABLE item (id int PRIMARY KEY)")
        with pytest.raises(DatabaseError, match="answered COMMIT"):
            async with read(engine) as session, write(session) as writer:
                await writer.execute(text("INSERT INTO item VALUES (1)"))
                connection = await writer.connection()
                raw = (await connection.get_raw_connection()).driver_connection
                with pytest.raises(Exception, match="duplicate"):
                    await raw.execute("INSERT INTO item VALUES (1)")  # type: ignore[union-attr]
        assert owner.execute("SELECT count(*) FROM item").fetchone() == (0,)

    @pytest.mark.asyncio
    async def test_cancelled_request_commits_nothing_and_frees_its_connection(
        self, engine: AsyncEngine, owner: psycopg.Connection, administrator: psycopg.Connection
    ) -> None:
        """A task that is cancelled inside a statement leaves neither locks nor a used-up pool."""
        owner.execute("CREATE TABLE item (id int PRIMARY KEY)")

        async def request() -> None:
            async with read(engine) as session, write(session) as writer:
                await writer.execute(text("INSERT INTO item VALUES (1)"))
                await writer.execute(SLEEP)

        task = asyncio.create_task(request())
        await asyncio.sleep(0.3)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await wait_until_idle(administrator)
        async with read(engine) as session:
            assert (await session.execute(select(1))).scalar_one() == 1
        assert owner.execute("SELECT count(*) FROM item").fetchone() == (0,)
