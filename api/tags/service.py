"""The list of tags."""

from __future__ import annotations

from typing import TYPE_CHECKING

from api.tags import repository
from api.web.pagination import Page

if TYPE_CHECKING:
    from api.database.session import ReadSession


async def page(session: ReadSession, prefix: str, cursor: str | None, limit: int) -> Page[str]:
    """Return a page of the names that begin with `prefix`."""
    names, next_cursor = await repository.list_tags(session, prefix, cursor, limit)
    return Page(items=names, next_cursor=next_cursor)
