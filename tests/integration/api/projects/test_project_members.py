"""Members of projects: roles, leaving, and the last owner."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from uuid import UUID, uuid4

import psycopg
import pytest

from api.auth.current_user import CurrentUser
from api.projects import service
from api.projects.models import FOREIGN_TEAM, ProjectRole
from api.users.models import Role
from tests.support.journeys import add_project, add_team, problem, put_project_member
from tests.support.races import while_uncommitted

if TYPE_CHECKING:
    import httpx2

    from tests.support.people import People, Person

pytestmark = pytest.mark.asyncio


async def owned(client: httpx2.AsyncClient, people: People, *owners: Person) -> dict[str, Any]:
    """Return a project with these owners."""
    chief = people.add("chief", "moderator")
    project = await add_project(client, owners[0], await add_team(client, chief, owners[0]))
    for owner in owners[1:]:
        await put_project_member(client, owners[0], project, owner, "owner")
    return project


def roles(people: People) -> dict[str, str]:
    """Return who is what."""
    return dict(people.query("SELECT username, m.role FROM project_members m JOIN users u ON u.id = user_id"))


def viewer(person: Person) -> CurrentUser:
    """Return the user on whose behalf a request of theirs runs."""
    return CurrentUser(person.id, person.email, person.username, Role.USER)


class TestPutProjectMember:
    """PUT /projects/{project_id}/members/{user_id}."""

    async def test_user_gets_a_role_and_another(self, client: httpx2.AsyncClient, people: People) -> None:
        """They need not be in the team; since when they are in the project stays."""
        ada, ben = people.add("ada"), people.add("ben")
        project = await owned(client, people, ada)
        path = f"/projects/{project['id']}"
        seen = []
        for role in ("viewer", "editor", "editor"):
            await put_project_member(client, ada, project, ben, role)
            members = (await client.get(path, headers=ben.headers)).json()["members"]
            assert [member["username"] for member in members] == ["ada", "ben"]
            seen.append((members[1]["role"], members[1]["joined_at"]))
        assert seen == [("viewer", seen[0][1]), ("editor", seen[0][1]), ("editor", seen[0][1])]

    async def test_unknown_user_and_role_are_refused(
        self, client: httpx2.AsyncClient, people: People
    ) -> None:
        """There are three roles."""
        ada = people.add("ada")
        project = await owned(client, people, ada)
        path = f"/projects/{project['id']}/members"
        unknown = await client.put(f"{path}/{uuid4()}", json={"role": "viewer"}, headers=ada.headers)
        assert problem(unknown) == (404, "USER_NOT_FOUND")
        for body in ({"role": "root"}, {"role": None}, {}, {"role": "owner", "since": "now"}):
            response = await client.put(f"{path}/{ada.id}", json=body, headers=ada.headers)
            assert problem(response) == (422, "VALIDATION_FAILED"), body
        assert roles(people) == {"ada": "owner"}

    async def test_deleted_user_is_in_no_project(self, client: httpx2.AsyncClient, people: People) -> None:
        """Neither shown nor counted nor found, and not to be put into one."""
        ada, ben = people.add("ada"), people.add("ben")
        project = await owned(client, people, ada, ben)
        assert (await client.delete(f"/users/{ben.id}", headers=ben.headers)).status_code == 204
        path = f"/projects/{project['id']}"
        found = (await client.get(path, headers=ada.headers)).json()
        assert [member["username"] for member in found["members"]] == ["ada"]
        [item] = (await client.get("/projects", headers=ada.headers)).json()["items"]
        assert item["member_count"] == 1
        both = await client.get("/projects", params={"with_member": str(ben.id)}, headers=ada.headers)
        assert both.json()["items"] == []
        response = await client.put(f"{path}/members/{ben.id}", json={"role": "viewer"}, headers=ada.headers)
        assert problem(response) == (404, "USER_NOT_FOUND")
        left = await client.delete(f"{path}/members/{ada.id}", headers=ada.headers)
        assert problem(left) == (409, "LAST_OWNER")


class TestLastOwner:
    """A project keeps an owner."""

    async def test_last_owner_stays_until_there_is_another(
        self, client: httpx2.AsyncClient, people: People
    ) -> None:
        """They can neither leave nor become less, not even by an admin; another owner sets them free."""
        ada, ben, admin = people.add("ada"), people.add("ben"), people.add("root", "admin")
        project = await owned(client, people, ada)
        await put_project_member(client, ada, project, ben, "editor")
        path = f"/projects/{project['id']}/members/{ada.id}"
        for person in (ada, admin):
            assert problem(await client.delete(path, headers=person.headers)) == (409, "LAST_OWNER")
            response = await client.put(path, json={"role": "editor"}, headers=person.headers)
            assert problem(response) == (409, "LAST_OWNER")
        await put_project_member(client, ada, project, ada, "owner")
        assert roles(people) == {"ada": "owner", "ben": "editor"}
        await put_project_member(client, ada, project, ben, "owner")
        assert (await client.delete(path, headers=ada.headers)).status_code == 204
        assert roles(people) == {"ben": "owner"}

    async def test_owner_who_cannot_sign_in_does_not_count(
        self, client: httpx2.AsyncClient, people: People
    ) -> None:
        """Somebody must be able to act as one."""
        ada, ben = people.add("ada"), people.add("ben")
        project = await owned(client, people, ada, ben)
        await client.post(f"/users/{ben.id}/deactivate", headers=ben.headers)
        path = f"/projects/{project['id']}/members"
        refused = await client.delete(f"{path}/{ada.id}", headers=ada.headers)
        assert problem(refused) == (409, "LAST_OWNER")
        assert (await client.delete(f"{path}/{ben.id}", headers=ada.headers)).status_code == 204

    async def test_owners_who_leave_at_once_leave_one(
        self, client: httpx2.AsyncClient, people: People
    ) -> None:
        """Before the first has committed, the second would still see two: so it waits."""
        ada, ben = people.add("ada"), people.add("ben")
        project = await owned(client, people, ada, ben)
        refused = await while_uncommitted(
            lambda session: service.remove_member(session, viewer(ada), UUID(project["id"]), ada.id),
            client.delete(f"/projects/{project['id']}/members/{ben.id}", headers=ben.headers),
            people,
        )
        assert problem(refused) == (409, "LAST_OWNER")
        assert roles(people) == {"ben": "owner"}

    async def test_owner_who_was_demoted_meanwhile_is_none_any_more(
        self, client: httpx2.AsyncClient, people: People
    ) -> None:
        """Whoever waits is looked at afterwards, not before."""
        ada, ben = people.add("ada"), people.add("ben")
        project = await owned(client, people, ada, ben)
        key, less = UUID(project["id"]), ProjectRole.VIEWER
        refused = await while_uncommitted(
            lambda session: service.put_member(session, viewer(ada), key, ben.id, less),
            client.put(f"/projects/{key}/members/{ada.id}", json={"role": "viewer"}, headers=ben.headers),
            people,
        )
        assert problem(refused) == (403, "PROJECT_ROLE_REQUIRED")
        assert roles(people) == {"ada": "owner", "ben": "viewer"}


class TestTables:
    """What no code can get past."""

    async def test_impossible_states_are_refused(self, client: httpx2.AsyncClient, people: People) -> None:
        """By constraints with names."""
        await owned(client, people, people.add("ada"))
        for statement, constraint in {
            "UPDATE project_members SET role = 'guest'": "ck_project_members_role",
            "UPDATE project_members SET user_id = gen_random_uuid()": "fk_project_members_user_id_users",
            "DELETE FROM teams": FOREIGN_TEAM,
        }.items():
            with pytest.raises(psycopg.IntegrityError) as caught:
                people.query(statement)
            assert caught.value.diag.constraint_name == constraint

    async def test_memberships_go_with_the_row_of_their_user(
        self, client: httpx2.AsyncClient, people: People
    ) -> None:
        """Only an administrator at the database removes that; users who are deleted keep it."""
        ada = people.add("ada")
        await owned(client, people, ada)
        people.query("DELETE FROM users WHERE id = %s", ada.id)
        assert (
            people.query("SELECT user_id FROM project_members UNION SELECT user_id FROM team_members") == []
        )
        assert len(people.query("SELECT id FROM projects")) == 1
