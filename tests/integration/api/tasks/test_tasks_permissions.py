"""Who may do what with a project's tasks: the whole matrix."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final
from uuid import uuid4

import pytest

from tests.support.journeys import problem
from tests.support.projects import add_project_of_three, add_task

if TYPE_CHECKING:
    import httpx2

    from tests.support.people import People
    from tests.support.projects import ProjectOfThree

pytestmark = pytest.mark.asyncio

#: What is done to a project's tasks and to a task, by those who may.
PROJECT_READS: Final = [("GET", "", None), ("GET", "/summary", None)]
PROJECT_WRITES: Final[list[tuple[str, str, Any]]] = [
    ("POST", "", {"title": "T"}),
    ("POST", "/bulk", {"tasks": [{"title": "T"}]}),
    ("POST", "/status", {"ids": [str(uuid4())], "status": "todo"}),
]
TASK_WRITES: Final[list[tuple[str, str, Any]]] = [
    ("PATCH", "", {"title": "changed"}),
    ("PUT", "/status", {"status": "in_progress"}),
    ("DELETE", "", None),
]


class TestPermissions:
    """Every action by everyone."""

    async def test_members_read_editors_write_and_others_know_nothing(
        self, client: httpx2.AsyncClient, people: People, project: ProjectOfThree
    ) -> None:
        """And a refused action changes nothing; admins count as owners."""
        task = await add_task(client, project)
        of_task = f"/tasks/{task['id']}"
        stranger = add_project_of_three(people, "beta").owner
        admin, moderator = people.add("chief", "admin"), people.add("mod", "moderator")
        reads = [(method, project.tasks + path, body) for method, path, body in PROJECT_READS]
        writes = [(method, project.tasks + path, body) for method, path, body in PROJECT_WRITES]
        task_writes = [(method, of_task + path, body) for method, path, body in TASK_WRITES]

        for method, path, body in [*reads, *writes, ("GET", of_task, None), *task_writes]:
            unseen = (404, "TASK_NOT_FOUND" if path.startswith("/tasks") else "PROJECT_NOT_FOUND")
            assert problem(await client.request(method, path, json=body)) == (401, "UNAUTHORIZED")
            for person in (stranger, moderator):
                response = await client.request(method, path, json=body, headers=person.headers)
                assert problem(response) == unseen
        for method, path, body in [*writes, *task_writes]:
            response = await client.request(method, path, json=body, headers=project.viewer.headers)
            assert problem(response) == (403, "PROJECT_ROLE_REQUIRED")
        for person in (project.viewer, project.owner, admin):
            assert (await client.get(of_task, headers=person.headers)).json() == task
            for _, path, _ in reads:
                assert (await client.get(path, headers=person.headers)).status_code == 200
        for person in (project.owner, admin):
            for method, path, body in writes:
                response = await client.request(method, path, json=body, headers=person.headers)
                assert response.is_success, response.text
        for method, path, body in task_writes:
            response = await client.request(method, path, json=body, headers=project.owner.headers)
            assert response.is_success, response.text
        for method, path, body in [("GET", of_task, None), *task_writes]:
            response = await client.request(method, path, json=body, headers=project.owner.headers)
            assert problem(response) == (404, "TASK_NOT_FOUND")

    async def test_tasks_of_an_archived_project_are_only_read(
        self, client: httpx2.AsyncClient, people: People, project: ProjectOfThree
    ) -> None:
        """By admins too, until it is taken back; who may not write at all is told that."""
        task = await add_task(client, project)
        of_task, of_project = f"/tasks/{task['id']}", f"/projects/{project.id}"
        writes = [(method, project.tasks + path, body) for method, path, body in PROJECT_WRITES]
        writes += [(method, of_task + path, body) for method, path, body in TASK_WRITES]
        headers, admin = project.owner.headers, people.add("root", "admin")
        assert (await client.patch(of_project, json={"archived": True}, headers=headers)).is_success
        for method, path, body in writes:
            for person in (project.editor, admin):
                response = await client.request(method, path, json=body, headers=person.headers)
                assert problem(response) == (409, "PROJECT_ARCHIVED"), path
            response = await client.request(method, path, json=body, headers=project.viewer.headers)
            assert problem(response) == (403, "PROJECT_ROLE_REQUIRED"), path
        assert (await client.get(of_task, headers=headers)).json() == task
        assert (await client.patch(of_project, json={"archived": False}, headers=headers)).is_success
        for method, path, body in writes:
            response = await client.request(method, path, json=body, headers=project.editor.headers)
            assert response.is_success, response.text
