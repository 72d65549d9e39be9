"""Who is in which team."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING
from uuid import UUID, uuid4

import pytest

from api.teams import service
from tests.support.journeys import add_team, problem
from tests.support.races import while_uncommitted

if TYPE_CHECKING:
    import httpx2

    from tests.support.people import People

pytestmark = pytest.mark.asyncio


class TestPutTeamMember:
    """PUT /teams/{team_id}/members/{user_id}."""

    async def test_members_are_shown_by_name_without_addresses(
        self, client: httpx2.AsyncClient, people: People, statement_counts: list[int]
    ) -> None:
        """However many there are, two statements beside the current user's."""
        chief, ben, ada = people.add("chief", "moderator"), people.add("ben"), people.add("ada")
        team = await add_team(client, chief, ben, ada)
        await add_team(client, chief, chief, name="Another")
        statement_counts.clear()
        found = (await client.get(f"/teams/{team['id']}", headers=ben.headers)).json()
        assert found["members"] == [
            {"id": str(ada.id), "username": "ada"},
            {"id": str(ben.id), "username": "ben"},
        ]
        assert statement_counts == [3]

    @pytest.mark.parametrize("move", ["false", "true"])
    async def test_repeating_it_changes_nothing(
        self, client: httpx2.AsyncClient, people: People, move: str
    ) -> None:
        """When they joined stays as well."""
        chief, ada = people.add("chief", "moderator"), people.add("ada")
        team = await add_team(client, chief, ada)
        before = people.query("SELECT * FROM team_members")
        path = f"/teams/{team['id']}/members/{ada.id}"
        response = await client.put(path, params={"move": move}, headers=chief.headers)
        assert response.status_code == 204
        assert people.query("SELECT * FROM team_members") == before

    async def test_user_leaves_another_team_only_when_asked_to(
        self, client: httpx2.AsyncClient, people: People
    ) -> None:
        """The refusal names the team that they are in."""
        chief, ada = people.add("chief", "moderator"), people.add("ada")
        old = await add_team(client, chief, ada, name="Old")
        new = await add_team(client, chief, name="New")
        [(before,)] = people.query("SELECT joined_at FROM team_members")
        path = f"/teams/{new['id']}/members/{ada.id}"
        refused = await client.put(path, headers=chief.headers)
        assert problem(refused) == (409, "IN_ANOTHER_TEAM")
        assert refused.json()["team_id"] == old["id"]
        assert '"Old"' in refused.json()["detail"]
        moved = await client.put(path, params={"move": True}, headers=chief.headers)
        assert moved.status_code == 204
        [(team, joined_at)] = people.query("SELECT team_id::text, joined_at FROM team_members")
        assert team == new["id"]
        assert joined_at > before

    async def test_user_put_into_two_teams_at_once_is_in_one(
        self, client: httpx2.AsyncClient, people: People
    ) -> None:
        """One of the requests wins; the other hears of it."""
        chief, ada = people.add("chief", "moderator"), people.add("ada")
        teams = [await add_team(client, chief, name=name) for name in ("A", "B", "C", "D")]
        responses = await asyncio.gather(
            *(client.put(f"/teams/{team['id']}/members/{ada.id}", headers=chief.headers) for team in teams)
        )
        assert sorted(response.status_code for response in responses) == [204, 409, 409, 409]
        assert len(people.query("SELECT * FROM team_members")) == 1

    async def test_unknown_team_and_user_are_told_apart(
        self, client: httpx2.AsyncClient, people: People
    ) -> None:
        """Also where the user is in a team."""
        chief, ada = people.add("chief", "moderator"), people.add("ada")
        team = await add_team(client, chief, ada)
        for path, code in {
            f"/teams/{uuid4()}/members/{ada.id}": "TEAM_NOT_FOUND",
            f"/teams/{uuid4()}/members/{uuid4()}": "TEAM_NOT_FOUND",
            f"/teams/{team['id']}/members/{uuid4()}": "USER_NOT_FOUND",
        }.items():
            assert problem(await client.put(path, headers=chief.headers)) == (404, code)

    async def test_deleted_user_is_in_no_team(self, client: httpx2.AsyncClient, people: People) -> None:
        """Neither shown nor counted, and not to be put into one."""
        chief, ada, ben = people.add("chief", "moderator"), people.add("ada"), people.add("ben")
        team = await add_team(client, chief, ada, ben)
        assert (await client.delete(f"/users/{ada.id}", headers=ada.headers)).status_code == 204
        path = f"/teams/{team['id']}"
        found = (await client.get(path, headers=ben.headers)).json()
        assert [member["username"] for member in found["members"]] == ["ben"]
        for list_ in ("/teams", "/teams/statistics"):
            [item] = (await client.get(list_, headers=ben.headers)).json()["items"]
            assert item["member_count"] == 1
        response = await client.put(f"{path}/members/{ada.id}", headers=chief.headers)
        assert problem(response) == (404, "USER_NOT_FOUND")

    async def test_team_that_is_being_deleted_is_not_found(
        self, client: httpx2.AsyncClient, people: People
    ) -> None:
        """Whoever waits for the deletion sees what came of it."""
        chief, ada = people.add("chief", "moderator"), people.add("ada")
        key = UUID((await add_team(client, chief))["id"])
        response = await while_uncommitted(
            lambda session: service.delete(session, key),
            client.put(f"/teams/{key}/members/{ada.id}", headers=chief.headers),
            people,
        )
        assert problem(response) == (404, "TEAM_NOT_FOUND")


class TestRemoveTeamMember:
    """DELETE /teams/{team_id}/members/{user_id}."""

    async def test_user_is_in_no_team_then(self, client: httpx2.AsyncClient, people: People) -> None:
        """Others stay; there is nothing left to remove."""
        chief, ada, ben = people.add("chief", "moderator"), people.add("ada"), people.add("ben")
        team = await add_team(client, chief, ada, ben)
        path = f"/teams/{team['id']}/members/{ada.id}"
        assert (await client.delete(path, headers=chief.headers)).status_code == 204
        assert people.query("SELECT user_id FROM team_members") == [(ben.id,)]
        assert problem(await client.delete(path, headers=chief.headers)) == (404, "TEAM_MEMBER_NOT_FOUND")

    async def test_member_of_another_team_is_not_found(
        self, client: httpx2.AsyncClient, people: People
    ) -> None:
        """And stays where they are."""
        chief, ada = people.add("chief", "moderator"), people.add("ada")
        await add_team(client, chief, ada)
        other = await add_team(client, chief, name="Another")
        response = await client.delete(f"/teams/{other['id']}/members/{ada.id}", headers=chief.headers)
        assert problem(response) == (404, "TEAM_MEMBER_NOT_FOUND")
        assert len(people.query("SELECT * FROM team_members")) == 1
