"""Tasks with row-level security: what a forgotten condition shows, and that everything still works."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from sqlalchemy import delete, insert, select, update

from api.database.base import uuid7
from api.database.session import read
from api.tasks.models import Task, task_tags
from tests.integration.api.tasks import test_tasks_permissions, test_tasks_routes
from tests.support.projects import add_project_of_three, add_task
from tests.support.row_level_security import attempt, claim_as, switch_on

if TYPE_CHECKING:
    import httpx2

    from tests.support.people import People, Person
    from tests.support.projects import ProjectOfThree

pytestmark = [pytest.mark.asyncio, pytest.mark.usefixtures("row_level_security")]


@pytest.fixture
def row_level_security(people: People, monkeypatch: pytest.MonkeyPatch) -> None:
    """Switched on for tasks."""
    switch_on(people, monkeypatch, "tasks", "task_tags")


async def counts(person: Person | None, role: str = "user") -> tuple[int, int]:
    """Return how many tasks and tags of tasks somebody sees where every condition was forgotten."""
    async with read() as session:
        await claim_as(session, person, role)
        tasks, tags = [(await session.execute(select(each))).all() for each in (Task.id, task_tags)]
    return len(tasks), len(tags)


class TestForgottenConditions:
    """Statements without a WHERE, through the application's own session."""

    async def test_select_shows_tasks_of_own_projects_only(
        self, client: httpx2.AsyncClient, people: People, project: ProjectOfThree
    ) -> None:
        """With their tags; admins see all."""
        other = add_project_of_three(people, "beta")
        for each in (project, other):
            await add_task(client, each, tags=["urgent"])
        for person in (project.owner, project.editor, project.viewer, other.viewer):
            assert await counts(person) == (1, 1)
        assert await counts(None) == (0, 0)
        assert await counts(people.add("stranger")) == (0, 0)
        assert await counts(people.add("chief"), "admin") == (2, 2)

    async def test_viewers_and_strangers_write_nothing(
        self, client: httpx2.AsyncClient, people: People, project: ProjectOfThree
    ) -> None:
        """An UPDATE without a WHERE is the tasks that one edits."""
        task = await add_task(client, project, tags=["urgent"])
        change, erase = update(Task).values(title="defaced"), delete(Task)
        new = {"id": uuid7(), "project_id": task["project_id"], "title": "x", "description": ""}
        for person in (project.viewer, add_project_of_three(people, "beta").owner, None):
            assert await attempt(person, change) == 0
            assert await attempt(person, erase) == 0
            assert await attempt(person, delete(task_tags)) == 0
            own = new | {"creator_id": (person or project.owner).id}
            assert await attempt(person, insert(Task).values(own)) is None
        # Nor in somebody else's name.
        forged = new | {"creator_id": project.owner.id}
        assert await attempt(project.editor, insert(Task).values(forged)) is None
        assert await attempt(project.editor, change) == 1


class TestPermissions(test_tasks_permissions.TestPermissions):
    """The whole matrix again: the policies refuse nothing that the rules allow."""


class TestUpdateTask(test_tasks_routes.TestUpdateTask):
    """Changing again."""
