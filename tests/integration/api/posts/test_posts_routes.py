"""Writing, publishing, reading and deleting posts."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any, Final
from uuid import UUID, uuid4

import pytest

from api.posts.repository import posts
from tests.support.journeys import DRAFT, problem, write_post
from tests.support.races import while_uncommitted

if TYPE_CHECKING:
    import httpx2

    from tests.support.people import People

pytestmark = pytest.mark.asyncio

#: Values of a new post that are refused.
UNACCEPTABLE: Final = [
    {"title": ""},
    {"title": "   "},
    {"title": "x" * 201},
    {"title": "a\0b"},
    {"title": "\ud800"},
    {"body": "a\0b"},
    {"body": "\udfff"},
    {"body": "x" * 100_001},
    {"tags": [""]},
    {"tags": ["a\0"]},
    {"tags": ["x" * 51]},
    # NFKC writes these as 54 letters, and with a dot that tags do not have.
    {"tags": ["\ufdfa" * 3]},
    {"tags": ["co\u0140lecci\u00f3"]},
    {"tags": [f"t{number}" for number in range(11)]},
    {"tags": None},
    {"status": "published"},
    {"author_id": "00000000-0000-7000-8000-000000000000"},
]


class TestCreatePost:
    """POST /posts."""

    async def test_begins_a_draft(self, client: httpx2.AsyncClient, people: People) -> None:
        """With a slug from the title, and tags in their one spelling and order."""
        ada = people.add()
        post = await write_post(client, ada)
        assert {**post, "id": None, "created_at": None, "updated_at": None} == {
            "id": None,
            "author_id": str(ada.id),
            "slug": "on-analytical-engines",
            "title": "On Analytical Engines",
            "tags": ["history", "machines"],
            "status": "draft",
            "published_at": None,
            "created_at": None,
            "updated_at": None,
            "body": "They weave.",
            "author": {"id": str(ada.id), "username": "ada"},
        }

    async def test_same_title_gets_another_slug(self, client: httpx2.AsyncClient, people: People) -> None:
        """Also when both are written at the same moment."""
        ada = people.add()
        posts = await asyncio.gather(*(write_post(client, ada) for _ in range(4)))
        slugs = sorted(post["slug"] for post in posts)
        assert slugs[0] == "on-analytical-engines"
        assert len(set(slugs)) == 4
        assert all(slug.startswith("on-analytical-engines-") for slug in slugs[1:])

    async def test_concurrent_posts_with_new_tags_share_them(
        self, client: httpx2.AsyncClient, people: People
    ) -> None:
        """Each tag is made once, and nobody deadlocks over the order."""
        ada = people.add()
        tags = [f"tag{number}" for number in range(10)]
        await asyncio.gather(*(write_post(client, ada, tags=tags[::step]) for step in (1, -1) * 4))
        assert people.query("SELECT count(*) FROM tags") == [(10,)]
        assert people.query("SELECT count(*) FROM post_tags") == [(80,)]

    async def test_tags_in_several_spellings_are_one(
        self, client: httpx2.AsyncClient, people: People
    ) -> None:
        """Case, width and spaces do not make another tag."""
        post = await write_post(
            client, people.add(), tags=["Open Source", "open  source", " OPEN-SOURCE", "c++"]
        )
        assert post["tags"] == ["c++", "open-source"]

    async def test_unacceptable_value_is_refused(self, client: httpx2.AsyncClient, people: People) -> None:
        """Nothing reaches the database that it could not hold."""
        headers = people.add().headers | {"content-type": "application/json"}
        for change in UNACCEPTABLE:
            response = await client.post("/posts", content=json.dumps(DRAFT | change), headers=headers)
            assert problem(response) == (422, "VALIDATION_FAILED"), change
        assert people.query("SELECT count(*) FROM posts") == [(0,)]

    async def test_longest_post_can_be_indexed(self, client: httpx2.AsyncClient, people: People) -> None:
        """Words of four bytes a letter, indexed alone and joined, stay below a tsvector's limit."""
        words = [chr(0x20000 + number // 200) + chr(0x21000 + number % 200) for number in range(33_400)]
        body = " ".join("-".join(words[at : at + 100]) for at in range(0, len(words), 100))[:100_000]
        post = await write_post(client, people.add(), publish=True, title="\U0001d54f" * 200, body=body)
        assert len(post["body"]) == len(body)


class TestReadPost:
    """GET /posts/{post_id} and /posts/by-slug/{slug}."""

    async def test_published_post_is_everyones_with_two_statements(
        self, client: httpx2.AsyncClient, people: People, statement_counts: list[int]
    ) -> None:
        """By id and by slug: the post with its author, then its tags."""
        post = await write_post(client, people.add(), publish=True)
        statement_counts.clear()
        for path in (post["id"], f"by-slug/{post['slug']}"):
            assert (await client.get(f"/posts/{path}")).json() == post
        assert statement_counts == [2, 2]

    async def test_unknown_post_is_not_found(self, client: httpx2.AsyncClient) -> None:
        """Neither by id nor by slug; a text that is no id is no valid request."""
        assert problem(await client.get(f"/posts/{uuid4()}")) == (404, "POST_NOT_FOUND")
        assert problem(await client.get("/posts/by-slug/none")) == (404, "POST_NOT_FOUND")
        assert problem(await client.get("/posts/by-slug/a%00b")) == (422, "VALIDATION_FAILED")
        assert problem(await client.get("/posts/none")) == (422, "VALIDATION_FAILED")


class TestUpdatePost:
    """PATCH /posts/{post_id}."""

    async def test_only_what_is_sent_changes(self, client: httpx2.AsyncClient, people: People) -> None:
        """A new title leaves the slug, on which links depend; the server moves `updated_at` on."""
        ada = people.add()
        before = await write_post(client, ada, publish=True)
        changes: list[dict[str, Any]] = [
            {"title": "Engines"},
            {"body": ""},
            {"tags": ["looms"]},
            {"tags": []},
        ]
        for sent in changes:
            response = await client.patch(f"/posts/{before['id']}", json=sent, headers=ada.headers)
            after = response.json()
            assert response.status_code == 200
            assert after["updated_at"] > before["updated_at"]
            assert after == before | sent | {"updated_at": after["updated_at"]}
            before = after

    async def test_nothing_sent_changes_nothing(self, client: httpx2.AsyncClient, people: People) -> None:
        """`updated_at` stays as well."""
        ada = people.add()
        post = await write_post(client, ada)
        response = await client.patch(f"/posts/{post['id']}", json={}, headers=ada.headers)
        assert response.json() == post

    @pytest.mark.parametrize(
        "sent", [{"title": None}, {"tags": None}, {"slug": "x"}, {"status": "published"}]
    )
    async def test_unacceptable_change_is_refused(
        self, client: httpx2.AsyncClient, people: People, sent: dict[str, Any]
    ) -> None:
        """Null is not "not sent"."""
        ada = people.add()
        post = await write_post(client, ada)
        response = await client.patch(f"/posts/{post['id']}", json=sent, headers=ada.headers)
        assert problem(response) == (422, "VALIDATION_FAILED")


class TestUpdateOfDeletedPost:
    """PATCH /posts/{post_id}, while it is deleted."""

    async def test_post_that_is_being_deleted_is_not_found(
        self, client: httpx2.AsyncClient, people: People
    ) -> None:
        """Whoever waits for the deletion sees what came of it, and ties no tags to nothing."""
        ada = people.add()
        key = UUID((await write_post(client, ada))["id"])
        response = await while_uncommitted(
            lambda session: posts.delete(session, key),
            client.patch(f"/posts/{key}", json={"tags": ["docs"]}, headers=ada.headers),
            people,
        )
        assert problem(response) == (404, "POST_NOT_FOUND")


class TestPublishPost:
    """POST /posts/{post_id}/publish."""

    async def test_repeating_it_changes_nothing(self, client: httpx2.AsyncClient, people: People) -> None:
        """The post keeps its place in the list."""
        ada = people.add()
        first = await write_post(client, ada, publish=True)
        again = (await client.post(f"/posts/{first['id']}/publish", headers=ada.headers)).json()
        assert first["status"] == "published"
        assert first["published_at"] is not None
        assert again == first


class TestDeletePost:
    """DELETE /posts/{post_id}."""

    async def test_takes_its_ties_to_tags_along(self, client: httpx2.AsyncClient, people: People) -> None:
        """The tags stay: other posts may have them."""
        ada = people.add()
        post = await write_post(client, ada)
        response = await client.delete(f"/posts/{post['id']}", headers=ada.headers)
        assert (response.status_code, response.content) == (204, b"")
        assert people.query("SELECT (SELECT count(*) FROM post_tags), (SELECT count(*) FROM tags)") == [
            (0, 2)
        ]
        again = await client.delete(f"/posts/{post['id']}", headers=ada.headers)
        assert problem(again) == (404, "POST_NOT_FOUND")
