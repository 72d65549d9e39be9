"""One session a request: who may write, what shares a snapshot, when it is committed."""

from __future__ import annotations

import asyncio

import pytest
from sqlalchemy import insert, select, text

from api.database.engine import make_engine
from api.database.errors import InvalidValueError, PoolExhaustedError, ReadOnlySessionError
from api.database.session import consistent, read, write
from api.database.statistics import Statistics, statistics
from tests.support.notes import Note, texts, writing


class TestRead:
    @pytest.mark.asyncio
    @pytest.mark.parametrize(
        "statement",
        [
            insert(Note).values(text="a"),
            text("INSERT INTO test_note (id, text) VALUES (gen_random_uuid(), 'a')"),
            text("WITH gone AS (DELETE FROM test_note RETURNING 1) SELECT 1"),
            select(insert(Note).values(text="a").returning(Note.id).cte()),
            text("EXPLAIN ANALYZE INSERT INTO test_note (id, text) VALUES (gen_random_uuid(), 'a')"),
        ],
        ids=["orm", "text", "cte", "select from insert", "explain"],
    )
    async def test_writing_statement_is_refused_before_it_is_sent(self, notes_engine, statement):
        """A read session runs in AUTOCOMMIT: a write would be committed piecemeal."""
        async with read(notes_engine) as session:
            with pytest.raises(ReadOnlySessionError):
                await session.execute(statement)
            with pytest.raises(ReadOnlySessionError):
                await (await session.connection()).execute(statement)
        assert await texts(notes_engine) == []

    @pytest.mark.asyncio
    async def test_changes_are_refused_at_the_flush(self, notes_engine):
        """Objects added to a read session never reach the server."""
        async with read(notes_engine) as session:
            session.add(Note(text="a"))
            with pytest.raises(ReadOnlySessionError):
                await session.flush()
        assert await texts(notes_engine) == []

    @pytest.mark.asyncio
    @pytest.mark.parametrize("change", ["add", "update", "delete"])
    async def test_changes_that_nobody_sent_are_not_lost_silently(self, notes_engine, change):
        """A route that took the wrong session fails, instead of saying that all went well."""
        async with writing(notes_engine) as writer:
            writer.add(Note(text="a"))
        with pytest.raises(ReadOnlySessionError, match="take a WriteSession"):
            async with read(notes_engine) as session:
                note = (await session.scalars(select(Note))).one()
                if change == "add":
                    session.add(Note(text="b"))
                elif change == "update":
                    note.text = "b"
                else:
                    await session.delete(note)

    @pytest.mark.asyncio
    async def test_value_set_to_itself_is_no_change(self, notes_engine):
        """Only what would be written counts."""
        async with writing(notes_engine) as writer:
            writer.add(Note(text="a"))
        async with read(notes_engine) as session:
            note = (await session.scalars(select(Note))).one()
            note.text = str(note.text)

    @pytest.mark.asyncio
    async def test_each_statement_has_its_own_snapshot(self, notes_engine, empty_database):
        """What another commits between two statements is seen by the second."""
        other = make_engine(empty_database.pooled)
        async with read(notes_engine) as session:
            assert list(await session.scalars(select(Note.text))) == []
            async with writing(other) as writer:
                writer.add(Note(text="a"))
            assert list(await session.scalars(select(Note.text))) == ["a"]
        await other.dispose()


class TestConsistent:
    @pytest.mark.asyncio
    async def test_statements_share_one_snapshot(self, notes_engine, empty_database):
        """What another commits meanwhile is not seen until the snapshot ends."""
        other = make_engine(empty_database.pooled)
        async with read(notes_engine) as session:
            async with consistent(session):
                assert list(await session.scalars(select(Note.text))) == []
                async with writing(other) as writer:
                    writer.add(Note(text="a"))
                assert list(await session.scalars(select(Note.text))) == []
            assert list(await session.scalars(select(Note.text))) == ["a"]
        await other.dispose()

    @pytest.mark.asyncio
    async def test_server_refuses_writes(self, notes_engine):
        """The transaction is READ ONLY on the server, not only by our word."""
        async with read(notes_engine) as session, consistent(session):
            shown = await session.execute(text("SELECT current_setting('transaction_read_only')"))
            assert shown.scalar_one() == "on"


class TestWrite:
    @pytest.mark.asyncio
    async def test_commit_is_one_at_the_end(self, notes_engine, empty_database):
        """Nothing is seen from outside before the block ends, all of it after."""
        other = make_engine(empty_database.pooled)
        async with writing(notes_engine) as session:
            session.add(Note(text="a"))
            await session.flush()
            session.add(Note(text="b"))
            await session.flush()
            assert await texts(other) == []
        assert await texts(other) == ["a", "b"]
        await other.dispose()

    @pytest.mark.asyncio
    async def test_exception_rolls_everything_back(self, notes_engine):
        """Half a transaction never stays."""
        with pytest.raises(LookupError):
            async with writing(notes_engine) as session:
                session.add(Note(text="a"))
                await session.flush()
                raise LookupError
        assert await texts(notes_engine) == []

    @pytest.mark.asyncio
    async def test_cancellation_rolls_everything_back(self, notes_engine):
        """A request that is given up leaves nothing, and the pool works on."""
        started = asyncio.Event()

        async def request():
            async with writing(notes_engine) as session:
                session.add(Note(text="a"))
                await session.flush()
                started.set()
                await session.execute(text("SELECT pg_sleep(20)"))

        task = asyncio.create_task(request())
        await started.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert await texts(notes_engine) == []

    @pytest.mark.asyncio
    async def test_request_that_reads_first_does_not_wait_for_itself(self, notes_engine):
        """Reading and then writing uses the one connection of the pool twice, not two."""
        async with read(notes_engine) as session:
            await session.scalars(select(Note))
            async with write(session) as writer:
                writer.add(Note(text="a"))
            assert list(await session.scalars(select(Note.text))) == ["a"]

    @pytest.mark.asyncio
    async def test_second_session_is_told_that_the_pool_is_exhausted(self, notes_engine):
        """A request that opens a second session learns why it would wait for ever."""
        async with writing(notes_engine) as session:
            await session.execute(text("SELECT 1"))
            counters = Statistics()
            token = statistics.set(counters)
            with pytest.raises(PoolExhaustedError):
                await texts(notes_engine)
            statistics.reset(token)
            assert counters.pool_waits == 1

    @pytest.mark.asyncio
    async def test_what_was_read_before_is_detached(self, notes_engine):
        """A change to an object read outside the transaction is not written by it."""
        async with writing(notes_engine) as session:
            session.add(Note(text="a"))
        async with read(notes_engine) as session:
            note = (await session.scalars(select(Note))).one()
            note.text = "changed outside"
            async with write(session) as writer:
                assert note not in writer
        assert await texts(notes_engine) == ["a"]

    @pytest.mark.asyncio
    @pytest.mark.parametrize("outer", [write, consistent])
    @pytest.mark.parametrize("inner", [write, consistent])
    async def test_nested_transaction_is_refused(self, notes_engine, outer, inner):
        """A second transaction inside the first would end it early: its writes, or its snapshot."""
        async with read(notes_engine) as session, outer(session):
            with pytest.raises(RuntimeError, match="begin_nested"):
                async with inner(session):
                    pytest.fail("entered")

    @pytest.mark.asyncio
    async def test_write_after_an_early_commit_is_refused(self, notes_engine):
        """It would run in AUTOCOMMIT: without limits or rollback, and twice when its connection dies."""
        with pytest.raises(ReadOnlySessionError):
            async with writing(notes_engine) as session:
                session.add(Note(text="a"))
                await session.commit()
                await session.execute(insert(Note).values(text="b"))
        assert await texts(notes_engine) == ["a"]

    @pytest.mark.asyncio
    async def test_savepoint_keeps_the_rest(self, notes_engine):
        """One part may fail while the others are committed."""
        async with writing(notes_engine) as session:
            session.add(Note(text="a"))
            with pytest.raises(LookupError):
                async with session.begin_nested():
                    session.add(Note(text="b"))
                    await session.flush()
                    raise LookupError
            session.add(Note(text="c"))
        assert await texts(notes_engine) == ["a", "c"]

    @pytest.mark.asyncio
    async def test_isolation_is_what_was_asked(self, notes_engine):
        """The level is in force on the server."""
        async with writing(notes_engine, isolation="SERIALIZABLE") as session:
            shown = await session.execute(text("SELECT current_setting('transaction_isolation')"))
            assert shown.scalar_one() == "serializable"

    @pytest.mark.asyncio
    async def test_value_that_does_not_fit_is_not_quoted(self, notes_engine):
        """The error says what kind of misfit it was, and not the value: it may be a secret."""
        with pytest.raises(InvalidValueError) as caught:
            async with writing(notes_engine) as session:
                session.add(Note(text="secret\0"))
                await session.flush()
        assert "secret" not in str(caught.value)
