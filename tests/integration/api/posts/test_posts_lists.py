"""Listing and searching posts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import pytest

from tests.support.journeys import problem, write_post

if TYPE_CHECKING:
    import httpx2

    from tests.support.people import People

pytestmark = pytest.mark.asyncio

#: Paths and parameters, and how they are refused.
UNUSABLE: Final = [
    ("/posts", {"limit": "101"}, (422, "VALIDATION_FAILED")),
    ("/posts", {"limit": "0"}, (422, "VALIDATION_FAILED")),
    ("/posts", {"cursor": "x"}, (400, "INVALID_CURSOR")),
    ("/posts", {"tag": "a\0"}, (422, "VALIDATION_FAILED")),
    ("/posts", {"author": "ada"}, (422, "VALIDATION_FAILED")),
    ("/posts/search", {}, (422, "VALIDATION_FAILED")),
    ("/posts/search", {"q": ""}, (422, "VALIDATION_FAILED")),
    ("/posts/search", {"q": "a\0b"}, (422, "VALIDATION_FAILED")),
    ("/posts/search", {"q": "x" * 201}, (422, "VALIDATION_FAILED")),
    ("/posts/search", {"q": "x", "cursor": "WyJhIl0"}, (400, "INVALID_CURSOR")),
    ("/posts/search", {"q": "x", "limit": "101"}, (422, "VALIDATION_FAILED")),
]

#: Words that are searched for, and how many posts of one they find.
HITS: Final = [
    ('"analytical engines"', 1),
    ('"engines analytical"', 0),
    ("looms or engines", 1),
    ("engines -analytical", 0),
    ("the", 0),
    ("' & | ! ( ) : * <-> \\ %", 0),
    ("engine" + " or engine" * 19, 1),
]


class TestListPosts:
    """GET /posts and /posts/drafts."""

    async def test_pages_hold_every_published_post_once(
        self, client: httpx2.AsyncClient, people: People, statement_counts: list[int]
    ) -> None:
        """Newest first, drafts left out, one statement a page whatever its size."""
        ada = people.add()
        await write_post(client, ada)
        written = [(await write_post(client, ada, publish=True))["id"] for _ in range(5)]
        statement_counts.clear()
        found: list[str] = []
        cursor: str | None = None
        for _ in range(3):
            page = (await client.get("/posts", params=_parameters(cursor, limit=2))).json()
            found += [post["id"] for post in page["items"]]
            cursor = page["next_cursor"]
        assert cursor is None
        assert found == written[::-1]
        assert (await client.get("/posts", params={"limit": 100})).json()["next_cursor"] is None
        assert statement_counts == [1, 1, 1, 1]

    async def test_posts_of_one_moment_are_not_lost_between_pages(
        self, client: httpx2.AsyncClient, people: People
    ) -> None:
        """The key breaks the tie."""
        ada = people.add()
        written = {(await write_post(client, ada, publish=True))["id"] for _ in range(4)}
        people.query("UPDATE posts SET published_at = '2026-01-01 00:00:00.123456+00'")
        found, cursor = [], None
        for _ in range(4):
            page = (await client.get("/posts", params=_parameters(cursor, limit=1))).json()
            found += [post["id"] for post in page["items"]]
            cursor = page["next_cursor"]
        assert sorted(found) == sorted(written)

    async def test_items_have_no_body(self, client: httpx2.AsyncClient, people: People) -> None:
        """A list of twenty is small."""
        post = await write_post(client, people.add(), publish=True)
        del post["body"], post["author"]
        assert (await client.get("/posts")).json() == {"items": [post], "next_cursor": None}

    async def test_filters_by_tag_and_author_together(
        self, client: httpx2.AsyncClient, people: People
    ) -> None:
        """A tag in any spelling."""
        ada, ben = people.add("ada"), people.add("ben")
        tagged = await write_post(client, ada, publish=True, tags=["Open Source", "other"])
        await write_post(client, ada, publish=True, tags=["other"])
        await write_post(client, ben, publish=True, tags=["open source"])
        parameters = {"tag": "OPEN SOURCE", "author": str(ada.id)}
        for query in (parameters, parameters | {"tag": "open-source"}):
            items = (await client.get("/posts", params=query)).json()["items"]
            assert [post["id"] for post in items] == [tagged["id"]]
        assert (await client.get("/posts", params={"tag": "nothing"})).json()["items"] == []
        assert len((await client.get("/posts", params={"tag": "other"})).json()["items"]) == 2

    async def test_drafts_are_ones_own(self, client: httpx2.AsyncClient, people: People) -> None:
        """The last begun first; not even a moderator lists those of others."""
        ada, moderator = people.add("ada"), people.add("mod", "moderator")
        await write_post(client, ada, publish=True)
        first, second = await write_post(client, ada), await write_post(client, ada)
        page = (await client.get("/posts/drafts", params={"limit": 1}, headers=ada.headers)).json()
        rest = await client.get(
            "/posts/drafts", params=_parameters(page["next_cursor"], limit=1), headers=ada.headers
        )
        assert [post["id"] for post in page["items"] + rest.json()["items"]] == [second["id"], first["id"]]
        assert (await client.get("/posts/drafts", headers=moderator.headers)).json()["items"] == []

    async def test_unusable_parameter_is_refused(self, client: httpx2.AsyncClient) -> None:
        """Not ignored, and never a server error."""
        for path, parameters, expected in UNUSABLE:
            assert problem(await client.get(path, params=parameters)) == expected, parameters


class TestSearchPosts:
    """GET /posts/search."""

    async def test_finds_words_in_any_form_best_match_first(
        self, client: httpx2.AsyncClient, people: People, statement_counts: list[int]
    ) -> None:
        """A title counts more than a body; drafts are not found."""
        ada = people.add()
        body = await write_post(client, ada, publish=True, title="Looms", body="They drive engines.")
        title = await write_post(client, ada, publish=True, title="An engine", body="It turns.")
        await write_post(client, ada, publish=True, title="Looms", body="They weave.")
        await write_post(client, ada, title="A secret engine")
        statement_counts.clear()
        items = (await client.get("/posts/search", params={"q": "ENGINE"})).json()["items"]
        assert [post["id"] for post in items] == [title["id"], body["id"]]
        assert statement_counts == [1]

    async def test_pages_hold_every_match_once(self, client: httpx2.AsyncClient, people: People) -> None:
        """Matches of equal rank as well."""
        ada = people.add()
        written = {
            (await write_post(client, ada, publish=True, body="engine " * (1 + number % 2)))["id"]
            for number in range(5)
        }
        found, cursor = [], None
        for _ in range(3):
            parameters = _parameters(cursor, limit=2) | {"q": "engine"}
            page = (await client.get("/posts/search", params=parameters)).json()
            found += [post["id"] for post in page["items"]]
            cursor = page["next_cursor"]
        assert cursor is None
        assert len(found) == 5
        assert set(found) == written

    async def test_any_text_is_a_query(self, client: httpx2.AsyncClient, people: People) -> None:
        """Phrases, alternatives and exclusions are understood; nothing is a syntax error."""
        await write_post(client, people.add(), publish=True)
        for words, hits in HITS:
            response = await client.get("/posts/search", params={"q": words})
            assert response.status_code == 200, words
            assert len(response.json()["items"]) == hits, words


def _parameters(cursor: str | None, *, limit: int) -> dict[str, str]:
    return {"limit": str(limit)} | ({"cursor": cursor} if cursor else {})
