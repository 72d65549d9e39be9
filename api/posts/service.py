"""The rules about posts: who sees drafts, who may change what.

A draft is seen by its author and by moderators; for everyone else it does not exist. Only the author
changes and publishes a post; moderators may delete it as well.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from api.posts import repository
from api.posts.models import post_tags
from api.posts.schemas import PostRead, PostSummary
from api.posts.slugs import slug_of
from api.tags.repository import set_tags
from api.users.models import Role
from api.web.pagination import Page
from api.web.problems import ForbiddenError, NotFoundError

if TYPE_CHECKING:
    from uuid import UUID

    from api.auth.current_user import CurrentUser
    from api.database.session import ReadSession, WriteSession
    from api.posts.schemas import PostCreate, PostUpdate


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
    key = await repository.add(
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
    return PostRead.model_validate(await _visible(session, viewer, key=key, slug=slug))


async def published(
    session: ReadSession, *, tag: str | None, author: UUID | None, cursor: str | None, limit: int
) -> Page[PostSummary]:
    """Return a page of published posts, the newest first."""
    return _page(await repository.published(session, tag=tag, author=author, cursor=cursor, limit=limit))


async def drafts(
    session: ReadSession, author: CurrentUser, cursor: str | None, limit: int
) -> Page[PostSummary]:
    """Return a page of one's own drafts, the last begun first."""
    return _page(await repository.drafts(session, author.id, cursor, limit))


async def search(session: ReadSession, words: str, cursor: str | None, limit: int) -> Page[PostSummary]:
    """Return a page of published posts that match, the best first."""
    return _page(await repository.search(session, words, cursor, limit))


async def update(session: WriteSession, viewer: CurrentUser, key: UUID, sent: PostUpdate) -> PostRead:
    """Change the fields that were sent.

    Raises:
        PostNotFoundError: There is none that the viewer may see.
        NotTheOwnerError: It is somebody else's.
    """
    _require_owner(viewer, await _visible(session, viewer, key=key))
    changes, tags = sent.changes(), sent.new_tags()
    if changes or tags is not None:
        await repository.change(session, key, changes)
    if tags is not None:
        await set_tags(session, post_tags, key, tags)
    return await _read_back(session, key)


async def publish(session: WriteSession, viewer: CurrentUser, key: UUID) -> PostRead:
    """Show a draft to everyone; what is published already stays as it is.

    Raises:
        PostNotFoundError: There is none that the viewer may see.
        NotTheOwnerError: It is somebody else's.
    """
    _require_owner(viewer, await _visible(session, viewer, key=key))
    await repository.publish(session, key)
    return await _read_back(session, key)


async def delete(session: WriteSession, viewer: CurrentUser, key: UUID) -> None:
    """Delete a post, for good.

    Raises:
        PostNotFoundError: There is none that the viewer may see.
        NotTheOwnerError: It is somebody else's, and the viewer is no moderator.
    """
    post = await _visible(session, viewer, key=key)
    if not viewer.may(Role.MODERATOR):
        _require_owner(viewer, post)
    await repository.delete_post(session, key)


async def _visible(
    session: ReadSession, viewer: CurrentUser | None, *, key: UUID | None = None, slug: str | None = None
) -> repository.PostRow:
    post = await repository.find(session, key=key, slug=slug)
    if post is None or not (post.published_at or (viewer and _sees_draft(viewer, post))):
        raise PostNotFoundError
    return post


def _sees_draft(viewer: CurrentUser, post: repository.PostRow) -> bool:
    return viewer.id == post.author_id or viewer.may(Role.MODERATOR)


def _require_owner(viewer: CurrentUser, post: repository.PostRow) -> None:
    if viewer.id != post.author_id:
        raise NotTheOwnerError("This post is somebody else's.")


async def _read_back(session: WriteSession, key: UUID) -> PostRead:
    """Return what was written, tags and the server's timestamps included."""
    post = await repository.find(session, key=key)
    if post is None:  # deleted by somebody else between two statements of ours
        raise PostNotFoundError
    return PostRead.model_validate(post)


def _page(found: repository.Rows) -> Page[PostSummary]:
    rows, next_cursor = found
    names = rows[0]._fields if rows else ()
    # From a dict and into the response's own type: neither is looked up or validated again by name.
    items = [PostSummary.model_validate(dict(zip(names, row, strict=True))) for row in rows]
    return Page[PostSummary](items=items, next_cursor=next_cursor)
