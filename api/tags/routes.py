"""The routes of tags."""

from __future__ import annotations

from typing import Annotated

from fastapi import Query

from api.database.session import ReadSessionDep  # noqa: TC001  FastAPI resolves annotations at run time
from api.tags import service
from api.tags.schemas import TagPrefix
from api.web.openapi import problem_responses
from api.web.pagination import DEFAULT_LIMIT, Cursor, InvalidCursorError, Limit, Page
from api.web.routing import resource_router

router = resource_router("tags", "/tags")

_Prefix = Annotated[
    TagPrefix, Query(description="Only names that begin so, in whatever spelling.", examples=["hist"])
]


@router.get("", responses=problem_responses(InvalidCursorError))
async def list_tags(
    session: ReadSessionDep, prefix: _Prefix = "", cursor: Cursor = None, limit: Limit = DEFAULT_LIMIT
) -> Page[str]:
    """List the tags that were ever used, by name: on drafts and on tasks as well, for everyone to see."""
    return await service.page(session, prefix, cursor, limit)
