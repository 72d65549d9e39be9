"""Two tables of tests only, and what sessions do with them."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

from sqlalchemy import ForeignKey, MetaData, select
from sqlalchemy.orm import Mapped, mapped_column

from api.database.base import NAMING_CONVENTION, Base, Timestamps, UuidKey
from api.database.engine import make_engine
from api.database.session import WriteSession, read, write

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from sqlalchemy.ext.asyncio import AsyncEngine

    from infra.testing.databases import Database


class OwnBase(Base):
    """The application's base with other metadata: its tables are none of the application's."""

    __abstract__ = True
    metadata = MetaData(naming_convention=NAMING_CONVENTION)


class Note(UuidKey, Timestamps, OwnBase):
    """A table of these tests only."""

    __tablename__ = "test_note"
    text: Mapped[str]
    parent_id: Mapped[int | None] = mapped_column(
        ForeignKey("test_parent.id", deferrable=True, initially="DEFERRED")
    )


class Parent(OwnBase):
    """What a note may refer to."""

    __tablename__ = "test_parent"
    id: Mapped[int] = mapped_column(primary_key=True)


async def create_tables(database: Database) -> None:
    """Create both as the owner."""
    owner = make_engine(database.direct)
    async with owner.begin() as connection:
        await connection.run_sync(OwnBase.metadata.create_all)
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
