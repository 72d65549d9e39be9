"""The planner uses the indexes that the lists were given, on enough rows for it to have a choice."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import TYPE_CHECKING
from uuid import UUID

import pytest

from api.database.session import read
from api.posts.repository import Filters, posts
from tests.support.people import People
from tests.support.plans import plan

if TYPE_CHECKING:
    from collections.abc import Iterator

    from infra.testing.databases import Database, World

pytestmark = pytest.mark.asyncio

_POSTS = """
INSERT INTO posts (id, author_id, title, slug, body, status, published_at)
SELECT gen_random_uuid(), (SELECT id FROM users ORDER BY md5(id::text || n) LIMIT 1), 'Title ' || n,
       'slug-' || n, 'common ' || repeat('filler ', 20) || CASE WHEN mod(n, 1000) = 0 THEN 'rare' ELSE '' END,
       CASE WHEN mod(n, 10) = 0 THEN 'draft' ELSE 'published' END,
       CASE WHEN mod(n, 10) = 0 THEN NULL ELSE now() - n * interval '1 minute' END
FROM generate_series(1, 6001) n
"""


@pytest.fixture(scope="module")
def database(world: World, template: Database) -> Iterator[Database]:
    """Some thousands of posts by twenty authors, for all tests of this file: they only read."""
    with world.new_database(template.name) as database:
        people = People(database)
        for number in range(20):
            people.add(f"author{number}")
        people.query(_POSTS)
        people.query("INSERT INTO tags SELECT gen_random_uuid(), 'tag' || n FROM generate_series(1, 50) n")
        people.query(
            "INSERT INTO post_tags SELECT p.id, t.id FROM posts p JOIN tags t "
            "ON right(p.slug, 1) = right(t.name, 1) AND t.name IN ('tag1', 'tag2', 'tag3') "
        )
        people.query("ANALYZE")
        yield database


@pytest.fixture
def author(people: People) -> UUID:
    """One of the authors."""
    [(key,)] = people.query("SELECT id FROM users WHERE username = 'author0'")
    return UUID(str(key))


class TestPlans:
    """One index for each list."""

    async def test_first_page_reads_the_published_index_backward(self, author: UUID) -> None:
        """No sort, however many posts there are."""
        found = await plan(posts.published)
        assert "Index Scan Backward using ix_posts_published" in found
        assert "Sort Key: posts" not in found

    async def test_later_page_starts_at_its_cursor(self, author: UUID) -> None:
        """The rows before it are not read again."""
        async with read() as session:
            _, cursor = await posts.published(session)
        found = await plan(lambda s: posts.published(s, cursor=cursor))
        assert "Index Scan Backward using ix_posts_published" in found
        assert "Index Cond: ((published_at IS NOT NULL) AND (ROW(published_at, id) <" in found or (
            "Index Cond: (ROW(published_at, id) <" in found
        )

    async def test_page_of_an_author_reads_the_authors_index(self, author: UUID) -> None:
        """In its order."""
        found = await plan(lambda s: posts.published(s, Filters(author=author)))
        assert "Index Scan Backward using ix_posts_author_id_published_at" in found
        assert "Sort Key: posts" not in found

    @pytest.mark.parametrize("tags", [("tag1",), ("tag1", "tag2"), ("unknown",)])
    async def test_page_of_tags_reads_a_tags_posts_in_order(
        self, author: UUID, tags: tuple[str, ...]
    ) -> None:
        """However many the tags have: they are not sorted."""
        found = await plan(lambda s: posts.published(s, Filters(tags)))
        assert "Index Only Scan Backward using ix_post_tags_tag_id_published_at" in found
        assert "Sort Key: post_tags.published_at" not in found

    async def test_page_of_an_authors_tags_reads_the_authors_index(self, author: UUID) -> None:
        """The tags are asked of each post that it comes by."""
        found = await plan(lambda s: posts.published(s, Filters(("tag1",), author)))
        assert "Index Scan Backward using ix_posts_author_id_published_at" in found
        assert "Index Only Scan using pk_post_tags" in found
        assert "Sort Key: post" not in found

    async def test_page_of_a_time_starts_and_ends_in_the_index(self, author: UUID) -> None:
        """Of a tag as well."""
        range_ = {"after": datetime(2026, 1, 1, tzinfo=UTC), "before": datetime(2026, 2, 1, tzinfo=UTC)}
        for filters, index in (
            (Filters(**range_), "ix_posts_published"),
            (Filters(("tag1",), **range_), "ix_post_tags_tag_id_published_at"),
        ):
            found = await plan(lambda s, f=filters: posts.published(s, f))  # type: ignore[misc]
            assert f"Backward using {index}" in found
            assert "published_at >= '2026-01-01" in found
            assert "Filter: (published_at" not in found

    async def test_titles_are_completed_from_their_index(self, author: UUID) -> None:
        """In its order, between two bounds."""
        found = await plan(lambda s: posts.suggest(s, "Title 1", 10))
        assert "using ix_posts_lower_title" in found
        assert "lower(title) ~>=~ 'title 1'::text" in found
        assert "Sort" not in found

    async def test_headlines_are_made_of_the_pages_rows_only(self, author: UUID) -> None:
        """Above the limit: they take longer than all the rest of a row."""
        found = await plan(lambda s: posts.search(s, "common", None, 20))
        assert found.index("Nested Loop") < found.index("Limit")

    async def test_drafts_read_the_authors_index(self, author: UUID) -> None:
        """Where `published_at` is null."""
        found = await plan(lambda s: posts.drafts(s, author, None, 20))
        assert "ix_posts_author_id_published_at" in found

    async def test_search_of_a_rare_word_reads_the_gin_index(self, author: UUID) -> None:
        """A partial one: drafts are never searched."""
        found = await plan(lambda s: posts.search(s, "rare", None, 20))
        assert "Bitmap Index Scan on ix_posts_search" in found

    async def test_tags_of_a_page_are_read_for_its_rows_only(self, author: UUID) -> None:
        """By the association's primary key, once a row, in the same statement."""
        found = await plan(posts.published)
        assert "pk_post_tags" in found
        assert "Seq Scan on post_tags" not in found


async def test_lists_of_one_database_run_side_by_side(author: UUID) -> None:
    """Twenty sessions over four connections all get the same page."""

    async def first() -> list[UUID]:
        async with read() as session:
            rows, _ = await posts.published(session, Filters(tags=("tag1",)), limit=5)
            return [row.id for row in rows]

    pages = await asyncio.gather(*(first() for _ in range(20)))
    assert len(pages[0]) == 5
    assert all(page == pages[0] for page in pages)
