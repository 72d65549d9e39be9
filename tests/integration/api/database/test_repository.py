"""What every repository shares, on a real table."""

from __future__ import annotations

import pytest
from sqlalchemy import select

from api.database.base import uuid7
from api.database.repository import Repository
from api.database.session import read
from infra.testing.statements import count_statements
from tests.support.notes import Note, texts, writing


class TestRepository:
    notes = Repository(Note)

    @pytest.mark.asyncio
    async def test_add_returns_what_the_server_made(self, notes_engine):
        """Server defaults are there after the INSERT, without another statement."""
        async with writing(notes_engine) as session:
            note = await self.notes.add(session, Note(text="a"))
            assert note.created_at.tzinfo is not None

    @pytest.mark.asyncio
    async def test_get_finds_by_key_or_nothing(self, notes_engine):
        """A key that is not there is `None`, not an exception."""
        async with writing(notes_engine) as session:
            note = await self.notes.add(session, Note(text="a"))
        async with read(notes_engine) as session:
            found = await self.notes.get(session, note.id)
            assert found is not None
            assert found.text == "a"
            assert await self.notes.get(session, uuid7()) is None

    @pytest.mark.asyncio
    async def test_list_returns_rows_in_the_statements_order(self, notes_engine):
        """The statement decides filter, order and limit."""
        async with writing(notes_engine) as session:
            for name in "cab":
                await self.notes.add(session, Note(text=name))
        async with read(notes_engine) as session:
            rows = await self.notes.list(session, select(Note).order_by(Note.text).limit(2))
        assert [row.text for row in rows] == ["a", "b"]

    @pytest.mark.asyncio
    async def test_change_returns_what_is_stored(self, notes_engine):
        """Other rows stay as they are; without changes nothing is written; no row is `None`."""
        async with writing(notes_engine) as session:
            note, other = [await self.notes.add(session, Note(text=name)) for name in "ab"]
        async with writing(notes_engine) as session:
            changed = await self.notes.change(session, note.id, {"text": "c"})
            assert changed is not None
            assert changed.text == "c"
            assert await self.notes.change(session, uuid7(), {"text": "c"}) is None
            with count_statements() as statements:
                assert await self.notes.change(session, other.id, {}) is not None
        assert [statement.split()[0] for statement in statements] == ["SELECT"]
        assert await texts(notes_engine) == ["b", "c"]

    @pytest.mark.asyncio
    async def test_delete_tells_whether_there_was_a_row(self, notes_engine):
        """Other rows stay."""
        async with writing(notes_engine) as session:
            note, _ = [await self.notes.add(session, Note(text=name)) for name in "ab"]
        async with writing(notes_engine) as session:
            assert await self.notes.delete(session, note.id)
            assert not await self.notes.delete(session, note.id)
        assert await texts(notes_engine) == ["b"]
