"""Authors and books of tests only, and an application that reads them well and badly."""

from __future__ import annotations

from typing import TYPE_CHECKING
from uuid import UUID  # noqa: TC003  SQLAlchemy resolves annotations at run time

from fastapi import FastAPI
from sqlalchemy import Computed, ForeignKey, MetaData, create_engine, select
from sqlalchemy.orm import Mapped, Session, mapped_column, relationship, selectinload

from api.database.base import NAMING_CONVENTION, Base, Timestamps, UuidKey
from api.database.session import ReadSessionDep  # noqa: TC001  FastAPI resolves annotations at run time
from tests.support.shelves import Box, Shelf

if TYPE_CHECKING:
    from infra.testing.databases import Database


class LibraryBase(Base):
    """The application's base with other metadata: its tables are none of the application's."""

    __abstract__ = True
    metadata = MetaData(naming_convention=NAMING_CONVENTION)


class Author(UuidKey, Timestamps, LibraryBase):
    __tablename__ = "author"
    name: Mapped[str] = mapped_column(unique=True)
    notes: Mapped[str] = mapped_column(server_default="none", deferred=True)
    born: Mapped[int | None]
    initial: Mapped[str] = mapped_column(Computed("left(name, 1)", persisted=True))
    books: Mapped[list[Book]] = relationship(back_populates="author", order_by="Book.title")


class Book(LibraryBase):
    __tablename__ = "book"
    id: Mapped[int] = mapped_column(primary_key=True)
    author_id: Mapped[UUID] = mapped_column(ForeignKey("author.id"))
    title: Mapped[str]
    author: Mapped[Author] = relationship(back_populates="books")


def make_library(database: Database) -> None:
    """Create all tables as the owner, with two authors of two books each, and a shelf with a box."""
    owner = create_engine(database.direct.psycopg())
    try:
        LibraryBase.metadata.create_all(owner)
        Shelf.metadata.create_all(owner)
        with Session(owner) as session:
            for name in ("Ada", "Bob"):
                session.add(Author(name=name, books=[Book(title="One"), Book(title="Two")]))
            session.add(Shelf(place="left", boxes=[Box(label="small")]))
            session.commit()
    finally:
        owner.dispose()


app = FastAPI()


@app.get("/lazy")
async def lazy(session: ReadSessionDep) -> list[str]:
    authors = (await session.scalars(select(Author).order_by(Author.name))).all()
    return [book.title for author in authors for book in author.books]


@app.get("/eager")
async def eager(session: ReadSessionDep) -> list[str]:
    authors = (
        await session.scalars(select(Author).order_by(Author.name).options(selectinload(Author.books)))
    ).all()
    return [book.title for author in authors for book in author.books]


@app.get("/n-plus-1")
async def n_plus_1(session: ReadSessionDep) -> list[str]:
    titles: list[str] = []
    for author in (await session.scalars(select(Author))).all():
        titles += await session.scalars(select(Book.title).where(Book.author_id == author.id))
    return titles


@app.get("/broken")
async def broken() -> None:
    message = "an error that the application turns into a 500"
    raise ValueError(message)
