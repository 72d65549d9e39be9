"""The session that is rolled back, and the one that is not."""

from __future__ import annotations

import pytest
from sqlalchemy import func, select

from api.database.errors import UniqueViolationError
from api.database.session import write
from api.tags.models import Tag
from infra.testing.sessions import rolled_back

COUNT = select(func.count()).select_from(Tag)


@pytest.mark.asyncio
class TestRolledBack:
    @pytest.mark.parametrize("turn", [1, 2])
    async def test_nothing_is_kept(self, session, turn):
        """A row of one test is not there in the next one, on the same database."""
        assert await session.scalar(COUNT) == 0
        session.add(Tag(name="python"))
        await session.flush()
        assert await session.scalar(COUNT) == 1

    async def test_commit_keeps_nothing_either(self, shared_database):
        """Code that commits sees its rows afterwards, and nobody else does."""
        async with rolled_back(shared_database.pooled) as session:
            tag = Tag(name="python")
            session.add(tag)
            await session.commit()
            assert tag.name == "python"
            assert await session.scalar(COUNT) == 1
        async with rolled_back(shared_database.pooled) as session:
            assert await session.scalar(COUNT) == 0

    async def test_savepoint_outlives_a_violation(self, session):
        """Constraints speak at the flush, by our errors; a savepoint saves what was before it."""
        session.add(Tag(name="python"))
        await session.flush()
        with pytest.raises(UniqueViolationError) as caught:
            async with session.begin_nested():
                session.add(Tag(name="python"))
        assert caught.value.constraint == "uq_tags_name"
        assert await session.scalar(COUNT) == 1

    async def test_runs_as_the_application(self, session):
        """Rights are those of production."""
        assert await session.scalar(select(func.current_user())) == "bough_app"


@pytest.mark.asyncio
class TestReadSession:
    async def test_write_commits_on_the_tests_own_database(self, read_session, database):
        """What is written stays until the database is dropped."""
        async with write(read_session) as session:
            session.add(Tag(name="python"))
        assert await read_session.scalar(COUNT) == 1
