"""What the application wrote for its own sessions, called from a script: equal results, equal errors."""

from __future__ import annotations

import asyncio
from datetime import date, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any
from uuid import UUID  # noqa: TC003  SQLAlchemy resolves Mapped[UUID] at run time

import psycopg
import pytest
import pytest_asyncio
from pydantic import SecretStr
from sqlalchemy import MetaData, Numeric, Text, create_engine, select
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlalchemy.orm import Mapped, mapped_column
from sqlalchemy.pool import NullPool

from api.database.base import Base, Timestamps, UuidKey, uuid7
from api.database.engine import make_engine
from api.database.repository import Repository
from api.database.session import read, write
from api.database.sync import reading, writing
from api.users import service
from api.users.models import User
from api.users.repository import users
from api.users.schemas import UserCreate
from api.web.pagination import cut, keyset
from tests.support.people import People

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from sqlalchemy.ext.asyncio import AsyncEngine

    from api.database.connection_url import ConnectionUrl
    from api.database.session import ReadSession, WriteSession
    from infra.testing.databases import Database, World


class OwnBase(Base):
    """The application's base with other metadata: its table is none of the application's."""

    __abstract__ = True
    metadata = MetaData()


class Thing(UuidKey, Timestamps, OwnBase):
    """A table with a column of each type that drivers read in different ways."""

    __tablename__ = "test_thing"
    name: Mapped[str] = mapped_column(Text)
    price: Mapped[Decimal] = mapped_column(Numeric(12, 2))
    facts: Mapped[dict[str, Any]] = mapped_column(JSONB)
    words: Mapped[list[str]] = mapped_column(ARRAY(Text))
    since: Mapped[datetime | None]
    day: Mapped[date]
    other: Mapped[UUID | None]


ORDER = (Thing.day, Thing.name, Thing.id)
things = Repository(Thing)


def thing(name: str) -> Thing:
    """Make one with a value of each type."""
    return Thing(
        name=name,
        price=Decimal("12.30"),
        facts={"é": [1, 2.5, None, {"deep": True}]},
        words=["a", 'b"c', ""],
        since=datetime.fromisoformat("2026-11-21T12:30:00.123456+05:30"),
        day=date.max,
        other=uuid7(),
    )


async def add_two(session: WriteSession) -> list[UUID]:
    """Add two things, the second inside a savepoint."""
    first = await things.add(session, thing("first"))
    async with session.begin_nested():
        second = await things.add(session, thing("second"))
    return [first.id, second.id]


async def page(
    session: ReadSession, cursor: str | None, *, limit: int
) -> tuple[list[dict[str, Any]], str | None]:
    """Return all columns of a page."""
    statement = keyset(select(Thing), ORDER, cursor, limit)
    rows, following = cut(await things.list(session, statement), ORDER, limit)
    columns = [column.key for column in Thing.__table__.columns]
    return [{name: getattr(row, name) for name in columns} for row in rows], following


@pytest.fixture(scope="module")
def shared(world: World, template: Database) -> Iterator[Database]:
    """A migrated database with the table above and three users."""
    with world.new_database(template.name) as database:
        OwnBase.metadata.create_all(create_engine(database.direct.psycopg(), poolclass=NullPool))
        for name in ("ada", "bob", "cyd"):
            People(database).add(name)
        yield database


@pytest.fixture(params=["direct", "pooled"])
def url(shared: Database, request: pytest.FixtureRequest) -> Iterator[ConnectionUrl]:
    """The database's URL of each kind; things are deleted afterwards."""
    yield getattr(shared, request.param)
    with psycopg.connect(shared.direct.libpq()) as owner:
        owner.execute("TRUNCATE test_thing")


@pytest_asyncio.fixture
async def engine(url: ConnectionUrl) -> AsyncIterator[AsyncEngine]:
    """The application's engine on the same URL."""
    engine = make_engine(url)
    yield engine
    await engine.dispose()


class TestRun:
    @pytest.mark.asyncio
    async def test_returns_what_the_application_gets(self, url, engine):
        """Values, their types and the cursor of the next page are equal, inside a notebook's loop too."""
        with writing(url) as session:
            added = session.run(add_two)
        async with read(engine) as application:
            with reading(url) as session:
                ours, our_cursor = session.run(page, None, limit=1)
                theirs, their_cursor = await page(application, None, limit=1)
                rest = session.run(page, their_cursor, limit=1)
                assert rest == await page(application, our_cursor, limit=1)
        assert (ours, our_cursor) == (theirs, their_cursor)
        assert [row["id"] for row in ours + rest[0]] == added
        for name, value in theirs[0].items():
            assert isinstance(value, type(ours[0][name])), name

    @pytest.mark.asyncio
    async def test_calls_the_sample_domain(self, url, engine):
        """A repository's page and a service's page, by the methods that routes use."""
        wanted = {"role": None, "is_active": True, "prefix": None, "cursor": None, "limit": 2}
        async with read(engine) as application:
            expected = await service.page(application, **wanted)
        with reading(url) as session:
            assert session.run(service.page, **wanted) == expected
            rows, cursor = session.run(users.page, **wanted)
            assert cursor == expected.next_cursor
            assert [row.id for row in rows] == [item.id for item in expected.items]
            found = session.scalars(select(User.id).order_by(User.id.desc()).limit(2)).all()
        assert found == [row.id for row in rows]

    def test_raises_what_a_service_raises(self, url):
        """A taken address is a service's error here too, and rolls the block back."""
        new = UserCreate(email="ADA@example.com", username="someone", password=SecretStr("long enough 12"))
        with pytest.raises(service.EmailTakenError), writing(url) as session:
            session.run(things.add, thing("first"))
            session.run(service.register, new)
        with reading(url) as session:
            assert session.run(page, None, limit=1) == ([], None)

    def test_function_may_open_its_own_transaction(self, url):
        """One that needs a commit of its own gets it, and the session reads on."""

        async def add_one(session: ReadSession) -> UUID:
            async with write(session) as writer:
                return (await things.add(writer, thing("one"))).id

        with reading(url) as session:
            key = session.run(add_one)
            assert session.get(Thing, key) is not None

    def test_function_that_waits_for_something_else_is_refused(self, url):
        """It says which and why, runs the function's cleanup, and the session serves on."""
        steps = []

        async def sleep(_session: ReadSession) -> None:
            try:
                await asyncio.Event().wait()
            finally:
                steps.append("cleaned up")

        with reading(url) as session:
            with pytest.raises(RuntimeError, match="sleep waited for something that is not the database"):
                asyncio.run(in_a_loop(lambda: session.run(sleep)))
            assert session.scalars(select(Thing.name)).all() == []
        assert steps == ["cleaned up"]

    def test_session_ends_with_its_block(self, url):
        """A session that is kept does not quietly open another connection."""
        with reading(url) as session:
            pass
        with pytest.raises(RuntimeError, match="ended"):
            session.run(page, None, limit=1)


async def in_a_loop(call: Any) -> None:
    """Call something inside a running loop."""
    call()
