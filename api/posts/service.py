"""The rules about posts: who sees drafts, who may change what.

A draft is seen by its author and by moderators; for everyone else it does not exist. Only the author
changes and publishes a post; moderators may delete it as well.
"""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING, TypeVar

from sqlalchemy import func

from api.posts.models import Post, post_tags
from api.posts.repository import MATCH_BEGINS, MATCH_ENDS, posts
from api.posts.schemas import PostMatch, PostRead, PostSuggestion, PostSummary
from api.posts.slugs import slug_of
from api.tags.repository import set_tags
from api.users.models import Role
from api.web.pagination import Page
from api.web.problems import ForbiddenError, NotFoundError

if TYPE_CHECKING:
    from uuid import UUID

    from api.auth.current_user import CurrentUser
    from api.database.session import ReadSession, WriteSession
    from api.posts.repository import Filters, Rows
    from api.posts.schemas import PostCreate, PostUpdate

Summary = TypeVar("Summary", bound=PostSummary)


class PostNotFoundError(NotFoundError):
    """No post has this id or slug, or it is not the viewer's to see."""

    code = "POST_NOT_FOUND"

    def __init__(self) -> None:
        """Say the same in both cases."""
        super().__init__("There is no such post.")


class NotTheOwnerError(ForbiddenError):
    """The post is somebody else's."""

    code = "NOT_THE_OWNER"


async def create(session: WriteSession, author: CurrentUser, new: PostCreate) -> PostRead:
    """Begin a draft."""
    key = await posts.insert(
        session, author=author.id, title=new.title, slug=slug_of(new.title), body=new.body
    )
    if new.tags:
        await set_tags(session, post_tags, key, new.tags)
    return await _read_back(session, key)


async def read(
    session: ReadSession, viewer: CurrentUser | None, *, key: UUID | None = None, slug: str | None = None
) -> PostRead:
    """Return a post by its key or its slug.

    Raises:
        PostNotFoundError: There is none that the viewer may see.
    """
    return PostRead.model_validate(_visible(viewer, await posts.find(session, key=key, slug=slug)))


async def published(
    session: ReadSession, filters: Filters, cursor: str | None, limit: int
) -> Page[PostSummary]:
    """Return a page of published posts, the newest first."""
    return _page(PostSummary, await posts.published(session, filters, cursor, limit))


async def drafts(
    session: ReadSession, author: CurrentUser, cursor: str | None, limit: int
) -> Page[PostSummary]:
    """Return a page of one's own drafts, the last begun first."""
    return _page(PostSummary, await posts.drafts(session, author.id, cursor, limit))


async def search(session: ReadSession, words: str, cursor: str | None, limit: int) -> Page[PostMatch]:
    """Return a page of published posts that match, the best first, with what matched in their bodies."""
    page = _page(PostMatch, await posts.search(session, words, cursor, limit))
    for item in page.items:
        item.headline = _marked(item.headline)
    return page


async def suggest(session: ReadSession, beginning: str, limit: int) -> list[PostSuggestion]:
    """Return published posts whose titles begin so, in whatever case."""
    return [PostSuggestion.model_validate(row) for row in await posts.suggest(session, beginning, limit)]


async def update(session: WriteSession, viewer: CurrentUser, key: UUID, sent: PostUpdate) -> PostRead:
    """Change the fields that were sent.

    Raises:
        PostNotFoundError: There is none that the viewer may see.
        NotTheOwnerError: It is somebody else's.
    """
    _require_owner(viewer, _visible(viewer, await posts.get(session, key)))
    changes, tags = sent.changes(), sent.new_tags()
    if tags is not None and not changes:
        # Other tags are a change as well: with nothing else to write, the server sets `updated_at`.
        changes = {"updated_at": func.now()}
    if await posts.change(session, key, changes) is None:  # deleted since it was looked at
        raise PostNotFoundError
    if tags is not None:
        await set_tags(session, post_tags, key, tags)
    return await _read_back(session, key)


async def publish(session: WriteSession, viewer: CurrentUser, key: UUID) -> PostRead:
    """Show a draft to everyone; what is published already stays as it is.

    Raises:
        PostNotFoundError: There is none that the viewer may see.
        NotTheOwnerError: It is somebody else's.
    """
    _require_owner(viewer, _visible(viewer, await posts.get(session, key)))
    await posts.publish(session, key)
    return await _read_back(session, key)


async def delete(session: WriteSession, viewer: CurrentUser, key: UUID) -> None:
    """Delete a post, for good.

    Raises:
        PostNotFoundError: There is none that the viewer may see.
        NotTheOwnerError: It is somebody else's, and the viewer is no moderator.
    """
    post = _visible(viewer, await posts.get(session, key))
    if not viewer.may(Role.MODERATOR):
        _require_owner(viewer, post)
    await posts.delete(session, key)


def _visible(viewer: CurrentUser | None, post: Post | None) -> Post:
    if post is None or not (post.published_at or (viewer and _sees_draft(viewer, post))):
        raise PostNotFoundError
    return post


def _sees_draft(viewer: CurrentUser, post: Post) -> bool:
    return viewer.id == post.author_id or viewer.may(Role.MODERATOR)


def _require_owner(viewer: CurrentUser, post: Post) -> None:
    if viewer.id != post.author_id:
        raise NotTheOwnerError("This post is somebody else's.")


async def _read_back(session: WriteSession, key: UUID) -> PostRead:
    """Return what was written, tags and the server's timestamps included."""
    post = await posts.find(session, key=key)
    if post is None:  # deleted by somebody else between two statements of ours
        raise PostNotFoundError
    return PostRead.model_validate(post)


def _page(kind: type[Summary], found: Rows) -> Page[Summary]:
    rows, next_cursor = found
    names = rows[0]._fields if rows else ()
    # From a dict and into the response's own type: neither is looked up or validated again by name.
    items = [kind.model_validate(dict(zip(names, row, strict=True))) for row in rows]
    return Page[kind](items=items, next_cursor=next_cursor)  # type: ignore[valid-type]  # the caller's


def _marked(headline: str) -> str:
    """Return HTML in which nothing is markup but our `<mark>`."""
    return escape(headline, quote=False).replace(MATCH_BEGINS, "<mark>").replace(MATCH_ENDS, "</mark>")
