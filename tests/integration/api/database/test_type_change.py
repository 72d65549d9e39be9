"""A column changes its type on the direct URL under engines that are warm."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import Column, Integer, MetaData, Table, insert, select, text

from api.database.session import read, write

if TYPE_CHECKING:
    from collections.abc import Callable

    import psycopg
    from sqlalchemy.ext.asyncio import AsyncEngine

    from infra.testing.databases import Database

ITEMS = Table("item", MetaData(), Column("id", Integer, primary_key=True), Column("size", Integer))
CHANGES = [
    "ALTER TABLE item ALTER COLUMN size TYPE bigint",
    "ALTER TABLE item ALTER COLUMN size TYPE int",
    "ALTER TABLE item ALTER COLUMN size TYPE numeric",
    "ALTER TABLE item ADD COLUMN note text",
    "ALTER TABLE item DROP COLUMN note",
    "ALTER TABLE item ALTER COLUMN size TYPE bigint",
]
ENGINES = 8


class TestTypeChange:
    """Connections keep nothing of a statement, so nothing of it can become stale."""

    @pytest.fixture(autouse=True)
    def _items(self, owner: psycopg.Connection) -> None:
        owner.execute("CREATE TABLE item (id int PRIMARY KEY GENERATED ALWAYS AS IDENTITY, size int)")
        owner.execute("INSERT INTO item (size) VALUES (1), (2)")

    @pytest.mark.asyncio
    async def test_statement_survives_between_requests(
        self, engine: AsyncEngine, owner: psycopg.Connection
    ) -> None:
        """The same statement on the same connection runs before and after each change."""
        for change in CHANGES:
            async with read(engine) as session:
                assert [row.size for row in await session.execute(select(ITEMS).order_by(ITEMS.c.id))] == [
                    1,
                    2,
                ]
                owner.execute(change)
                assert [row.size for row in await session.execute(select(ITEMS).order_by(ITEMS.c.id))] == [
                    1,
                    2,
                ]
                assert (await session.scalars(text("SELECT size FROM item ORDER BY id"))).all() == [1, 2]

    @pytest.mark.asyncio
    async def test_no_request_fails_under_load(
        self, engine_to: Callable[..., AsyncEngine], empty_database: Database, owner: psycopg.Connection
    ) -> None:
        """Readers and writers on warm engines never notice that a type changes."""
        finished = asyncio.Event()

        async def requests(engine: AsyncEngine) -> int:
            served = 0
            while not finished.is_set() or served == 0:
                async with read(engine) as session:
                    await session.execute(select(ITEMS).limit(2))
                    async with write(session) as writer:
                        await writer.execute(insert(ITEMS).values(size=3))
                served += 1
            return served

        engines = [engine_to(empty_database.pooled) for _ in range(ENGINES)]
        running = [asyncio.create_task(requests(engine)) for engine in engines]
        for change in CHANGES:
            await asyncio.sleep(0.15)
            await asyncio.to_thread(owner.execute, change)
        finished.set()
        assert min(await asyncio.gather(*running)) > 1
