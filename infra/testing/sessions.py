"""A session whose changes are never kept."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from sqlalchemy.ext.asyncio import AsyncSession

from api.database.engine import make_engine
from api.database.session import ReadSession, WriteSession

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from api.database.connection_url import PooledUrl


@asynccontextmanager
async def rolled_back(url: PooledUrl) -> AsyncIterator[WriteSession]:
    """Open a transaction as the application's role, and roll it back at the end.

    A commit inside ends a savepoint only: the changes are seen until the end, and kept by nobody.
    """
    engine = make_engine(url)
    try:
        async with engine.connect() as connection:
            transaction = await connection.begin()
            async with AsyncSession(
                connection, join_transaction_mode="create_savepoint", expire_on_commit=False
            ) as session:
                yield WriteSession(ReadSession(session))
            await transaction.rollback()
    finally:
        await engine.dispose()
