"""Two tables of tests only, and what sessions do with them."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

from sqlalchemy import ForeignKey, select
from sqlalchemy.orm import Mapped, mapped_column

from api.database.base import Base, Timestamps, UuidKey
from api.database.engine import make_engine
from api.database.session import WriteSession, read, write

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from sqlalchemy.ext.asyncio import AsyncEngine

    from tests.support.databases import Database


class Note(UuidKey, Timestamps, Base):
    """A table of these tests only."""

    __tablename__ = "test_note"
    __table_args__ = {"info": {"skip_autogenerate": True}}  # noqa: RUF012  typed by DeclarativeBase
    text: Mapped[str]
    parent_id: Mapped[int | None] = mapped_column(
        ForeignKey("test_parent.id", deferrable=True, initially="DEFERRED")
    )


class Parent(Base):
    """What a note may refer to."""

    __tablename__ = "test_parent"
    id: Mapped[int] = mapped_column(primary_key=True)


async def create_tables(database: Database) -> None:
    """Create both as the owner."""
    owner = make_engine(database.direct)
    async with owner.begin() as connection:
        tables = [Base.metadata.tables[name] for name in ("test_parent", "test_note")]
        await connection.run_sync(Base.metadata.create_all, tables=tables)
    await owner.dispose()


@asynccontextmanager
async def writing(engine: AsyncEngine, **options: Any) -> AsyncIterator[WriteSession]:
    """Open a transaction as a route that writes has it."""
    async with read(engine) as session, write(session, **options) as writer:
        yield writer


async def texts(engine: AsyncEngine) -> list[str]:
    """Return what is committed."""
    async with read(engine) as session:
        return sorted(await session.scalars(select(Note.text)))
