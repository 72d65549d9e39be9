"""Claims that ride on transactions: what they cost, how far they reach, and that they are only values."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any
from uuid import UUID

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import literal, select, text

from api.database.claims import ClaimsError
from api.database.session import ReadSession, claim, consistent, read, write
from api.database.timeouts import Timeouts

if TYPE_CHECKING:
    from collections.abc import Callable

    from sqlalchemy.ext.asyncio import AsyncEngine

    from infra.testing.databases import Database
    from tests.support.tcp_proxy import TcpProxy

pytestmark = pytest.mark.asyncio

SEEN = text("SELECT current_setting('bough.claims', true), pg_backend_pid()")
ADA = {"user_id": "0198c0de-0000-7000-8000-00000000000a", "role": "user"}


async def seen(session: ReadSession) -> Any:
    """Return the claims as the server has them."""
    return (await session.execute(SEEN)).scalar_one() or None


class TestClaim:
    """`claim(session, …)`."""

    async def test_reads_and_writes_carry_claims_from_then_on(self, engine: AsyncEngine) -> None:
        """Also after a transaction, beside its limits, and in a snapshot."""
        async with read(engine) as session:
            assert await seen(session) is None
            await claim(session, ADA)
            value = await seen(session)
            assert value
            async with write(session, timeouts=Timeouts(statement=5), settings={"bough.note": "x"}) as writer:
                assert await seen(writer) == value
                assert (await writer.execute(text("SHOW bough.note"))).scalar_one() == "x"
                assert (await writer.execute(text("SHOW statement_timeout"))).scalar_one() == "5s"
            async with consistent(session) as reader:
                assert await seen(reader) == value
            assert await seen(session) == value

    async def test_session_that_claims_nothing_sends_nothing(
        self, engine_to: Callable[..., AsyncEngine], empty_database: Database, proxy: TcpProxy
    ) -> None:
        """A read with claims costs 4 round trips instead of 2; a write what it always cost."""
        engine = engine_to(empty_database.pooled.replace(port=proxy.port))

        async def cost(claims: dict[str, Any] | None, *, writes: bool) -> int:
            proxy.reset()
            async with read(engine) as session:
                if claims:
                    await claim(session, claims)
                if writes:
                    async with write(session) as writer:
                        await writer.execute(select(literal(1)))
                else:
                    await session.execute(select(literal(1)))
            return proxy.round_trips

        await cost(None, writes=False)
        assert [await cost(claims, writes=writes) for claims in (None, ADA) for writes in (False, True)] == [
            2,
            4,
            4,
            4,
        ]

    async def test_claims_end_with_the_transaction(
        self, engine_to: Callable[..., AsyncEngine], empty_database: Database
    ) -> None:
        """Clients that share a server connection never see another's, whether it committed or failed."""
        backends: set[int] = set()

        async def visit(number: int) -> None:
            engine = engine_to(empty_database.pooled)
            async with read(engine) as session:
                assert await seen(session) is None
                await claim(session, {"user_id": str(number)})
                own = await seen(session)
                if number % 2:
                    with pytest.raises(ZeroDivisionError):
                        async with write(session) as writer:
                            assert await seen(writer) == own
                            raise ZeroDivisionError
            async with read(engine) as session:
                value, backend = (await session.execute(SEEN)).one()
                assert not value
                backends.add(backend)

        await asyncio.gather(*(visit(number) for number in range(20)))
        assert len(backends) <= 5

    async def test_claims_inside_a_transaction_are_refused(self, engine: AsyncEngine) -> None:
        """It would go on without them."""
        async with read(engine) as session, write(session) as writer:
            with pytest.raises(RuntimeError, match="claims come before the transaction"):
                await claim(writer, ADA)

    async def test_claims_that_are_too_large_change_nothing(self, engine: AsyncEngine) -> None:
        """The session goes on as it was."""
        async with read(engine) as session:
            with pytest.raises(ClaimsError):
                await claim(session, {"token": "x" * 10_000})
            assert await seen(session) is None


class TestFunctions:
    """What policies read them by, in the migrated database."""

    async def test_without_claims_there_is_nobody(
        self, engine_to: Callable[..., AsyncEngine], database: Database
    ) -> None:
        """Null, which equals no owner; also on a connection that carried claims before."""
        statement = text("SELECT bough_claims(), bough_claim_user(), bough_claim_role()")
        engine = engine_to(database.pooled)
        for claims in (None, ADA, None):
            async with read(engine) as session:
                if claims:
                    await claim(session, claims)
                row = tuple((await session.execute(statement)).one())
            assert row == ((ADA, UUID(ADA["user_id"]), "user") if claims else (None, None, None))

    async def test_claims_arrive_as_they_were_whatever_they_are(
        self, engine_to: Callable[..., AsyncEngine], database: Database
    ) -> None:
        """Quotes, backslashes, any script, deep and wide: values, never statements."""
        engine = engine_to(database.pooled)
        deep: list[Any] = []
        for _ in range(400):
            deep = [deep]
        values = [
            "'; SET LOCAL bough.claims = ''; --",
            "\\'; DROP TABLE users; --",
            '"}, "user_id": "0198c0de-0000-7000-8000-00000000000b", "x": {"',
            "\\u0000 \\x27 %s $1 :name {}",
            "\x01\x1f\x7f\u2028\u202e\ufeff😀",
            {"user_id": "other", "role": "admin"},
            [{"$ne": None}] * 100,
            deep,
            10**300,
        ]
        for value in values:
            assert await self.arrives(engine, value) == value

    async def test_any_claim_arrives_or_is_refused(
        self, engine_to: Callable[..., AsyncEngine], database: Database
    ) -> None:
        """Found by looking for what breaks it."""
        engine = engine_to(database.pooled)
        texts = st.text(st.characters(exclude_categories=[])) | st.text("'\"\\;${}\0u0x27 -")
        claims = st.recursive(
            texts | st.integers() | st.booleans() | st.none(),
            lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
            max_leaves=5,
        )
        loop = asyncio.get_running_loop()

        @settings(max_examples=60, deadline=None, database=None, suppress_health_check=list(HealthCheck))
        @given(claims)
        def check(value: Any) -> None:
            future = asyncio.run_coroutine_threadsafe(self.arrives(engine, value), loop)
            assert future.result(timeout=20) == value

        await asyncio.to_thread(check)

    async def arrives(self, engine: AsyncEngine, value: Any) -> Any:
        """Return what a token's claim is in the database; the user is Ada whatever it is."""
        async with read(engine) as session:
            try:
                await claim(session, ADA | {"token": value})
            except ClaimsError:
                return value
            claims, user, role = (
                await session.execute(text("SELECT bough_claims(), bough_claim_user(), bough_claim_role()"))
            ).one()
            assert (str(user), role) == (ADA["user_id"], ADA["role"])
            return claims["token"]
