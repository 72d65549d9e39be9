"""Listing projects."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.support.journeys import add_project, add_team, problem, put_project_member

if TYPE_CHECKING:
    import httpx2

    from tests.support.people import People, Person

pytestmark = pytest.mark.asyncio


async def names(client: httpx2.AsyncClient, viewer: Person, **parameters: Any) -> list[str]:
    """Return the names of what a list holds."""
    response = await client.get("/projects", params=parameters, headers=viewer.headers)
    assert response.status_code == 200
    return [project["name"] for project in response.json()["items"]]


class TestListProjects:
    """GET /projects."""

    async def test_pages_hold_every_project_of_ones_own_once(
        self, client: httpx2.AsyncClient, people: People, statement_counts: list[int]
    ) -> None:
        """Newest first, with one's own role; one statement beside the current user's, members counted."""
        chief, ada, ben = people.add("chief", "moderator"), people.add("ada"), people.add("ben")
        team = await add_team(client, chief, ada, ben)
        for name in "abcde":
            project = await add_project(client, ada if name in "ace" else ben, team, name=name)
        for viewer in (ben, chief):
            await put_project_member(client, ada, project, viewer, "viewer")
        statement_counts.clear()
        found: list[tuple[Any, ...]] = []
        cursor: str | None = None
        for _ in range(2):
            parameters = {"limit": 2} | ({"cursor": cursor} if cursor else {})
            page = (await client.get("/projects", params=parameters, headers=ben.headers)).json()
            found += [(item["name"], item["role"], item["member_count"]) for item in page["items"]]
            cursor = page["next_cursor"]
        assert cursor is None
        assert found == [("e", "viewer", 3), ("d", "owner", 1), ("b", "owner", 1)]
        assert statement_counts == [2, 2]

    async def test_admin_sees_all_projects(self, client: httpx2.AsyncClient, people: People) -> None:
        """Page by page; the role in those that they are not in is null."""
        chief, ada = people.add("chief", "admin"), people.add("ada")
        team = await add_team(client, chief, ada)
        others = await add_project(client, ada, team, name="other's")
        await add_project(client, chief, team, name="own")
        first = (await client.get("/projects", params={"limit": 1}, headers=chief.headers)).json()
        parameters = {"limit": 1, "cursor": first["next_cursor"]}
        rest = (await client.get("/projects", params=parameters, headers=chief.headers)).json()
        assert [(item["name"], item["role"]) for item in first["items"]] == [("own", "owner")]
        assert rest == {"items": [others | {"role": None, "member_count": 1}], "next_cursor": None}

    async def test_filters_leave_out_the_rest(self, client: httpx2.AsyncClient, people: People) -> None:
        """By team, by another member, and what is archived; together as well."""
        chief, ada, ben = people.add("chief", "admin"), people.add("ada"), people.add("ben")
        loom = await add_team(client, chief, ada, name="Loom")
        mill = await add_team(client, chief, name="Mill")
        await add_project(client, ada, loom, name="alone")
        for name, team in (("with ben", loom), ("old", loom), ("far", mill)):
            project = await add_project(client, chief, team, name=name)
            for member in (ada, ben):
                await put_project_member(client, chief, project, member, "viewer")
            if name == "old":
                await client.patch(
                    f"/projects/{project['id']}", json={"archived": True}, headers=chief.headers
                )
        assert await names(client, ada) == ["far", "with ben", "alone"]
        assert await names(client, ada, archived=True) == ["old"]
        assert await names(client, ada, team=loom["id"]) == ["with ben", "alone"]
        assert await names(client, ada, with_member=str(ben.id)) == ["far", "with ben"]
        both = {"with_member": str(ben.id), "team": loom["id"]}
        assert await names(client, ada, **both) == ["with ben"]
        assert await names(client, ada, **both, archived=True) == ["old"]
        assert await names(client, chief, **both) == ["with ben"]

    async def test_unusable_parameter_is_refused(self, client: httpx2.AsyncClient, people: People) -> None:
        """Not ignored, and never a server error."""
        headers = people.add().headers
        for parameters, expected in (
            ({"cursor": "bm90aGluZw"}, (400, "INVALID_CURSOR")),
            ({"cursor": "WyJ4Il0"}, (400, "INVALID_CURSOR")),
            ({"team": "Loom"}, (422, "VALIDATION_FAILED")),
            ({"with_member": "ada"}, (422, "VALIDATION_FAILED")),
            ({"archived": "perhaps"}, (422, "VALIDATION_FAILED")),
        ):
            response = await client.get("/projects", params=parameters, headers=headers)
            assert problem(response) == expected, parameters
        assert problem(await client.get("/projects")) == (401, "UNAUTHORIZED")
