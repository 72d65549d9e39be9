"""Statements about posts and their tags."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import (
    ColumnElement,
    Integer,
    Label,
    Row,
    Select,
    Text,
    bindparam,
    cast,
    func,
    insert,
    literal_column,
    select,
    update,
)
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.orm import joinedload, selectinload

from api.database.base import uuid7
from api.database.patterns import prefix_pattern
from api.database.repository import Repository
from api.posts.models import Post, Status, post_tags
from api.posts.slugs import distinguished
from api.tags.repository import has_tags, rarest_tag, tag_names
from api.users.models import User
from api.web.pagination import DEFAULT_LIMIT, cut, keyset

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime
    from uuid import UUID

    from api.database.session import ReadSession, WriteSession

#: Ranking reads a whole document, so only the newest matches of a common word are ranked.
_RANKED: Final = 150
#: What a match is enclosed in: control characters, which are taken out of the body first.
MATCH_BEGINS: Final = "\x02"
MATCH_ENDS: Final = "\x03"
_HEADLINE: Final = (
    f"StartSel={MATCH_BEGINS}, StopSel={MATCH_ENDS}, MaxFragments=2, MinWords=8, MaxWords=20, "
    'FragmentDelimiter=" … "'
)
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


@dataclass(frozen=True, slots=True)
class Filters:
    """Which published posts are listed; all of it must hold.

    Args:
        tags: Names; a post has all of them.
        author: Who wrote it.
        after: It was published at this moment or later.
        before: It was published before this moment.
    """

    tags: tuple[str, ...] = ()
    author: UUID | None = None
    after: datetime | None = None
    before: datetime | None = None


EVERYTHING: Final = Filters()


class PostRepository(Repository[Post]):
    """Statements about the table `posts`."""

    async def find(
        self, session: ReadSession, *, key: UUID | None = None, slug: str | None = None
    ) -> Post | None:
        """Return a post by its key or its slug, with its author's name and its tags: two statements.

        The author comes in the same row. Tags are several: a join would repeat the body for each of them.
        """
        statement = (
            select(Post)
            .where(Post.id == key if key else Post.slug == slug)
            .options(
                joinedload(Post.author, innerjoin=True).load_only(User.username, raiseload=True),
                selectinload(Post.tags),
            )
            # A session that has just written the row sees it as it is now.
            .execution_options(populate_existing=True)
        )
        return (await session.scalars(statement)).one_or_none()

    async def published(
        self,
        session: ReadSession,
        filters: Filters = EVERYTHING,
        cursor: str | None = None,
        limit: int = DEFAULT_LIMIT,
    ) -> Rows:
        """Return a page of published posts, the newest first."""
        if filters == EVERYTHING and cursor is None:
            return cut((await session.execute(_FRONT_PAGE, {"limit": limit + 1})).all(), _NEWEST, limit)
        statement, order = _listed(filters)
        if filters.after is not None:
            statement = statement.where(order[0] >= filters.after)
        if filters.before is not None:
            statement = statement.where(order[0] < filters.before)
        rows = await session.execute(keyset(statement, order, cursor, limit, descending=True))
        return cut(rows.all(), _NEWEST, limit)

    async def drafts(self, session: ReadSession, author: UUID, cursor: str | None, limit: int) -> Rows:
        """Return a page of an author's drafts, the last begun first."""
        statement = select(*_SUMMARY).where(_POST.author_id == author, _POST.published_at.is_(None))
        order = (_POST.id,)
        rows = await session.execute(keyset(statement, order, cursor, limit, descending=True))
        return cut(rows.all(), order, limit)

    async def search(self, session: ReadSession, words: str, cursor: str | None, limit: int) -> Rows:
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
        order = (matches.c.rank, matches.c.id)
        # Cut before bodies are read: a headline takes longer than all the rest of its row.
        page = keyset(select(*order), order, cursor, limit, descending=True).subquery()
        statement = (
            select(*_SUMMARY, page.c.rank, _headline(query))
            .join(page, page.c.id == _POST.id)
            .order_by(page.c.rank.desc(), page.c.id.desc())
        )
        return cut((await session.execute(statement)).all(), order, limit)

    async def suggest(self, session: ReadSession, beginning: str, limit: int) -> Sequence[PostRow]:
        """Return published posts whose titles begin so, in whatever case, in the order of code points."""
        title = func.lower(_POST.title)
        statement = (
            select(_POST.id, _POST.slug, _POST.title)
            .where(_POST.published_at.is_not(None), title.like(func.lower(prefix_pattern(beginning))))
            # The index's own order, so that its first rows are the answer.
            .order_by(title.op("USING")(literal_column("~<~")), _POST.id)
            .limit(limit)
        )
        return (await session.execute(statement)).all()

    async def insert(self, session: WriteSession, *, author: UUID, title: str, slug: str, body: str) -> UUID:
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

    async def publish(self, session: WriteSession, key: UUID) -> None:
        """Publish a draft; what is published stays as it is."""
        await session.execute(
            update(Post)
            .where(_POST.id == key, _POST.published_at.is_(None))
            .values(status=Status.PUBLISHED, published_at=func.now())
        )


posts = PostRepository(Post)


def _headline(query: ColumnElement[Any]) -> Label[str]:
    """Return the column `headline`: what of the body matches, between `MATCH_BEGINS` and `MATCH_ENDS`."""
    body = func.translate(_POST.body, f"{MATCH_BEGINS}{MATCH_ENDS}", "")
    return func.ts_headline(_LANGUAGE, body, query, _HEADLINE, type_=Text).label("headline")


def _listed(filters: Filters) -> tuple[Statement, tuple[Any, Any]]:
    """Return the published posts of tags and author, and the columns of an index that has them in order.

    Of a tag, that is the index of its posts; of several, of the rarest one's. An author has fewer posts than
    a common tag: of both, it is the author's.
    """
    if filters.author is not None:
        statement = _PUBLISHED.where(_POST.author_id == filters.author)
        if filters.tags:
            statement = statement.where(_has_tags(filters))
        return statement, _NEWEST
    if not filters.tags:
        return _PUBLISHED, _NEWEST
    link = post_tags.c
    statement = (
        select(*_SUMMARY)
        .join(post_tags, link.post_id == _POST.id)
        .where(
            link.tag_id == rarest_tag(post_tags, link.published_at, filters.tags),
            link.published_at.is_not(None),
        )
    )
    if len(filters.tags) > 1:
        statement = statement.where(_has_tags(filters))
    return statement, (link.published_at, link.post_id)


def _has_tags(filters: Filters) -> ColumnElement[bool]:
    return has_tags(post_tags, _POST.id, filters.tags)
