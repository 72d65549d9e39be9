"""The posts' routes."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from fastapi import Path, Query, status

from api.auth.current_user import TOKEN_OPTIONAL, CurrentUserDep, CurrentUserOrNone
from api.database.session import ReadSessionDep, WriteSessionDep  # noqa: TC001
from api.posts import service
from api.posts.repository import Filters
from api.posts.schemas import (  # noqa: TC001
    PostCreate,
    PostMatch,
    PostRead,
    PostSuggestion,
    PostSummary,
    PostUpdate,
)
from api.posts.service import NotTheOwnerError, PostNotFoundError
from api.tags.schemas import MAX_TAGS, TagName
from api.web.json_types import JsonDatetime
from api.web.openapi import problem_responses
from api.web.pagination import DEFAULT_LIMIT, Cursor, InvalidCursorError, Limit, Page
from api.web.problems import UnauthorizedError
from api.web.routing import resource_router
from api.web.text import NO_NUL

router = resource_router("posts", "/posts")

_Tags = Annotated[
    list[TagName],
    Query(alias="tag", max_length=MAX_TAGS, description="Only posts with this tag; with all of several."),
]
_Author = Annotated[UUID | None, Query(description="Only posts by this user.")]
_After = Annotated[JsonDatetime | None, Query(description="Only posts published at this moment or later.")]
_Before = Annotated[JsonDatetime | None, Query(description="Only posts published before this moment.")]
_Words = Annotated[
    str,
    Query(
        min_length=1,
        max_length=200,
        pattern=NO_NUL,
        description='Words, `"a phrase"`, `or`, `-not`.',
        examples=["analytical engines"],
    ),
]
_Beginning = Annotated[
    str,
    Query(
        min_length=1,
        max_length=200,
        pattern=NO_NUL,
        description="How the title begins, in whatever case.",
        examples=["on ana"],
    ),
]
_Slug = Annotated[
    str,
    Path(max_length=200, pattern=NO_NUL, description="As in the post.", examples=["on-analytical-engines"]),
]


@router.post("", status_code=status.HTTP_201_CREATED, responses=problem_responses(UnauthorizedError))
async def create_post(author: CurrentUserDep, session: WriteSessionDep, new: PostCreate) -> PostRead:
    """Begin a draft. Its slug is made from the title, with a suffix where that is taken."""
    return await service.create(session, author, new)


@router.get("", responses=problem_responses(InvalidCursorError))
async def list_posts(
    session: ReadSessionDep,
    *,
    tags: _Tags = [],  # noqa: B006  FastAPI's way to say "none"; it is never changed
    author: _Author = None,
    published_after: _After = None,
    published_before: _Before = None,
    cursor: Cursor = None,
    limit: Limit = DEFAULT_LIMIT,
) -> Page[PostSummary]:
    """List published posts, the newest first; what several filters say must all hold."""
    filters = Filters(tuple(tags), author, published_after, published_before)
    return await service.published(session, filters, cursor, limit)


@router.get("/search", responses=problem_responses(InvalidCursorError))
async def search_posts(
    session: ReadSessionDep, q: _Words, cursor: Cursor = None, limit: Limit = DEFAULT_LIMIT
) -> Page[PostMatch]:
    """Search titles and bodies of published posts (English), the best match first.

    Of what more than 150 posts match, the newest 150 are ranked.
    """
    return await service.search(session, q, cursor, limit)


@router.get("/suggest")
async def suggest_posts(
    session: ReadSessionDep, q: _Beginning, limit: Limit = DEFAULT_LIMIT
) -> list[PostSuggestion]:
    """Complete a title while it is typed: published posts whose titles begin so, by title."""
    return await service.suggest(session, q, limit)


@router.get("/drafts", responses=problem_responses(InvalidCursorError, UnauthorizedError))
async def list_drafts(
    author: CurrentUserDep, session: ReadSessionDep, cursor: Cursor = None, limit: Limit = DEFAULT_LIMIT
) -> Page[PostSummary]:
    """List your own drafts, the last begun first."""
    return await service.drafts(session, author, cursor, limit)


@router.get("/by-slug/{slug}", responses=problem_responses(PostNotFoundError), openapi_extra=TOKEN_OPTIONAL)
async def read_post_by_slug(viewer: CurrentUserOrNone, session: ReadSessionDep, slug: _Slug) -> PostRead:
    """Return a post by its slug; a draft only to its author and to moderators."""
    return await service.read(session, viewer, slug=slug)


@router.get("/{post_id}", responses=problem_responses(PostNotFoundError), openapi_extra=TOKEN_OPTIONAL)
async def read_post(viewer: CurrentUserOrNone, session: ReadSessionDep, post_id: UUID) -> PostRead:
    """Return a post; a draft only to its author and to moderators."""
    return await service.read(session, viewer, key=post_id)


@router.patch(
    "/{post_id}", responses=problem_responses(UnauthorizedError, NotTheOwnerError, PostNotFoundError)
)
async def update_post(
    viewer: CurrentUserDep, session: WriteSessionDep, post_id: UUID, sent: PostUpdate
) -> PostRead:
    """Change the fields that are sent, of your own post."""
    return await service.update(session, viewer, post_id, sent)


@router.post(
    "/{post_id}/publish",
    responses=problem_responses(UnauthorizedError, NotTheOwnerError, PostNotFoundError),
)
async def publish_post(viewer: CurrentUserDep, session: WriteSessionDep, post_id: UUID) -> PostRead:
    """Publish your own post; harmless when repeated."""
    return await service.publish(session, viewer, post_id)


@router.delete(
    "/{post_id}",
    status_code=status.HTTP_204_NO_CONTENT,
    responses=problem_responses(UnauthorizedError, NotTheOwnerError, PostNotFoundError),
)
async def delete_post(viewer: CurrentUserDep, session: WriteSessionDep, post_id: UUID) -> None:
    """Delete your own post, or anyone's as a moderator."""
    await service.delete(session, viewer, post_id)
