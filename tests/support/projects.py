"""A project with one member of each role, put straight into a database."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from api.database.base import uuid7

if TYPE_CHECKING:
    from uuid import UUID

    import httpx2

    from tests.support.people import People, Person


@dataclass(frozen=True)
class ProjectOfThree:
    """A project, and who is in it."""

    id: UUID
    owner: Person
    editor: Person
    viewer: Person

    @property
    def tasks(self) -> str:
        """Where its tasks are."""
        return f"/projects/{self.id}/tasks"


def add_project_of_three(people: People, name: str = "alpha") -> ProjectOfThree:
    """Add a project, its team and its members."""
    team = uuid7()
    members = {role: people.add(f"{name}-{role}") for role in ("owner", "editor", "viewer")}
    project = ProjectOfThree(uuid7(), **members)
    people.query("INSERT INTO teams (id, name) VALUES (%s, %s)", team, name)
    people.query("INSERT INTO projects (id, team_id, name) VALUES (%s, %s, %s)", project.id, team, name)
    people.query(
        "INSERT INTO project_members (project_id, user_id, role) "
        "SELECT %s, * FROM unnest(%s::uuid[], %s::text[])",
        project.id,
        [member.id for member in members.values()],
        list(members),
    )
    return project


async def add_task(client: httpx2.AsyncClient, project: ProjectOfThree, **fields: Any) -> dict[str, Any]:
    """Add a task as the project's editor, and return it."""
    body = {"title": "Write the release notes"} | fields
    response = await client.post(project.tasks, json=body, headers=project.editor.headers)
    assert response.status_code == 201, response.text
    task: dict[str, Any] = response.json()
    return task
