"""Beginning, reading, changing and deleting projects."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING
from uuid import uuid4

import pytest

from tests.support.journeys import add_project, add_team, problem

if TYPE_CHECKING:
    import httpx2

    from tests.support.people import People

pytestmark = pytest.mark.asyncio


class TestCreateProject:
    """POST /projects."""

    async def test_creator_becomes_owner(
        self, client: httpx2.AsyncClient, people: People, statement_counts: list[int]
    ) -> None:
        """Of a project with nobody else in it; members are read with two statements."""
        chief, ada = people.add("chief", "moderator"), people.add("ada")
        project = await add_project(client, ada, await add_team(client, chief, ada))
        statement_counts.clear()
        found = (await client.get(f"/projects/{project['id']}", headers=ada.headers)).json()
        assert statement_counts == [3]
        [owner] = found.pop("members")
        assert owner.pop("joined_at") == project["created_at"]
        assert owner == {"user_id": str(ada.id), "username": "ada", "role": "owner"}
        assert found == project
        assert project["archived_at"] is None

    async def test_only_members_of_the_team_begin_its_projects(
        self, client: httpx2.AsyncClient, people: People
    ) -> None:
        """Admins as well, who are in no team; a team that is not there has no members."""
        chief, ada, ben = people.add("chief", "admin"), people.add("ada"), people.add("ben")
        team = await add_team(client, chief, ada)
        await add_team(client, chief, ben, name="Another")
        await add_project(client, chief, team)
        for viewer, key, expected in (
            (ben, team["id"], (403, "TEAM_MEMBERSHIP_REQUIRED")),
            (ben, str(uuid4()), (403, "TEAM_MEMBERSHIP_REQUIRED")),
            (chief, str(uuid4()), (404, "TEAM_NOT_FOUND")),
        ):
            new = {"team_id": key, "name": "Loom"}
            assert problem(await client.post("/projects", json=new, headers=viewer.headers)) == expected

    async def test_names_are_taken_in_every_case_within_a_team(
        self, client: httpx2.AsyncClient, people: People
    ) -> None:
        """Of several that arrive at the same moment, one is added; another team may use the name."""
        chief = people.add("chief", "admin")
        team = await add_team(client, chief)
        responses = await asyncio.gather(
            *(
                client.post("/projects", json={"team_id": team["id"], "name": name}, headers=chief.headers)
                for name in ("Loom", "LOOM", "loom")
            )
        )
        assert sorted(response.status_code for response in responses) == [201, 409, 409]
        codes = {problem(response)[1] for response in responses if response.is_error}
        assert codes == {"PROJECT_NAME_TAKEN"}
        await add_project(client, chief, await add_team(client, chief, name="Another"), name="Loom")

    async def test_unusable_fields_are_refused(self, client: httpx2.AsyncClient, people: People) -> None:
        """Nothing is cut off, converted or ignored."""
        chief = people.add("chief", "admin")
        team = await add_team(client, chief)
        headers = chief.headers | {"content-type": "application/json"}
        for change in (
            {"team_id": "Engineering"},
            {"team_id": None},
            {"name": " "},
            {"name": "x" * 101},
            {"name": "a\0b"},
            {"name": None},
            {"description": "\ud800"},
            {"description": "x" * 2001},
            {"archived": True},
        ):
            sent = json.dumps({"team_id": team["id"], "name": "Engine"} | change)
            response = await client.post("/projects", content=sent, headers=headers)
            assert problem(response) == (422, "VALIDATION_FAILED"), change
            assert response.json()["errors"][0]["pointer"].startswith(f"/body/{next(iter(change))}")


class TestUpdateProject:
    """PATCH /projects/{project_id}."""

    async def test_only_what_is_sent_changes(self, client: httpx2.AsyncClient, people: People) -> None:
        """The server moves `updated_at` on, and leaves it where nothing was sent."""
        chief = people.add("chief", "admin")
        before = await add_project(client, chief, await add_team(client, chief), description="It computes.")
        path = f"/projects/{before['id']}"
        same = await client.patch(path, json={}, headers=chief.headers)
        assert (same.status_code, same.json()) == (200, before)
        after = (await client.patch(path, json={"name": "ENGINE"}, headers=chief.headers)).json()
        assert after.pop("updated_at") > before.pop("updated_at")
        assert after == before | {"name": "ENGINE"}

    async def test_project_is_archived_and_taken_back(
        self, client: httpx2.AsyncClient, people: People
    ) -> None:
        """Archiving it again leaves the date as it is."""
        chief = people.add("chief", "admin")
        project = await add_project(client, chief, await add_team(client, chief))
        dates = [
            (
                await client.patch(
                    f"/projects/{project['id']}", json={"archived": archived}, headers=chief.headers
                )
            ).json()["archived_at"]
            for archived in (False, True, True, False)
        ]
        assert dates == [None, dates[1], dates[1], None]
        assert dates[1] > project["created_at"]

    async def test_refused_change_changes_nothing(self, client: httpx2.AsyncClient, people: People) -> None:
        """A taken name, null for "not sent", a team to move to."""
        chief = people.add("chief", "admin")
        team = await add_team(client, chief)
        await add_project(client, chief, team, name="Loom")
        project = await add_project(client, chief, team)
        path = f"/projects/{project['id']}"
        for sent, expected in (
            ({"name": "LOOM", "archived": True}, (409, "PROJECT_NAME_TAKEN")),
            ({"name": None}, (422, "VALIDATION_FAILED")),
            ({"archived": None}, (422, "VALIDATION_FAILED")),
            ({"archived": "yes"}, (422, "VALIDATION_FAILED")),
            ({"team_id": team["id"]}, (422, "VALIDATION_FAILED")),
        ):
            assert problem(await client.patch(path, json=sent, headers=chief.headers)) == expected, sent
        found = (await client.get(path, headers=chief.headers)).json()
        assert {name: found[name] for name in project} == project


class TestDeleteProject:
    """DELETE /projects/{project_id}."""

    async def test_memberships_go_with_it(self, client: httpx2.AsyncClient, people: People) -> None:
        """There is nothing left to delete."""
        chief = people.add("chief", "admin")
        project = await add_project(client, chief, await add_team(client, chief))
        path = f"/projects/{project['id']}"
        assert (await client.delete(path, headers=chief.headers)).status_code == 204
        assert people.query("SELECT * FROM project_members") == []
        assert problem(await client.delete(path, headers=chief.headers)) == (404, "PROJECT_NOT_FOUND")

    async def test_team_stays_until_its_projects_are_deleted(
        self, client: httpx2.AsyncClient, people: People
    ) -> None:
        """Archived ones count: work goes only when somebody deletes the work."""
        chief = people.add("chief", "admin")
        team = await add_team(client, chief)
        project = await add_project(client, chief, team)
        await client.patch(f"/projects/{project['id']}", json={"archived": True}, headers=chief.headers)
        path = f"/teams/{team['id']}"
        assert problem(await client.delete(path, headers=chief.headers)) == (409, "TEAM_IN_USE")
        await client.delete(f"/projects/{project['id']}", headers=chief.headers)
        assert (await client.delete(path, headers=chief.headers)).status_code == 204
