"""Profiles: read with their user, made at the first write."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import psycopg
import pytest
from sqlalchemy.exc import InvalidRequestError

from api.database.session import read, write
from api.users.repository import users
from tests.support.journeys import problem

if TYPE_CHECKING:
    import httpx2

    from tests.support.people import People, Person

pytestmark = pytest.mark.asyncio

EMPTY = {"bio": None, "avatar_path": None}


async def tell(client: httpx2.AsyncClient, person: Person, **sent: Any) -> httpx2.Response:
    return await client.patch("/users/me/profile", json=sent, headers=person.headers)


class TestReadProfile:
    """GET /users/{user_id}/profile, and the profile of a user who is read."""

    async def test_is_the_same_alone_and_with_its_user(
        self, client: httpx2.AsyncClient, people: People, statement_counts: list[int]
    ) -> None:
        """Each is one statement beside the current user's."""
        ada, viewer = people.add("ada"), people.add("viewer")
        await tell(client, ada, bio="Weaves.")
        statement_counts.clear()
        alone = await client.get(f"/users/{ada.id}/profile", headers=viewer.headers)
        user = await client.get(f"/users/{ada.id}", headers=viewer.headers)
        assert alone.json() == user.json()["profile"] == {"bio": "Weaves.", "avatar_path": None}
        assert statement_counts == [2, 2]

    async def test_of_who_never_wrote_one_is_empty(self, client: httpx2.AsyncClient, people: People) -> None:
        """Not missing, and not null: not even for who has just registered."""
        ada = people.add("ada")
        assert (await client.get(f"/users/{ada.id}/profile", headers=ada.headers)).json() == EMPTY
        assert (await client.get("/users/me", headers=ada.headers)).json()["profile"] == EMPTY
        new = {"email": "ben@example.com", "username": "ben", "password": "correct horse battery"}
        assert (await client.post("/users", json=new)).json()["profile"] == EMPTY

    async def test_of_nobody_is_not_found(self, client: httpx2.AsyncClient, people: People) -> None:
        """No such user, no profile."""
        response = await client.get(f"/users/{uuid4()}/profile", headers=people.add().headers)
        assert problem(response) == (404, "USER_NOT_FOUND")

    async def test_lists_show_none(self, client: httpx2.AsyncClient, people: People) -> None:
        """They would read a row more for each user."""
        chief = people.add("chief", "moderator")
        [user] = (await client.get("/users", headers=chief.headers)).json()["items"]
        assert "profile" not in user

    async def test_is_loaded_only_where_a_query_says_so(self, people: People) -> None:
        """A hidden statement for each user is an error instead."""
        ada = people.add()
        async with read() as session:
            user = await users.get(session, ada.id)
            assert user is not None
            with pytest.raises(InvalidRequestError, match="lazy='raise'"):
                _ = user.profile


class TestUpdateProfile:
    """PATCH /users/me/profile."""

    async def test_only_what_is_sent_changes_and_null_clears(
        self, client: httpx2.AsyncClient, people: People
    ) -> None:
        """The first write makes the row; nothing sent makes none."""
        ada = people.add("ada")
        assert (await tell(client, ada)).json() == EMPTY
        assert people.query("SELECT count(*) FROM user_profiles") == [(0,)]
        assert (await tell(client, ada, bio="  Weaves. ")).json() == EMPTY | {"bio": "Weaves."}
        people.query("UPDATE user_profiles SET avatar_path = 'ada.png'")
        for sent, bio in (({}, "Weaves."), ({"bio": "Counts."}, "Counts."), ({"bio": None}, None)):
            response = await tell(client, ada, **sent)
            assert (response.status_code, response.json()) == (200, {"bio": bio, "avatar_path": "ada.png"})

    async def test_unacceptable_value_is_refused(self, client: httpx2.AsyncClient, people: People) -> None:
        """Where a picture is, is not for its owner to say."""
        ada = people.add("ada")
        refused: list[dict[str, Any]] = [{"bio": bio} for bio in ("x" * 501, " ", "\0", 1)]
        for sent in (*refused, {"avatar_path": "mine.png"}):
            assert problem(await tell(client, ada, **sent)) == (422, "VALIDATION_FAILED")

    async def test_bio_is_measured_in_characters_by_both(
        self, client: httpx2.AsyncClient, people: People
    ) -> None:
        """What the application lets pass the table takes; one more it refuses."""
        ada = people.add()
        bio = "\N{BOWL WITH SPOON}" * 500
        assert (await tell(client, ada, bio=bio)).json()["bio"] == bio
        with pytest.raises(psycopg.errors.CheckViolation, match="ck_user_profiles_bio"):
            people.query("UPDATE user_profiles SET bio = bio || 'x'")

    async def test_first_writes_at_once_make_one_row(
        self, client: httpx2.AsyncClient, people: People
    ) -> None:
        """None of them fails."""
        ada = people.add()
        responses = await asyncio.gather(*(tell(client, ada, bio=f"Bio {n}.") for n in range(4)))
        assert {response.status_code for response in responses} == {200}
        assert people.query("SELECT count(*) FROM user_profiles") == [(1,)]

    async def test_deletion_at_the_same_time_leaves_no_profile_behind(self, people: People) -> None:
        """Writing one waits for the deletion, and then finds nobody."""
        ada = people.add()

        async def tell_more() -> object:
            async with read() as session, write(session) as writer:
                return await users.set_profile(writer, ada.id, {"bio": "Weaves."})

        async with read() as session, write(session) as writer:
            assert await users.delete(writer, ada.id)
            told = asyncio.create_task(tell_more())
            await asyncio.sleep(0.1)
            assert not told.done()
        assert await told is None
        assert people.query("SELECT count(*) FROM user_profiles") == [(0,)]
