"""The application with a table and routes of a test's own."""

from __future__ import annotations

from datetime import datetime  # noqa: TC003  FastAPI and SQLAlchemy resolve annotations at run time
from typing import Any
from uuid import UUID  # noqa: TC003

from sqlalchemy import DateTime, select, text
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from api.app import create_app
from api.database.session import ReadSessionDep, WriteSessionDep  # noqa: TC001
from api.settings import WebSettings
from api.web.pagination import DEFAULT_LIMIT, Cursor, Limit, Page, cut, keyset

app = create_app(WebSettings())


class Base(DeclarativeBase):
    """Apart from the application's, whose migrations know nothing of this table."""


class Book(Base):
    __tablename__ = "book"
    id: Mapped[UUID] = mapped_column(primary_key=True)
    added_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))
    title: Mapped[str] = mapped_column(unique=True)


ORDER = (Book.added_at, Book.id)


@app.get("/books")
async def list_books(
    session: ReadSessionDep, cursor: Cursor = None, limit: Limit = DEFAULT_LIMIT, *, newest: bool = True
) -> Page[str]:
    statement = keyset(select(Book), ORDER, cursor, limit, descending=newest)
    books, next_cursor = cut((await session.scalars(statement)).all(), ORDER, limit)
    return Page(items=[book.title for book in books], next_cursor=next_cursor)


@app.get("/sleep/{seconds}")
async def sleep(session: ReadSessionDep, seconds: float) -> dict[str, Any]:
    await session.execute(text("SELECT pg_sleep(:seconds)"), {"seconds": seconds})
    return {"slept": seconds}


@app.post("/books/{title}", status_code=201)
async def add_book(session: WriteSessionDep, title: str) -> dict[str, str]:
    statement = text("INSERT INTO book (id, added_at, title) VALUES (gen_random_uuid(), now(), :title)")
    await session.execute(statement, {"title": title})
    return {"title": title}
