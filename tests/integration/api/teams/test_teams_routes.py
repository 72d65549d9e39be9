"""Adding, reading, changing and deleting teams."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Final
from uuid import uuid4

import pytest

from tests.support.journeys import add_team, problem

if TYPE_CHECKING:
    import httpx2

    from tests.support.people import People

pytestmark = pytest.mark.asyncio


class TestCreateTeam:
    """POST /teams."""

    async def test_team_begins_with_nobody_in_it(self, client: httpx2.AsyncClient, people: People) -> None:
        """Spaces around its name are taken off."""
        chief = people.add("chief", "moderator")
        team = await add_team(client, chief, name=" Engineering ")
        assert (team["name"], team["description"]) == ("Engineering", "")
        found = await client.get(f"/teams/{team['id']}", headers=people.add().headers)
        assert found.json() == team | {"members": []}

    async def test_names_are_taken_in_every_case_at_once(
        self, client: httpx2.AsyncClient, people: People
    ) -> None:
        """Of several that arrive at the same moment, one is added."""
        headers = people.add("chief", "moderator").headers
        responses = await asyncio.gather(
            *(client.post("/teams", json={"name": name}, headers=headers) for name in ("Ops", "OPS", "ops"))
        )
        assert sorted(response.status_code for response in responses) == [201, 409, 409]
        assert {problem(response)[1] for response in responses if response.is_error} == {"TEAM_NAME_TAKEN"}

    async def test_unusable_fields_are_refused(self, client: httpx2.AsyncClient, people: People) -> None:
        """Nothing is cut off, converted or ignored."""
        headers = people.add("chief", "admin").headers | {"content-type": "application/json"}
        for sent in (
            {},
            {"name": ""},
            {"name": " "},
            {"name": "x" * 101},
            {"name": "a\0b"},
            {"name": None},
            {"name": 1},
            {"name": "a", "description": "\ud800"},
            {"name": "a", "description": "x" * 2001},
            {"name": "a", "id": "b"},
        ):
            response = await client.post("/teams", content=json.dumps(sent), headers=headers)
            assert problem(response) == (422, "VALIDATION_FAILED"), sent
            pointer = f"/body/{list(sent)[-1] if sent else 'name'}"
            assert response.json()["errors"][0]["pointer"] == pointer


class TestUpdateTeam:
    """PATCH /teams/{team_id}."""

    async def test_only_what_is_sent_changes(self, client: httpx2.AsyncClient, people: People) -> None:
        """The server moves `updated_at` on; a name may change its case."""
        chief = people.add("chief", "moderator")
        before = await add_team(client, chief, name="Ops", description="They run it.")
        path = f"/teams/{before['id']}"
        after = (await client.patch(path, json={"name": "OPS"}, headers=chief.headers)).json()
        assert after.pop("updated_at") > before.pop("updated_at")
        assert after == before | {"name": "OPS"}

    async def test_nothing_sent_changes_nothing(self, client: httpx2.AsyncClient, people: People) -> None:
        """`updated_at` stays as well."""
        chief = people.add("chief", "moderator")
        before = await add_team(client, chief)
        response = await client.patch(f"/teams/{before['id']}", json={}, headers=chief.headers)
        assert (response.status_code, response.json()) == (200, before)

    async def test_taken_name_is_refused(self, client: httpx2.AsyncClient, people: People) -> None:
        """In whatever case."""
        chief = people.add("chief", "moderator")
        await add_team(client, chief, name="Ops")
        other = await add_team(client, chief, name="Sales")
        response = await client.patch(f"/teams/{other['id']}", json={"name": "oPS"}, headers=chief.headers)
        assert problem(response) == (409, "TEAM_NAME_TAKEN")


class TestDeleteTeam:
    """DELETE /teams/{team_id}."""

    async def test_members_are_free_afterwards(self, client: httpx2.AsyncClient, people: People) -> None:
        """Their memberships go with the team, they themselves stay."""
        chief, ada = people.add("chief", "admin"), people.add("ada")
        team = await add_team(client, chief, ada)
        path = f"/teams/{team['id']}"
        assert (await client.delete(path, headers=chief.headers)).status_code == 204
        assert problem(await client.delete(path, headers=chief.headers)) == (404, "TEAM_NOT_FOUND")
        assert people.query("SELECT * FROM team_members") == []
        await add_team(client, chief, ada, name="Another")


CHANGES: Final = {
    "add": ("POST", "/teams", {"name": "Ops"}, "moderator"),
    "change": ("PATCH", "/teams/{team}", {"name": "Ops"}, "moderator"),
    "delete": ("DELETE", "/teams/{team}", None, "admin"),
    "put member": ("PUT", "/teams/{team}/members/{user}", None, "moderator"),
    "remove member": ("DELETE", "/teams/{team}/members/{user}", None, "moderator"),
}


class TestPermissions:
    """Who may do what."""

    async def test_changes_need_a_role(self, client: httpx2.AsyncClient, people: People) -> None:
        """The role below does not suffice, and a refused change changes nothing."""
        ada, moderator = people.add("ada"), people.add("mod", "moderator")
        team = await add_team(client, moderator, ada)
        for method, path, body, role in CHANGES.values():
            viewer = ada if role == "moderator" else moderator
            url = path.format(team=team["id"], user=ada.id)
            response = await client.request(method, url, json=body, headers=viewer.headers)
            assert problem(response) == (403, "ROLE_REQUIRED"), url
            assert response.json()["required_role"] == role
        assert (await client.get(f"/teams/{team['id']}", headers=ada.headers)).json() == team | {
            "members": [{"id": str(ada.id), "username": "ada"}]
        }

    async def test_nobody_reads_without_signing_in(self, client: httpx2.AsyncClient) -> None:
        """Who works with whom is not for the public."""
        for path in ("/teams", "/teams/statistics", f"/teams/{uuid4()}"):
            assert problem(await client.get(path)) == (401, "UNAUTHORIZED"), path

    async def test_unknown_team_is_not_found(self, client: httpx2.AsyncClient, people: People) -> None:
        """Even for an admin, and where nothing is to be changed."""
        headers, path = people.add("chief", "admin").headers, f"/teams/{uuid4()}"
        for method, body in (("GET", None), ("PATCH", {"name": "Ops"}), ("PATCH", {}), ("DELETE", None)):
            response = await client.request(method, path, json=body, headers=headers)
            assert problem(response) == (404, "TEAM_NOT_FOUND"), (method, body)
