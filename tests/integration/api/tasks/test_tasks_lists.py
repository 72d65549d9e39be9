"""Listing and counting tasks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.support.journeys import problem
from tests.support.projects import add_project_of_three, add_task

if TYPE_CHECKING:
    import httpx2

    from tests.support.people import People, Person
    from tests.support.projects import ProjectOfThree

pytestmark = pytest.mark.asyncio


async def titles(client: httpx2.AsyncClient, path: str, person: Person, **parameters: Any) -> str:
    """Return the tasks' titles, in the list's order."""
    response = await client.get(path, params=parameters, headers=person.headers)
    assert response.status_code == 200, response.text
    return "".join(task["title"] for task in response.json()["items"])


async def paged(client: httpx2.AsyncClient, path: str, person: Person, **parameters: Any) -> str:
    """Return the same, one task a page."""
    found, cursor = "", {}
    while True:
        page = (
            await client.get(path, params={"limit": 1, **parameters, **cursor}, headers=person.headers)
        ).json()
        found += "".join(task["title"] for task in page["items"])
        if page["next_cursor"] is None:
            return found
        cursor = {"cursor": page["next_cursor"]}


class TestListTasks:
    """GET /projects/{project_id}/tasks."""

    async def test_conditions_hold_together(
        self,
        client: httpx2.AsyncClient,
        people: People,
        project: ProjectOfThree,
        statement_counts: list[int],
    ) -> None:
        """Each by itself, and several of them; the newest first, whatever the page's size."""
        await add_task(client, add_project_of_three(people, "beta"), title="X", tags=["docs"])
        owner, viewer = str(project.owner.id), str(project.viewer.id)
        await add_task(client, project, title="A", assignee_id=owner, due_on="2026-01-01", tags=["docs"])
        await add_task(client, project, title="B", assignee_id=viewer, due_on="2026-01-02")
        await add_task(client, project, title="C", assignee_id=viewer, tags=["docs", "code"])
        await add_task(client, project, title="D")
        people.query("UPDATE tasks SET status = 'in_progress' WHERE title IN ('B', 'D')")
        people.query("UPDATE tasks SET creator_id = %s WHERE title = 'A'", owner)
        cases: list[tuple[dict[str, str], str]] = [
            ({}, "DCBA"),
            ({"status": "in_progress"}, "DB"),
            ({"assignee": viewer}, "CB"),
            ({"creator": owner}, "A"),
            ({"tag": " Docs"}, "CA"),
            ({"tag": "none"}, ""),
            ({"due_before": "2026-01-02"}, "A"),
            ({"due_before": "2026-01-03"}, "BA"),
            ({"status": "todo", "assignee": viewer, "tag": "docs"}, "C"),
        ]
        statement_counts.clear()
        for parameters, expected in cases:
            assert await titles(client, project.tasks, project.viewer, **parameters) == expected
        # The user; the list, with the role.
        assert set(statement_counts) == {2}
        assert await paged(client, project.tasks, project.viewer) == "DCBA"
        assert await paged(client, project.tasks, project.viewer, tag="docs") == "CA"

    async def test_items_have_no_description(
        self, client: httpx2.AsyncClient, project: ProjectOfThree
    ) -> None:
        """A list of twenty is small."""
        task = await add_task(client, project, tags=["docs"])
        del task["description"]
        page = (await client.get(project.tasks, headers=project.viewer.headers)).json()
        assert page == {"items": [task], "next_cursor": None}

    async def test_unusable_parameter_is_refused(
        self, client: httpx2.AsyncClient, project: ProjectOfThree
    ) -> None:
        """Not ignored, and never a server error."""
        cases = [
            ({"status": "finished"}, (422, "VALIDATION_FAILED")),
            ({"assignee": "ada"}, (422, "VALIDATION_FAILED")),
            ({"tag": "a\0"}, (422, "VALIDATION_FAILED")),
            ({"due_before": "0"}, (422, "VALIDATION_FAILED")),
            ({"due": "2026-01-01"}, (422, "VALIDATION_FAILED")),
            ({"cursor": "x"}, (400, "INVALID_CURSOR")),
        ]
        for parameters, expected in cases:
            response = await client.get(project.tasks, params=parameters, headers=project.viewer.headers)
            assert problem(response) == expected
        response = await client.get("/tasks/mine", params={"cursor": "x"}, headers=project.viewer.headers)
        assert problem(response) == (400, "INVALID_CURSOR")


class TestListMyTasks:
    """GET /tasks/mine."""

    async def test_open_tasks_come_the_next_due_first(
        self,
        client: httpx2.AsyncClient,
        people: People,
        project: ProjectOfThree,
        statement_counts: list[int],
    ) -> None:
        """Of all projects; what is due never comes last, the oldest first, and no page loses any."""
        mine = {"assignee_id": str(project.viewer.id)}
        beta = add_project_of_three(people, "beta")
        people.query(
            "INSERT INTO project_members (project_id, user_id, role) VALUES (%s, %s, 'viewer')",
            beta.id,
            project.viewer.id,
        )
        dues = {
            "A": None,
            "B": "2026-02-01",
            "C": None,
            "D": "9999-12-30",
            "E": "2026-01-01",
            "F": "2026-02-01",
        }
        for title, due in dues.items():
            await add_task(client, beta if title == "E" else project, title=title, due_on=due, **mine)
        await add_task(client, project, title="X", assignee_id=str(project.owner.id), due_on="2026-01-01")
        statement_counts.clear()
        assert await titles(client, "/tasks/mine", project.viewer) == "EBFDAC"
        assert statement_counts == [2]
        assert await paged(client, "/tasks/mine", project.viewer) == "EBFDAC"

        people.query("UPDATE tasks SET status = 'in_review' WHERE title IN ('E', 'A')")
        people.query("UPDATE tasks SET status = 'done', completed_at = now() WHERE title IN ('C', 'F')")
        people.query("UPDATE tasks SET status = 'cancelled' WHERE title = 'D'")
        assert await titles(client, "/tasks/mine", project.viewer) == "EBA"
        for status, expected in {"todo": "B", "in_review": "EA", "done": "FC", "cancelled": "D"}.items():
            assert await paged(client, "/tasks/mine", project.viewer, status=status) == expected

        people.query("UPDATE projects SET archived_at = now() WHERE name = 'beta'")
        assert await paged(client, "/tasks/mine", project.viewer) == "BA"
        assert await paged(client, "/tasks/mine", project.viewer, status="in_review") == "A"


class TestCountTasks:
    """GET /projects/{project_id}/tasks/summary."""

    async def test_counts_every_status_of_one_project(
        self,
        client: httpx2.AsyncClient,
        people: People,
        project: ProjectOfThree,
        statement_counts: list[int],
    ) -> None:
        """Those that no task has are zero."""
        await add_task(client, add_project_of_three(people, "beta"))
        for title in "ABC":
            await add_task(client, project, title=title)
        people.query("UPDATE tasks SET status = 'done', completed_at = now() WHERE title = 'A'")
        statement_counts.clear()
        response = await client.get(f"{project.tasks}/summary", headers=project.viewer.headers)
        assert response.json() == {"todo": 2, "in_progress": 0, "in_review": 0, "done": 1, "cancelled": 0}
        # The user, the role, the count.
        assert statement_counts == [3]
