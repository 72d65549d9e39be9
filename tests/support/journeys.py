"""Steps with which many tests of the sample domain begin."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import httpx2

    from tests.support.people import Person

DRAFT = {"title": "On Analytical Engines", "body": "They weave.", "tags": ["Machines", "history"]}


def problem(response: httpx2.Response) -> tuple[int, str]:
    """Return status and code of a problem document."""
    assert response.headers["content-type"] == "application/problem+json"
    return response.status_code, response.json()["code"]


async def log_in(client: httpx2.AsyncClient, person: Person) -> dict[str, Any]:
    """Return a pair of tokens."""
    response = await client.post("/auth/login", json=person.credentials)
    assert response.status_code == 200
    pair: dict[str, Any] = response.json()
    return pair


async def refresh(client: httpx2.AsyncClient, pair: dict[str, Any]) -> httpx2.Response:
    """Present a pair's refresh token."""
    return await client.post("/auth/refresh", json={"refresh_token": pair["refresh_token"]})


async def write_post(
    client: httpx2.AsyncClient, author: Person, *, publish: bool = False, **changes: Any
) -> dict[str, Any]:
    """Write a post, `DRAFT` unless changed, and return it."""
    response = await client.post("/posts", json=DRAFT | changes, headers=author.headers)
    assert response.status_code == 201
    post: dict[str, Any] = response.json()
    if publish:
        response = await client.post(f"/posts/{post['id']}/publish", headers=author.headers)
        assert response.status_code == 200
        post = response.json()
    return post


async def add_team(
    client: httpx2.AsyncClient, moderator: Person, *members: Person, **changes: Any
) -> dict[str, Any]:
    """Add a team with these members, "Engineering" unless named otherwise, and return it."""
    response = await client.post("/teams", json={"name": "Engineering"} | changes, headers=moderator.headers)
    assert response.status_code == 201
    team: dict[str, Any] = response.json()
    for member in members:
        response = await client.put(f"/teams/{team['id']}/members/{member.id}", headers=moderator.headers)
        assert response.status_code == 204
    return team


async def add_project(
    client: httpx2.AsyncClient, owner: Person, team: dict[str, Any], **changes: Any
) -> dict[str, Any]:
    """Begin a project of a team, "Engine" unless named otherwise, and return it."""
    new = {"team_id": team["id"], "name": "Engine"} | changes
    response = await client.post("/projects", json=new, headers=owner.headers)
    assert response.status_code == 201
    project: dict[str, Any] = response.json()
    return project


async def put_project_member(
    client: httpx2.AsyncClient, owner: Person, project: dict[str, Any], member: Person, role: str
) -> None:
    """Give somebody a role in a project."""
    path = f"/projects/{project['id']}/members/{member.id}"
    response = await client.put(path, json={"role": role}, headers=owner.headers)
    assert response.status_code == 204
