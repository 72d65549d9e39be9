"""Filters of the list of posts: several tags, authors, dates, and all of them together."""

from __future__ import annotations

import asyncio
from itertools import product
from typing import TYPE_CHECKING, Any
from uuid import UUID

import pytest

from api.database.session import read, write
from api.posts.models import post_tags
from api.posts.repository import posts
from api.tags.repository import set_tags
from tests.support.journeys import problem, write_post

if TYPE_CHECKING:
    import httpx2

    from tests.support.people import People

pytestmark = pytest.mark.asyncio

#: Tags, author, day of January 2026; each post's title is its number.
POSTS = [
    (("a",), "ada", 1),
    (("a", "b"), "ben", 2),
    (("b", "c"), "ada", 3),
    (("a", "b", "c"), "ada", 4),
    ((), "ben", 5),
    (("a", "b"), "ada", 6),
]


async def found(client: httpx2.AsyncClient, limit: int = 2, **parameters: Any) -> list[int]:
    """Return the numbers of all pages."""
    numbers: list[int] = []
    cursor: dict[str, str] = {}
    while True:
        page = (await client.get("/posts", params={**parameters, **cursor, "limit": limit})).json()
        numbers += [int(post["title"]) for post in page["items"]]
        if page["next_cursor"] is None:
            return numbers
        cursor = {"cursor": page["next_cursor"]}


async def write_all(client: httpx2.AsyncClient, people: People) -> dict[str, str]:
    """Write the posts, and a draft with every tag; return the authors' ids."""
    authors = {name: people.add(name) for name in ("ada", "ben")}
    for number, (tags, author, day) in enumerate(POSTS):
        post = await write_post(client, authors[author], publish=True, title=str(number), tags=list(tags))
        people.query(f"UPDATE posts SET published_at = '2026-01-0{day} 12:00+00' WHERE id = '{post['id']}'")
    await write_post(client, authors["ada"], title="99", tags=["a", "b", "c"])
    return {name: str(person.id) for name, person in authors.items()}


class TestFilters:
    """GET /posts."""

    async def test_every_combination_lists_what_fits(
        self, client: httpx2.AsyncClient, people: People, statement_counts: list[int]
    ) -> None:
        """The newest first, drafts left out, one statement a page."""
        authors = await write_all(client, people)
        statement_counts.clear()
        choices = product(
            [(), ("a",), ("b", "a"), ("a", "c", "b"), ("a", "a"), ("a", "unused")],
            [None, "ada"],
            [None, "2026-01-03T12:00:00Z"],
            [None, "2026-01-06T13:00:00+01:00"],
        )
        for tags, author, after, before in choices:
            parameters: dict[str, Any] = {"tag": list(tags)}
            parameters |= {"author": authors[author]} if author else {}
            parameters |= {"published_after": after} if after else {}
            parameters |= {"published_before": before} if before else {}
            expected = [
                number
                for number, (of_post, by, day) in enumerate(POSTS)
                if set(tags) <= set(of_post)
                and author in {None, by}
                and (after is None or day >= 3)
                and (before is None or day < 6)
            ]
            assert await found(client, **parameters) == expected[::-1], parameters
        assert set(statement_counts) == {1}

    @pytest.mark.parametrize(
        "parameters",
        [
            {"published_after": "2026-01-01T00:00:00"},
            {"published_after": "yesterday"},
            {"tag": [f"t{number}" for number in range(11)]},
            {"tag": ["fine", ""]},
        ],
    )
    async def test_unusable_filter_is_refused(
        self, client: httpx2.AsyncClient, parameters: dict[str, Any]
    ) -> None:
        """Times without a zone, and more tags than a post can have."""
        assert problem(await client.get("/posts", params=parameters)) == (422, "VALIDATION_FAILED")


class TestDatesOfTags:
    """`post_tags.published_at`, which the lists of tags are in the order of."""

    async def test_is_the_posts_whoever_writes_which_first(
        self, client: httpx2.AsyncClient, people: People
    ) -> None:
        """Tagged before or after publishing, and when the date changes."""
        ada = people.add()
        draft = await write_post(client, ada, tags=["a"])
        await client.post(f"/posts/{draft['id']}/publish", headers=ada.headers)
        await client.patch(f"/posts/{draft['id']}", json={"tags": ["a", "b"]}, headers=ada.headers)
        await write_post(client, ada, tags=["a"])
        copied = (
            "SELECT count(*), count(*) FILTER (WHERE l.published_at IS NOT DISTINCT FROM p.published_at) "
            "FROM post_tags l JOIN posts p ON p.id = post_id"
        )
        assert people.query(copied) == [(3, 3)]
        people.query("UPDATE posts SET published_at = now() - interval '1 day' WHERE status = 'published'")
        assert people.query(copied) == [(3, 3)]
        people.query("UPDATE posts SET published_at = NULL, status = 'draft'")
        assert people.query("SELECT count(published_at) FROM post_tags") == [(0,)]

    async def test_is_not_lost_when_a_post_is_tagged_while_it_is_published(
        self, client: httpx2.AsyncClient, people: People
    ) -> None:
        """Whoever comes second waits, and sees what the first one did."""
        ada = people.add()
        key = UUID((await write_post(client, ada, tags=[]))["id"])

        async def publish() -> None:
            async with read() as session, write(session) as writer:
                await posts.publish(writer, key)
                publishing.set()
                await asyncio.sleep(0.1)

        async def tag() -> None:
            await publishing.wait()
            async with read() as session, write(session) as writer:
                await set_tags(writer, post_tags, key, ["a"])

        publishing = asyncio.Event()
        await asyncio.gather(publish(), tag())
        assert people.query("SELECT count(*), count(published_at) FROM post_tags") == [(1, 1)]
