"""The tasks' routes; a domain of this size needs no service between."""

from __future__ import annotations

from uuid import UUID  # noqa: TC003  FastAPI resolves annotations at run time

from fastapi import status

from api.database.session import ReadSessionDep, WriteSessionDep  # noqa: TC001
from api.tasks.models import Task, TaskCreate, TaskRead, TaskUpdate
from api.tasks.repository import WITH_TAGS, tags_named, tasks
from api.web.openapi import problem_responses
from api.web.pagination import DEFAULT_LIMIT, Cursor, Limit, Page
from api.web.problems import NotFoundError
from api.web.routing import resource_router

router = resource_router("tasks", "/tasks")


@router.post("", status_code=status.HTTP_201_CREATED)
async def create_task(session: WriteSessionDep, new: TaskCreate) -> TaskRead:
    """Add a task; tags that nobody used yet are made."""
    task = Task.model_validate(new.model_dump(exclude={"tags"}))
    task.tags = await tags_named(session, new.tags)
    return _shown(await tasks.add(session, task))


@router.get("")
async def list_tasks(
    session: ReadSessionDep, cursor: Cursor = None, limit: Limit = DEFAULT_LIMIT
) -> Page[TaskRead]:
    """List tasks, the newest first."""
    rows, following = await tasks.page(session, cursor, limit)
    return Page(items=[_shown(row) for row in rows], next_cursor=following)


@router.patch("/{task_id}", responses=problem_responses(NotFoundError))
async def update_task(session: WriteSessionDep, task_id: UUID, sent: TaskUpdate) -> TaskRead:
    """Change the fields that were sent."""
    task = await tasks.get(session, task_id, options=WITH_TAGS)
    if task is None:
        raise NotFoundError("There is no such task.")
    task.sqlmodel_update(sent.model_dump(exclude_unset=True))
    await session.flush()
    return _shown(task)


def _shown(task: Task) -> TaskRead:
    return TaskRead.model_validate({**task.model_dump(), "tags": [tag.name for tag in task.tags]})
