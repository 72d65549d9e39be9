"""Writing tasks: one by one, many at once, and what their tables refuse."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from uuid import UUID, uuid4

import psycopg
import pytest

from api.tasks import repository
from tests.support.journeys import problem
from tests.support.projects import add_project_of_three, add_task
from tests.support.races import while_uncommitted

if TYPE_CHECKING:
    import httpx2

    from tests.support.people import People
    from tests.support.projects import ProjectOfThree

pytestmark = pytest.mark.asyncio


class TestCreateTask:
    """POST /projects/{project_id}/tasks."""

    async def test_new_task_is_to_do(self, client: httpx2.AsyncClient, project: ProjectOfThree) -> None:
        """With what was sent, and with defaults for the rest; it reads back alike."""
        sent = {
            "title": "Ship it",
            "description": "Soon.",
            "assignee_id": str(project.viewer.id),
            "due_on": "2026-12-24",
            "tags": ["release", "docs"],
        }
        task = await add_task(client, project, **sent)
        server = {name: task[name] for name in ("id", "created_at", "updated_at")}
        assert task == sent | server | {
            "tags": ["docs", "release"],
            "project_id": str(project.id),
            "creator_id": str(project.editor.id),
            "status": "todo",
            "completed_at": None,
        }
        response = await client.get(f"/tasks/{task['id']}", headers=project.viewer.headers)
        assert response.json() == task
        plain = await add_task(client, project)
        empty = {"description": "", "assignee_id": None, "due_on": None, "tags": []}
        assert {name: plain[name] for name in empty} == empty

    async def test_task_is_for_members_only(
        self, client: httpx2.AsyncClient, people: People, project: ProjectOfThree
    ) -> None:
        """Neither for one of another project, nor for one who was deleted or never existed."""
        other = add_project_of_three(people, "beta")
        await client.delete(f"/users/{project.viewer.id}", headers=project.viewer.headers)
        for assignee in (other.editor.id, project.viewer.id, uuid4()):
            body = {"title": "T", "assignee_id": str(assignee)}
            response = await client.post(project.tasks, json=body, headers=project.editor.headers)
            assert problem(response) == (422, "ASSIGNEE_NOT_A_MEMBER")
        assert people.query("SELECT count(*) FROM tasks") == [(0,)]

    async def test_request_sent_again_makes_one_task(
        self, client: httpx2.AsyncClient, people: People, project: ProjectOfThree
    ) -> None:
        """By its key; another request with the key is refused."""
        headers = project.editor.headers | {"Idempotency-Key": str(uuid4())}
        bodies = [{"title": "One"}, {"title": "One"}, {"title": "Two"}]
        first, again, other = [
            await client.post(project.tasks, json=body, headers=headers) for body in bodies
        ]
        assert (again.status_code, again.json()) == (201, first.json())
        assert problem(other) == (422, "IDEMPOTENCY_KEY_REUSED")
        assert people.query("SELECT count(*) FROM tasks") == [(1,)]


class TestCreateTasks:
    """POST /projects/{project_id}/tasks/bulk."""

    async def test_hundred_tasks_are_one_statement(
        self,
        client: httpx2.AsyncClient,
        people: People,
        project: ProjectOfThree,
        statement_counts: list[int],
    ) -> None:
        """Their ids come in the order of the request."""
        tasks: list[dict[str, Any]] = [{"title": f"T{number}"} for number in range(100)]
        tasks[7] |= {"assignee_id": str(project.viewer.id), "due_on": "2026-12-24", "description": "d"}
        response = await client.post(
            f"{project.tasks}/bulk", json={"tasks": tasks}, headers=project.editor.headers
        )
        assert response.status_code == 201
        titles = dict(people.query("SELECT id::text, title FROM tasks"))
        assert [titles[key] for key in response.json()["ids"]] == [task["title"] for task in tasks]
        # The user, BEGIN, the role, the assignees, the statement, COMMIT.
        assert statement_counts == [6]

    async def test_one_that_is_refused_takes_all_along(
        self, client: httpx2.AsyncClient, people: People, project: ProjectOfThree
    ) -> None:
        """All or none, and not more than 100."""
        path, headers = f"{project.tasks}/bulk", project.editor.headers
        tasks = [{"title": "T"}, {"title": "T", "assignee_id": str(uuid4())}]
        refused = await client.post(path, json={"tasks": tasks}, headers=headers)
        assert problem(refused) == (422, "ASSIGNEE_NOT_A_MEMBER")
        many = await client.post(path, json={"tasks": [{"title": "T"}] * 101}, headers=headers)
        assert problem(many) == (422, "VALIDATION_FAILED")
        assert people.query("SELECT count(*) FROM tasks") == [(0,)]


class TestUpdateTask:
    """PATCH /tasks/{task_id}."""

    async def test_only_what_is_sent_changes(
        self, client: httpx2.AsyncClient, project: ProjectOfThree
    ) -> None:
        """Null empties what may be empty; nothing sent changes nothing."""
        before = await add_task(client, project, due_on="2026-12-24", tags=["docs"])
        path, headers = f"/tasks/{before['id']}", project.editor.headers
        changes: list[dict[str, Any]] = [
            {"title": "Other"},
            {"description": "More."},
            {"assignee_id": str(project.owner.id)},
            {"assignee_id": None},
            {"due_on": None},
            {"tags": ["a", "b"]},
            {"tags": []},
        ]
        for sent in changes:
            after = (await client.patch(path, json=sent, headers=headers)).json()
            assert after == before | sent | {"updated_at": after["updated_at"]}
            assert after["updated_at"] > before["updated_at"]
            before = after
        assert (await client.patch(path, json={}, headers=headers)).json() == before

    async def test_unacceptable_change_is_refused(
        self, client: httpx2.AsyncClient, project: ProjectOfThree
    ) -> None:
        """The status has a route of its own, with a workflow."""
        task = await add_task(client, project)
        await client.delete(f"/users/{project.viewer.id}", headers=project.viewer.headers)
        cases = [
            ({"status": "done"}, "VALIDATION_FAILED"),
            ({"title": None}, "VALIDATION_FAILED"),
            ({"assignee_id": str(uuid4())}, "ASSIGNEE_NOT_A_MEMBER"),
            ({"assignee_id": str(project.viewer.id)}, "ASSIGNEE_NOT_A_MEMBER"),
        ]
        for sent, code in cases:
            response = await client.patch(f"/tasks/{task['id']}", json=sent, headers=project.editor.headers)
            assert problem(response) == (422, code)


class TestUpdateOfDeletedTask:
    """PATCH /tasks/{task_id}, while it is deleted."""

    async def test_task_that_is_being_deleted_is_not_found(
        self, client: httpx2.AsyncClient, people: People, project: ProjectOfThree
    ) -> None:
        """Whoever waits for the deletion sees what came of it, and ties no tags to nothing."""
        key = UUID((await add_task(client, project))["id"])
        response = await while_uncommitted(
            lambda session: repository.delete_task(session, key),
            client.patch(f"/tasks/{key}", json={"tags": ["docs"]}, headers=project.editor.headers),
            people,
        )
        assert problem(response) == (404, "TASK_NOT_FOUND")


class TestTables:
    """What no code can get past."""

    async def test_who_leaves_the_project_leaves_their_tasks(
        self, client: httpx2.AsyncClient, people: People, project: ProjectOfThree
    ) -> None:
        """To nobody: the tasks stay. Those of a deleted project go, and their tags' ties with them."""
        task = await add_task(client, project, assignee_id=str(project.viewer.id), tags=["docs"])
        people.query("DELETE FROM project_members WHERE user_id = %s", project.viewer.id)
        after = (await client.get(f"/tasks/{task['id']}", headers=project.editor.headers)).json()
        assert after == task | {"assignee_id": None, "updated_at": after["updated_at"]}
        people.query("DELETE FROM projects")
        assert people.query("SELECT (SELECT count(*) FROM tasks), (SELECT count(*) FROM task_tags)") == [
            (0, 0)
        ]

    async def test_impossible_states_are_refused(
        self, client: httpx2.AsyncClient, people: People, project: ProjectOfThree
    ) -> None:
        """By constraints with names."""
        await add_task(client, project)
        for statement, constraint in (
            ("UPDATE tasks SET status = 'hidden'", "ck_tasks_status"),
            ("UPDATE tasks SET status = 'done'", "ck_tasks_completed_at"),
            ("UPDATE tasks SET completed_at = now()", "ck_tasks_completed_at"),
            ("DELETE FROM users WHERE username = 'alpha-editor'", "fk_tasks_creator_id_users"),
        ):
            with pytest.raises(psycopg.IntegrityError) as caught:
                people.query(statement)
            assert caught.value.diag.constraint_name == constraint
