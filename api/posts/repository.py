"""Statements about posts and their tags; every read is one statement, tags included."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import (
    ColumnElement,
    Integer,
    Row,
    Select,
    bindparam,
    cast,
    delete,
    func,
    insert,
    literal_column,
    select,
    update,
)
from sqlalchemy.dialects.postgresql import insert as upsert

from api.database.base import uuid7
from api.posts.models import Post, Status, post_tags
from api.posts.slugs import distinguished
from api.tags.repository import has_tag, tag_names
from api.web.pagination import cut, keyset

if TYPE_CHECKING:
    from uuid import UUID

    from api.database.session import ReadSession, WriteSession

#: Ranking reads a whole document, so only the newest matches of a common word are ranked.
_RANKED: Final = 1000
_LANGUAGE: Final[ColumnElement[Any]] = literal_column("'english'::regconfig")

# Reads name the tables' columns: of rows that are no objects, the ORM's part costs a tenth of the statement.
_POST = Post.__table__.c

_TAGS = tag_names(post_tags, _POST.id)

#: What a list shows; bodies are for those who read one post.
_SUMMARY = (
    _POST.id,
    _POST.author_id,
    _POST.slug,
    _POST.title,
    _TAGS,
    _POST.status,
    _POST.published_at,
    _POST.created_at,
    _POST.updated_at,
)
_NEWEST = (_POST.published_at, _POST.id)

PostRow = Row[*tuple[Any, ...]]
Statement = Select[*tuple[Any, ...]]

_PUBLISHED: Statement = select(*_SUMMARY).where(_POST.published_at.is_not(None))
#: What most visitors ask for, built once: building it takes a tenth of the whole request.
_FRONT_PAGE = keyset(_PUBLISHED, _NEWEST, None, 0, descending=True).limit(bindparam("limit"))

Rows = tuple[list[PostRow], str | None]


async def find(session: ReadSession, *, key: UUID | None = None, slug: str | None = None) -> PostRow | None:
    """Return a post by its key or its slug, with its body and tags."""
    condition = _POST.id == key if key else _POST.slug == slug
    return (await session.execute(select(*_SUMMARY, _POST.body).where(condition))).one_or_none()


async def published(
    session: ReadSession, *, tag: str | None, author: UUID | None, cursor: str | None, limit: int
) -> Rows:
    """Return a page of published posts, the newest first."""
    if tag is None and author is None and cursor is None:
        return cut((await session.execute(_FRONT_PAGE, {"limit": limit + 1})).all(), _NEWEST, limit)
    statement = _PUBLISHED
    if tag is not None:
        statement = statement.where(has_tag(post_tags, _POST.id, tag))
    if author is not None:
        statement = statement.where(_POST.author_id == author)
    return await _page(session, statement, _NEWEST, cursor, limit)


async def drafts(session: ReadSession, author: UUID, cursor: str | None, limit: int) -> Rows:
    """Return a page of an author's drafts, the last begun first."""
    statement = select(*_SUMMARY).where(_POST.author_id == author, _POST.published_at.is_(None))
    return await _page(session, statement, (_POST.id,), cursor, limit)


async def search(session: ReadSession, words: str, cursor: str | None, limit: int) -> Rows:
    """Return a page of published posts that match, the best first, among the newest matches.

    Args:
        session: The request's session.
        words: As in a search engine: `"a phrase"`, `or`, `-not`; any text is valid.
        cursor: Of the page before.
        limit: The page's size.
    """
    query = func.websearch_to_tsquery(_LANGUAGE, words)
    newest = (
        select(_POST.id, _POST.search)
        .where(_POST.published_at.is_not(None), _POST.search.bool_op("@@")(query))
        .order_by(_POST.published_at.desc())
        .limit(_RANKED)
        .subquery()
    )
    # As a whole number, which a cursor repeats exactly; 32 keeps the rank between 0 and 1.
    rank = cast(func.ts_rank_cd(newest.c.search, query, 32) * 1_000_000, Integer)
    matches = select(newest.c.id, rank.label("rank")).subquery()
    statement = select(*_SUMMARY, matches.c.rank).join(matches, matches.c.id == _POST.id)
    return await _page(session, statement, (matches.c.rank, _POST.id), cursor, limit)


async def add(session: WriteSession, *, author: UUID, title: str, slug: str, body: str) -> UUID:
    """Insert a draft and return its key; where its slug is taken, it gets a suffix.

    Raises:
        UniqueViolationError: The slug with the suffix is taken as well.
    """
    key = uuid7()
    values = {"id": key, "author_id": author, "title": title, "body": body}
    statement = (
        upsert(Post)
        .values(slug=slug, **values)
        .on_conflict_do_nothing(index_elements=[Post.slug])
        .returning(Post.id)
    )
    added = (await session.scalars(statement)).one_or_none()
    if added is None:
        await session.execute(insert(Post).values(slug=distinguished(slug, key), **values))
    return key


async def change(session: WriteSession, key: UUID, changes: dict[str, Any]) -> None:
    """Change some columns; with none, only `updated_at`, which the server sets."""
    values = changes or {"updated_at": func.now()}
    await session.execute(update(Post).where(Post.id == key).values(values))


async def publish(session: WriteSession, key: UUID) -> None:
    """Publish a draft; what is published stays as it is."""
    await session.execute(
        update(Post)
        .where(Post.id == key, Post.published_at.is_(None))
        .values(status=Status.PUBLISHED, published_at=func.now())
    )


async def delete_post(session: WriteSession, key: UUID) -> None:
    """Delete a post and what ties it to its tags."""
    await session.execute(delete(Post).where(Post.id == key))


async def _page(
    session: ReadSession,
    statement: Statement,
    order: tuple[Any, ...],
    cursor: str | None,
    limit: int,
) -> Rows:
    rows = (await session.execute(keyset(statement, order, cursor, limit, descending=True))).all()
    return cut(rows, order, limit)
