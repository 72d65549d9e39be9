"""Who may do what with which project: the whole matrix."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final
from uuid import uuid4

import pytest

from tests.support.journeys import add_project, add_team, problem, put_project_member

if TYPE_CHECKING:
    import httpx2

    from tests.support.people import People

pytestmark = pytest.mark.asyncio

ACTIONS: Final = {
    "read": ("GET", "/projects/{project}", None),
    "change": ("PATCH", "/projects/{project}", {"description": "changed"}),
    "put member": ("PUT", "/projects/{project}/members/{other}", {"role": "editor"}),
    "remove member": ("DELETE", "/projects/{project}/members/{member}", None),
    "leave": ("DELETE", "/projects/{project}/members/{self}", None),
    "delete": ("DELETE", "/projects/{project}", None),
}
UNSEEN, FORBIDDEN, ANONYMOUS = (
    (404, "PROJECT_NOT_FOUND"),
    (403, "PROJECT_ROLE_REQUIRED"),
    (401, "UNAUTHORIZED"),
)
DONE, GONE, ABSENT = (200, None), (204, None), (404, "PROJECT_MEMBER_NOT_FOUND")

#: What each action answers, for: an owner, an editor, a viewer, an admin, a moderator, a member of the team
#: and nobody.
EXPECTED: Final = {
    "read": (DONE, DONE, DONE, DONE, UNSEEN, UNSEEN, ANONYMOUS),
    "change": (DONE, FORBIDDEN, FORBIDDEN, DONE, UNSEEN, UNSEEN, ANONYMOUS),
    "put member": (GONE, FORBIDDEN, FORBIDDEN, GONE, UNSEEN, UNSEEN, ANONYMOUS),
    "remove member": (GONE, FORBIDDEN, FORBIDDEN, GONE, UNSEEN, UNSEEN, ANONYMOUS),
    "leave": (GONE, GONE, GONE, ABSENT, UNSEEN, UNSEEN, ANONYMOUS),
    "delete": (GONE, FORBIDDEN, FORBIDDEN, GONE, UNSEEN, UNSEEN, ANONYMOUS),
}


class TestMembership:
    """Every action by everyone."""

    @pytest.mark.parametrize("action", ACTIONS)
    async def test_action_answers_as_the_matrix_says(
        self, client: httpx2.AsyncClient, people: People, action: str
    ) -> None:
        """And a refused action changes nothing."""
        chief, mate, other = people.add("chief", "admin"), people.add("mate"), people.add("other")
        roles = {role: people.add(role) for role in ("owner", "editor", "viewer")}
        member = people.add("member")
        team = await add_team(client, chief, member, mate)
        actors = [*roles.values(), chief, people.add("mod", "moderator"), mate, None]
        method, path, body = ACTIONS[action]
        project: dict[str, Any] = {}
        for actor, expected in zip(actors, EXPECTED[action], strict=True):
            if not project:
                project = await add_project(client, member, team, name=f"For {actor}"[:100])
                for role, person in roles.items():
                    await put_project_member(client, member, project, person, role)
            before = await client.get(f"/projects/{project['id']}", headers=chief.headers)
            url = path.format(
                project=project["id"], other=other.id, member=member.id, self=(actor or mate).id
            )
            response = await client.request(method, url, json=body, headers=actor.headers if actor else {})
            code = response.json()["code"] if response.is_error else None
            assert (response.status_code, code) == expected, actor
            if response.is_error:
                after = await client.get(f"/projects/{project['id']}", headers=chief.headers)
                assert after.json() == before.json()
            else:
                project = {}

    async def test_unknown_project_is_as_unseen_as_anothers(
        self, client: httpx2.AsyncClient, people: People
    ) -> None:
        """By an admin too."""
        chief = people.add("chief", "admin")
        names = {"project": uuid4(), "other": uuid4(), "member": uuid4(), "self": chief.id}
        for method, path, body in ACTIONS.values():
            url = path.format_map(names)
            assert problem(await client.request(method, url, json=body, headers=chief.headers)) == UNSEEN
