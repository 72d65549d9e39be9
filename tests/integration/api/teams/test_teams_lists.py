"""Listing teams and their statistics."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.support.journeys import add_team, problem

if TYPE_CHECKING:
    import httpx2

    from tests.support.people import People

pytestmark = pytest.mark.asyncio


class TestListTeams:
    """GET /teams."""

    async def test_pages_hold_every_team_once_by_name(
        self, client: httpx2.AsyncClient, people: People, statement_counts: list[int]
    ) -> None:
        """Whatever its case, with the number of members; one statement beside the current user's."""
        chief, ada, ben = people.add("chief", "moderator"), people.add("ada"), people.add("ben")
        await add_team(client, chief, ada, ben, name="beta")
        for name in ("Alpha", "Epsilon", "gamma", "Delta"):
            await add_team(client, chief, name=name)
        statement_counts.clear()
        found: list[tuple[str, int]] = []
        cursor: str | None = None
        for _ in range(3):
            parameters = {"limit": 2} | ({"cursor": cursor} if cursor else {})
            page = (await client.get("/teams", params=parameters, headers=ada.headers)).json()
            found += [(team["name"], team["member_count"]) for team in page["items"]]
            cursor = page["next_cursor"]
        assert cursor is None
        assert found == [("Alpha", 0), ("beta", 2), ("Delta", 0), ("Epsilon", 0), ("gamma", 0)]
        assert statement_counts == [2, 2, 2]

    async def test_foreign_cursor_is_refused(self, client: httpx2.AsyncClient, people: People) -> None:
        """By both lists."""
        headers = people.add().headers
        for path in ("/teams", "/teams/statistics"):
            response = await client.get(path, params={"cursor": "bm90aGluZw"}, headers=headers)
            assert problem(response) == (400, "INVALID_CURSOR"), path


class TestListTeamStatistics:
    """GET /teams/statistics."""

    async def test_large_teams_come_first_and_small_ones_not_at_all(
        self, client: httpx2.AsyncClient, people: People, statement_counts: list[int]
    ) -> None:
        """One statement a page beside the current user's."""
        chief = people.add("chief", "moderator")
        everyone = [people.add(f"user{number}") for number in range(5)]
        await add_team(client, chief, name="Nobody")
        await add_team(client, chief, everyone[0], name="One")
        two = await add_team(client, chief, *everyone[1:3], name="Two")
        other = await add_team(client, chief, *everyone[3:], name="Other")
        people.query(
            "UPDATE team_members SET joined_at = '2026-01-01 00:00Z' WHERE user_id = %s", everyone[2].id
        )
        statement_counts.clear()
        first = await client.get("/teams/statistics", params={"limit": 1}, headers=chief.headers)
        parameters = {"min_members": 2, "cursor": first.json()["next_cursor"]}
        rest = await client.get("/teams/statistics", params=parameters, headers=chief.headers)
        assert statement_counts == [2, 2]
        assert [team["id"] for team in first.json()["items"]] == [other["id"]]
        assert rest.json() == {
            "items": [
                {
                    "id": two["id"],
                    "name": "Two",
                    "member_count": 2,
                    "first_joined_at": "2026-01-01T00:00:00Z",
                }
            ],
            "next_cursor": None,
        }

    async def test_unusable_minimum_is_refused(self, client: httpx2.AsyncClient, people: People) -> None:
        """Also what no integer of the server's could hold."""
        headers = people.add().headers
        for value in ("0", "-1", "x", "99999999999"):
            response = await client.get("/teams/statistics", params={"min_members": value}, headers=headers)
            assert problem(response) == (422, "VALIDATION_FAILED"), value
