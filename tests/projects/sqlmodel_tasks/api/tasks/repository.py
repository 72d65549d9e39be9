"""Statements about tasks and tags."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.orm import selectinload
from sqlmodel import col

from api.database.base import uuid7
from api.database.repository import Repository
from api.tasks.models import Tag, Task
from api.web.pagination import cut, keyset

if TYPE_CHECKING:
    from collections.abc import Sequence

    from api.database.session import ReadSession, WriteSession

_ORDER = (col(Task.created_at), col(Task.id))
# To mypy a relationship of SQLModel is the list itself.
WITH_TAGS = (selectinload(Task.tags),)  # type: ignore[arg-type]


class TaskRepository(Repository[Task]):
    """Statements about the table `tasks`."""

    async def page(
        self, session: ReadSession, cursor: str | None, limit: int
    ) -> tuple[list[Task], str | None]:
        """Return a page of tasks with their tags, the newest first: two statements."""
        statement = select(Task).options(*WITH_TAGS)
        rows = await self.list(session, keyset(statement, _ORDER, cursor, limit, descending=True))
        return cut(rows, _ORDER, limit)


async def tags_named(session: WriteSession, names: Sequence[str]) -> list[Tag]:
    """Return the tags of these names, made where they are new."""
    if not names:
        return []
    new = [{"id": uuid7(), "name": name} for name in sorted(set(names))]
    await session.execute(upsert(Tag).values(new).on_conflict_do_nothing())
    return list(await session.scalars(select(Tag).where(col(Tag.name).in_(names)).order_by(col(Tag.name))))


tasks = TaskRepository(Task)
