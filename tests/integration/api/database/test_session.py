"""One session a request: who may write, what shares a snapshot, when it is committed."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager

import httpx2
import pytest
import pytest_asyncio
from fastapi import FastAPI
from sqlalchemy import ForeignKey, insert, select, text
from sqlalchemy.orm import Mapped, mapped_column

from api.database import engine as engine_module
from api.database.base import Base, Timestamps, UuidKey, uuid7
from api.database.engine import make_engine
from api.database.errors import (
    ForeignKeyViolationError,
    InvalidValueError,
    PoolExhaustedError,
    ReadOnlySessionError,
)
from api.database.repository import Repository
from api.database.session import ReadSessionDep, WriteSessionDep, consistent, read, write


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


TABLES = [Parent.__table__, Note.__table__]


@pytest_asyncio.fixture
async def engine(empty_database):
    """An engine as the function has it, over the two tables."""
    owner = make_engine(empty_database.direct)
    async with owner.begin() as connection:
        await connection.run_sync(Base.metadata.create_all, tables=TABLES)
    await owner.dispose()
    engine = make_engine(empty_database.pooled, pool_timeout=0.2)
    yield engine
    await engine.dispose()


@asynccontextmanager
async def writing(engine, **options):
    async with read(engine) as session, write(session, **options) as writer:
        yield writer


async def texts(engine):
    async with read(engine) as session:
        return sorted(await session.scalars(select(Note.text)))


class TestRead:
    async def _refused(self, engine, statement):
        async with read(engine) as session:
            with pytest.raises(ReadOnlySessionError):
                await session.execute(statement)

    @pytest.mark.asyncio
    @pytest.mark.parametrize(
        "statement",
        [
            insert(Note).values(text="a"),
            text("INSERT INTO test_note (id, text) VALUES (gen_random_uuid(), 'a')"),
            text("WITH gone AS (DELETE FROM test_note RETURNING 1) SELECT 1"),
        ],
        ids=["orm", "text", "cte"],
    )
    async def test_writing_statement_is_refused_before_it_is_sent(self, engine, statement):
        """A read session runs in AUTOCOMMIT: a write would be committed piecemeal."""
        await self._refused(engine, statement)
        assert await texts(engine) == []

    @pytest.mark.asyncio
    async def test_changes_are_refused_at_the_flush(self, engine):
        """Objects added to a read session never reach the server."""
        async with read(engine) as session:
            session.add(Note(text="a"))
            with pytest.raises(ReadOnlySessionError):
                await session.flush()
        assert await texts(engine) == []

    @pytest.mark.asyncio
    async def test_each_statement_has_its_own_snapshot(self, engine, empty_database):
        """What another commits between two statements is seen by the second."""
        other = make_engine(empty_database.pooled)
        async with read(engine) as session:
            assert list(await session.scalars(select(Note.text))) == []
            async with writing(other) as writer:
                writer.add(Note(text="a"))
            assert list(await session.scalars(select(Note.text))) == ["a"]
        await other.dispose()


class TestConsistent:
    @pytest.mark.asyncio
    async def test_statements_share_one_snapshot(self, engine, empty_database):
        """What another commits meanwhile is not seen until the snapshot ends."""
        other = make_engine(empty_database.pooled)
        async with read(engine) as session:
            async with consistent(session):
                assert list(await session.scalars(select(Note.text))) == []
                async with writing(other) as writer:
                    writer.add(Note(text="a"))
                assert list(await session.scalars(select(Note.text))) == []
            assert list(await session.scalars(select(Note.text))) == ["a"]
        await other.dispose()

    @pytest.mark.asyncio
    async def test_server_refuses_writes(self, engine):
        """The transaction is READ ONLY on the server, not only by our word."""
        async with read(engine) as session, consistent(session):
            shown = await session.execute(text("SELECT current_setting('transaction_read_only')"))
            assert shown.scalar_one() == "on"


class TestWrite:
    @pytest.mark.asyncio
    async def test_commit_is_one_at_the_end(self, engine, empty_database):
        """Nothing is seen from outside before the block ends, all of it after."""
        other = make_engine(empty_database.pooled)
        async with writing(engine) as session:
            session.add(Note(text="a"))
            await session.flush()
            session.add(Note(text="b"))
            await session.flush()
            assert await texts(other) == []
        assert await texts(other) == ["a", "b"]
        await other.dispose()

    @pytest.mark.asyncio
    async def test_exception_rolls_everything_back(self, engine):
        """Half a transaction never stays."""
        with pytest.raises(LookupError):
            async with writing(engine) as session:
                session.add(Note(text="a"))
                await session.flush()
                raise LookupError
        assert await texts(engine) == []

    @pytest.mark.asyncio
    async def test_cancellation_rolls_everything_back(self, engine):
        """A request that is given up leaves nothing, and the pool works on."""
        started = asyncio.Event()

        async def request():
            async with writing(engine) as session:
                session.add(Note(text="a"))
                await session.flush()
                started.set()
                await session.execute(text("SELECT pg_sleep(20)"))

        task = asyncio.create_task(request())
        await started.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert await texts(engine) == []

    @pytest.mark.asyncio
    async def test_request_that_reads_first_does_not_wait_for_itself(self, engine):
        """Reading and then writing uses the one connection of the pool twice, not two."""
        async with read(engine) as session:
            await session.scalars(select(Note))
            async with write(session) as writer:
                writer.add(Note(text="a"))
            assert list(await session.scalars(select(Note.text))) == ["a"]

    @pytest.mark.asyncio
    async def test_second_session_is_told_that_the_pool_is_exhausted(self, engine):
        """A request that opens a second session learns why it would wait for ever."""
        async with writing(engine) as session:
            await session.execute(text("SELECT 1"))
            with pytest.raises(PoolExhaustedError):
                await texts(engine)

    @pytest.mark.asyncio
    async def test_what_was_read_before_is_detached(self, engine):
        """A change to an object read outside the transaction is not written by it."""
        async with writing(engine) as session:
            session.add(Note(text="a"))
        async with read(engine) as session:
            note = (await session.scalars(select(Note))).one()
            note.text = "changed outside"
            async with write(session) as writer:
                assert note not in writer
        assert await texts(engine) == ["a"]

    @pytest.mark.asyncio
    async def test_nested_write_is_refused(self, engine):
        """A second transaction inside the first would commit it early."""
        async with read(engine) as session, write(session):
            with pytest.raises(RuntimeError, match="begin_nested"):
                async with write(session):
                    pytest.fail("entered")

    @pytest.mark.asyncio
    async def test_savepoint_keeps_the_rest(self, engine):
        """One part may fail while the others are committed."""
        async with writing(engine) as session:
            session.add(Note(text="a"))
            with pytest.raises(LookupError):
                async with session.begin_nested():
                    session.add(Note(text="b"))
                    await session.flush()
                    raise LookupError
            session.add(Note(text="c"))
        assert await texts(engine) == ["a", "c"]

    @pytest.mark.asyncio
    async def test_isolation_is_what_was_asked(self, engine):
        """The level is in force on the server."""
        async with writing(engine, isolation="SERIALIZABLE") as session:
            shown = await session.execute(text("SELECT current_setting('transaction_isolation')"))
            assert shown.scalar_one() == "serializable"

    @pytest.mark.asyncio
    async def test_value_that_does_not_fit_is_not_quoted(self, engine):
        """The error says what kind of misfit it was, and not the value: it may be a secret."""
        with pytest.raises(InvalidValueError) as caught:
            async with writing(engine) as session:
                session.add(Note(text="secret\0"))
                await session.flush()
        assert "secret" not in str(caught.value)


class TestDependencies:
    @pytest_asyncio.fixture
    async def client(self, engine, monkeypatch):
        """An application of three routes."""
        monkeypatch.setattr(engine_module, "_engine", engine)
        app = FastAPI()

        @app.post("/notes", status_code=201)
        async def add(session: WriteSessionDep, parent: int | None = None) -> None:
            session.add(Note(text="a", parent_id=parent))
            await session.flush()

        @app.post("/both", status_code=201)
        async def both(writer: WriteSessionDep, reader: ReadSessionDep) -> bool:
            writer.add(Note(text="a"))
            return len((await reader.scalars(select(Note))).all()) == 1

        @app.exception_handler(ForeignKeyViolationError)
        async def conflict(*_):
            return httpx2_response(409)

        def httpx2_response(status):
            from starlette.responses import Response

            return Response(status_code=status)

        transport = httpx2.ASGITransport(app)
        async with httpx2.AsyncClient(transport=transport, base_url="http://test") as client:
            yield client

    @pytest.mark.asyncio
    async def test_commit_that_fails_is_not_acknowledged(self, client, engine):
        """A constraint that speaks at COMMIT turns the answer into a conflict: the commit comes first."""
        assert (await client.post("/notes", params={"parent": 5})).status_code == 409
        assert await texts(engine) == []

    @pytest.mark.asyncio
    async def test_success_is_committed_when_the_answer_arrives(self, client, engine):
        """A 201 means committed."""
        assert (await client.post("/notes")).status_code == 201
        assert await texts(engine) == ["a"]

    @pytest.mark.asyncio
    async def test_both_dependencies_are_one_session(self, client):
        """A reader inside a writing request reads what the request wrote, on the same connection."""
        response = await client.post("/both")
        assert (response.status_code, response.json()) == (201, True)


class TestRepository:
    notes = Repository(Note)

    @pytest.mark.asyncio
    async def test_add_returns_what_the_server_made(self, engine):
        """Server defaults are there after the INSERT, without another statement."""
        async with writing(engine) as session:
            note = await self.notes.add(session, Note(text="a"))
            assert note.created_at.tzinfo is not None

    @pytest.mark.asyncio
    async def test_get_finds_by_key_or_nothing(self, engine):
        """A key that is not there is `None`, not an exception."""
        async with writing(engine) as session:
            note = await self.notes.add(session, Note(text="a"))
        async with read(engine) as session:
            found = await self.notes.get(session, note.id)
            assert found is not None
            assert found.text == "a"
            assert await self.notes.get(session, uuid7()) is None

    @pytest.mark.asyncio
    async def test_list_returns_rows_in_the_statements_order(self, engine):
        """The statement decides filter, order and limit."""
        async with writing(engine) as session:
            for name in "cab":
                await self.notes.add(session, Note(text=name))
        async with read(engine) as session:
            rows = await self.notes.list(session, select(Note).order_by(Note.text).limit(2))
        assert [row.text for row in rows] == ["a", "b"]
