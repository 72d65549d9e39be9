"""Posts with row-level security: what a forgotten condition shows, and that everything still works."""

from __future__ import annotations

import logging
from types import SimpleNamespace
from typing import TYPE_CHECKING, Final

import pytest
from sqlalchemy import delete, insert, select, update

from api.database.base import uuid7
from api.database.session import read
from api.database.sync import reading
from api.posts.models import Post, post_tags
from api.settings import get_settings
from api.users.models import UserProfile
from migrations.operations import disable_row_level_security
from tests.integration.api.posts import test_posts_lists, test_posts_ownership, test_posts_routes
from tests.support.journeys import write_post
from tests.support.row_level_security import attempt, claim_as, switch_on

if TYPE_CHECKING:
    import httpx2

    from tests.support.people import People, Person

pytestmark = [pytest.mark.asyncio, pytest.mark.usefixtures("row_level_security")]

TABLES: Final = ("posts", "post_tags", "user_profiles")


@pytest.fixture
def row_level_security(people: People, monkeypatch: pytest.MonkeyPatch) -> None:
    """Switched on for posts and profiles."""
    switch_on(people, monkeypatch, *TABLES)


async def titles(person: Person | None, role: str = "user") -> set[str]:
    """Return what somebody sees where every condition was forgotten."""
    async with read() as session:
        await claim_as(session, person, role)
        return set(await session.scalars(select(Post.title)))


class TestForgottenConditions:
    """Statements without a WHERE, through the application's own session."""

    async def test_select_shows_public_and_own_rows_only(
        self, client: httpx2.AsyncClient, people: People
    ) -> None:
        """Who is not known sees what everybody sees; moderators see all, as they may."""
        ada, ben = people.add("ada"), people.add("ben")
        for author in (ada, ben):
            await write_post(client, author, title=f"{author.username} draft", tags=[author.username])
            await write_post(client, author, title=f"{author.username} published", tags=["x"], publish=True)
        public = {"ada published", "ben published"}
        assert await titles(None) == public
        assert await titles(ada) == public | {"ada draft"}
        assert await titles(ben) == public | {"ben draft"}
        assert await titles(ben, "moderator") == public | {"ada draft", "ben draft"}
        async with read() as session:
            await claim_as(session, ada)
            assert len((await session.execute(select(post_tags))).all()) == 3

    async def test_others_rows_are_neither_changed_nor_deleted(
        self, client: httpx2.AsyncClient, people: People
    ) -> None:
        """An UPDATE without a WHERE is one's own posts; a published one of somebody else's is only seen."""
        ada, ben = people.add("ada"), people.add("ben")
        post = await write_post(client, ada, publish=True)
        await write_post(client, ben, title="Ben's", tags=[])
        change = update(Post).values(body="defaced")
        assert await attempt(ben, change) == 1
        assert await attempt(None, change) == 0
        assert await attempt(ben, change.where(Post.id == post["id"]), "admin") == 0
        assert await attempt(ben, delete(post_tags)) == 0
        assert await attempt(None, delete(Post)) == 0
        assert await attempt(ben, delete(Post)) == 1
        assert people.query("SELECT body FROM posts") == [("They weave.",)]
        assert await attempt(ben, delete(Post), "moderator") == 1

    async def test_rows_in_somebody_elses_name_are_refused(
        self, client: httpx2.AsyncClient, people: People
    ) -> None:
        """Neither made, nor given away, nor tagged."""
        ada, ben = people.add("ada"), people.add("ben")
        post = await write_post(client, ada, publish=True)
        forged = {"id": uuid7(), "author_id": ada.id, "title": "x", "slug": "x", "body": ""}
        assert await attempt(ben, insert(Post).values(forged)) is None
        assert await attempt(None, insert(Post).values(forged)) is None
        assert await attempt(ada, update(Post).values(author_id=ben.id)) is None
        [(tag,)] = people.query("SELECT id FROM tags LIMIT 1")
        people.query("DELETE FROM post_tags")
        link = insert(post_tags).values(post_id=post["id"], tag_id=tag)
        assert await attempt(ben, link) is None
        assert await attempt(ada, link) == 1

    async def test_profiles_are_read_by_all_and_written_by_their_user(self, people: People) -> None:
        """An admin may delete one, as deleting a user does."""
        ada, ben = people.add("ada"), people.add("ben")
        assert await attempt(ben, insert(UserProfile).values(user_id=ada.id)) is None
        assert await attempt(ada, insert(UserProfile).values(user_id=ada.id)) == 1
        assert await attempt(ben, update(UserProfile).values(bio="x")) == 0
        assert await attempt(ben, delete(UserProfile)) == 0
        async with read() as session:
            assert len((await session.scalars(select(UserProfile.user_id))).all()) == 1
        assert await attempt(ben, delete(UserProfile), "admin") == 1

    async def test_without_the_setting_nobody_is_somebody(
        self, client: httpx2.AsyncClient, people: People, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A table switched over too early shows too little, never too much."""
        ada = people.add("ada")
        post = await write_post(client, ada)
        monkeypatch.delenv("BOUGH_ROW_LEVEL_SECURITY")
        get_settings.cache_clear()
        response = await client.get(f"/posts/{post['id']}", headers=ada.headers)
        assert response.status_code == 404
        for table in TABLES:
            disable_row_level_security(SimpleNamespace(execute=people.query), table)
        assert (await client.get(f"/posts/{post['id']}", headers=ada.headers)).status_code == 200


class TestRoles:
    """Whom policies bind."""

    async def test_application_is_bound_and_the_owner_is_not(
        self, client: httpx2.AsyncClient, people: People
    ) -> None:
        """Migrations and backups see everything."""
        await write_post(client, people.add())
        assert people.query("SELECT count(*), bool_or(row_security_active('posts')) FROM posts") == [
            (1, False)
        ]
        async with read() as session:
            assert (await session.scalars(select(Post.id))).all() == []


class TestScripts:
    """`api.database.sync`."""

    async def test_script_sees_what_its_claims_let_it(
        self, client: httpx2.AsyncClient, people: People
    ) -> None:
        """As the application's role; the tables' owner sees everything, whatever it claims."""
        ada, ben = people.add("ada"), people.add("ben")
        for author in (ada, ben):
            await write_post(client, author, title=author.username)
        seen = []
        for url in (people.database.pooled, people.database.direct):
            with reading(url, claims={"user_id": str(ada.id), "role": "user"}) as session:
                seen.append(set(session.scalars(select(Post.title))))
        assert seen == [{"ada"}, {"ada", "ben"}]


class TestCreatePost:
    """What one does not see is there all the same."""

    async def test_slug_of_somebody_elses_draft_is_taken(
        self, client: httpx2.AsyncClient, people: People
    ) -> None:
        """The unique index knows it, and the second draft gets a suffix."""
        slugs = [(await write_post(client, people.add(name)))["slug"] for name in ("ada", "ben")]
        assert slugs[0] == "on-analytical-engines"
        assert slugs[1].startswith("on-analytical-engines-")


class TestOwnership(test_posts_ownership.TestOwnership):
    """The whole matrix again: the policies refuse nothing that the rules allow."""


class TestUpdatePost(test_posts_routes.TestUpdatePost):
    """Changing again."""


class TestListPosts(test_posts_lists.TestListPosts):
    """Lists again."""


async def test_route_costs_two_statements_more(
    client: httpx2.AsyncClient, people: People, caplog: pytest.LogCaptureFixture, statement_counts: list[int]
) -> None:
    """BEGIN and ROLLBACK around what the route reads; who does not sign in pays nothing."""
    ada = people.add()
    post = await write_post(client, ada, publish=True)
    statement_counts.clear()
    with caplog.at_level(logging.INFO):
        await client.get(f"/posts/{post['id']}", headers=ada.headers)
        await client.get(f"/posts/{post['id']}")
    assert statement_counts == [5, 2]
