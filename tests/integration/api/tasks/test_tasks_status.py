"""Moving tasks through the workflow: one, many, and the same ones at once."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest

from api.tasks.models import TaskStatus
from api.tasks.workflow import TRANSITIONS
from tests.support.journeys import problem
from tests.support.projects import add_project_of_three, add_task

if TYPE_CHECKING:
    import httpx2

    from tests.support.people import People
    from tests.support.projects import ProjectOfThree

pytestmark = pytest.mark.asyncio


async def move(
    client: httpx2.AsyncClient, project: ProjectOfThree, task: dict[str, Any], status: str
) -> httpx2.Response:
    path = f"/tasks/{task['id']}/status"
    return await client.put(path, json={"status": status}, headers=project.editor.headers)


async def move_many(
    client: httpx2.AsyncClient, project: ProjectOfThree, ids: list[str], status: str
) -> dict[str, Any]:
    response = await client.post(
        f"{project.tasks}/status", json={"ids": ids, "status": status}, headers=project.editor.headers
    )
    assert response.status_code == 200, response.text
    answer: dict[str, Any] = response.json()
    return answer


def put_into(people: People, status: str) -> None:
    """Give all tasks a status, past the workflow."""
    people.query(
        "UPDATE tasks SET status = %s, completed_at = CASE WHEN %s = 'done' THEN now() END", status, status
    )


class TestSetTaskStatus:
    """PUT /tasks/{task_id}/status."""

    async def test_every_transition_answers_as_the_workflow_says(
        self, client: httpx2.AsyncClient, people: People, project: ProjectOfThree
    ) -> None:
        """A refusal names from, to and what is allowed; to what it is already, a task may always go."""
        task = await add_task(client, project)
        for before, allowed in TRANSITIONS.items():
            for after in TaskStatus:
                put_into(people, before)
                response = await move(client, project, task, after)
                if after == before or after in allowed:
                    moved = response.json()
                    assert (response.status_code, moved["status"]) == (200, after)
                    assert (moved["completed_at"] is not None) == (after == "done")
                else:
                    assert problem(response) == (409, "TASK_TRANSITION_NOT_ALLOWED")
                    said = {name: response.json()[name] for name in ("from", "to", "allowed")}
                    assert said == {"from": before, "to": after, "allowed": list(allowed)}
                    assert people.query("SELECT status FROM tasks") == [(before,)]

    async def test_repeating_it_changes_nothing(
        self, client: httpx2.AsyncClient, people: People, project: ProjectOfThree
    ) -> None:
        """Not even the moment when it was done."""
        task = await add_task(client, project)
        put_into(people, "in_review")
        done = (await move(client, project, task, "done")).json()
        assert (await move(client, project, task, "done")).json() == done

    async def test_of_two_at_once_one_wins(
        self, client: httpx2.AsyncClient, people: People, project: ProjectOfThree
    ) -> None:
        """The other sees what the first made of the task, not what it was: no update is lost."""
        task = await add_task(client, project)
        for _ in range(5):
            put_into(people, "in_review")
            done, cancelled = await asyncio.gather(
                move(client, project, task, "done"), move(client, project, task, "cancelled")
            )
            winner, loser = (done, cancelled) if done.is_success else (cancelled, done)
            assert problem(loser) == (409, "TASK_TRANSITION_NOT_ALLOWED")
            assert loser.json()["from"] == winner.json()["status"]
            assert people.query("SELECT status FROM tasks") == [(winner.json()["status"],)]


class TestSetTaskStatuses:
    """POST /projects/{project_id}/tasks/status."""

    async def test_answer_says_what_became_of_each(
        self,
        client: httpx2.AsyncClient,
        people: People,
        project: ProjectOfThree,
        statement_counts: list[int],
    ) -> None:
        """Those that may change do; of the others, in the request's order, why not."""
        foreign = await add_task(client, add_project_of_three(people, "beta"))
        tasks = {status: await add_task(client, project) for status in ("in_review", "done", "todo")}
        for status, task in tasks.items():
            people.query(
                "UPDATE tasks SET status = %s, completed_at = CASE WHEN %s = 'done' THEN now() END "
                "WHERE id = %s",
                status,
                status,
                task["id"],
            )
        review, done, todo = (task["id"] for task in tasks.values())
        unknown = str(uuid4())
        statement_counts.clear()
        answer = await move_many(
            client, project, [unknown, todo, review, foreign["id"], done, review], "done"
        )
        assert (answer["changed"], answer["unchanged"]) == ([review], [done])
        assert [(refusal["id"], refusal["code"]) for refusal in answer["refused"]] == [
            (unknown, "TASK_NOT_FOUND"),
            (todo, "TASK_TRANSITION_NOT_ALLOWED"),
            (foreign["id"], "TASK_NOT_FOUND"),
        ]
        # The user, BEGIN, the role, the statement, COMMIT.
        assert statement_counts == [5]
        found = dict(people.query("SELECT id::text, status FROM tasks WHERE completed_at IS NOT NULL"))
        assert found == {review: "done", done: "done"}
        again = await move_many(client, project, [review, done], "done")
        assert again == {"changed": [], "unchanged": [review, done], "refused": []}

    async def test_changes_of_the_same_tasks_at_once_never_deadlock(
        self, client: httpx2.AsyncClient, people: People, project: ProjectOfThree
    ) -> None:
        """In whatever order the ids are sent; each task is changed by exactly one of them."""
        tasks = [{"title": "T"}] * 60
        made = await client.post(
            f"{project.tasks}/bulk", json={"tasks": tasks}, headers=project.editor.headers
        )
        ids: list[str] = made.json()["ids"]
        answers = await asyncio.gather(
            *(
                move_many(client, project, order, "in_progress")
                for order in (ids, ids[::-1], ids[30:] + ids[:30], ids[::2] + ids[1::2])
            )
        )
        changed = [key for answer in answers for key in answer["changed"]]
        assert sorted(changed) == sorted(ids)
        assert all(len(answer["changed"]) + len(answer["unchanged"]) == 60 for answer in answers)

    async def test_unusable_request_is_refused(
        self, client: httpx2.AsyncClient, project: ProjectOfThree
    ) -> None:
        """More than 100 ids, none, and a status that is none."""
        bodies: list[dict[str, Any]] = [
            {"ids": [str(uuid4()) for _ in range(101)], "status": "done"},
            {"ids": [], "status": "done"},
            {"ids": [str(uuid4())], "status": "finished"},
            {"ids": ["1"], "status": "done"},
        ]
        for body in bodies:
            response = await client.post(f"{project.tasks}/status", json=body, headers=project.editor.headers)
            assert problem(response) == (422, "VALIDATION_FAILED")
