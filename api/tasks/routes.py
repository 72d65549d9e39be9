"""The routes of tasks: those of a project below it, each by itself below `/tasks`."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID  # noqa: TC003  FastAPI resolves annotations at run time

from fastapi import Query, Response, status

from api.auth.current_user import CurrentUserDep  # noqa: TC001
from api.database.session import ReadSessionDep, WriteSessionDep  # noqa: TC001
from api.projects.service import ProjectArchivedError, ProjectNotFoundError, ProjectRoleRequiredError
from api.tasks import service
from api.tasks.models import TaskStatus
from api.tasks.schemas import (
    BulkStatusRead,
    BulkStatusUpdate,
    StatusCounts,
    StatusUpdate,
    TaskBulkCreate,
    TaskBulkCreated,
    TaskCreate,
    TaskQuery,
    TaskRead,
    TaskSummary,
    TaskUpdate,
)
from api.tasks.service import AssigneeNotAMemberError, TaskNotFoundError, TransitionNotAllowedError
from api.web.idempotency import IdempotencyKeyReusedError, OnceDep
from api.web.openapi import problem_responses
from api.web.pagination import DEFAULT_LIMIT, Cursor, InvalidCursorError, Limit, Page
from api.web.problems import UnauthorizedError
from api.web.routing import resource_router

router = resource_router("tasks")

_OF_PROJECT = "/projects/{project_id}/tasks"
_TASK = "/tasks/{task_id}"
_MEMBER = (UnauthorizedError, ProjectNotFoundError)
_EDITOR = (*_MEMBER, ProjectRoleRequiredError, ProjectArchivedError)
_TASK_EDITOR = (UnauthorizedError, TaskNotFoundError, ProjectRoleRequiredError, ProjectArchivedError)

_Status = Annotated[TaskStatus | None, Query(description="Only tasks so far; all open ones without.")]


@router.post(
    _OF_PROJECT,
    status_code=status.HTTP_201_CREATED,
    response_model=TaskRead,
    responses=problem_responses(*_EDITOR, AssigneeNotAMemberError, IdempotencyKeyReusedError),
)
async def create_task(
    viewer: CurrentUserDep, session: WriteSessionDep, once: OnceDep, project_id: UUID, new: TaskCreate
) -> Response:
    """Add a task to a project; once for each `Idempotency-Key`. For its editors."""
    return await once(viewer.id, lambda: service.create(session, viewer, project_id, new))


@router.post(
    f"{_OF_PROJECT}/bulk",
    status_code=status.HTTP_201_CREATED,
    response_model=TaskBulkCreated,
    responses=problem_responses(*_EDITOR, AssigneeNotAMemberError, IdempotencyKeyReusedError),
)
async def create_tasks(
    viewer: CurrentUserDep, session: WriteSessionDep, once: OnceDep, project_id: UUID, new: TaskBulkCreate
) -> Response:
    """Add up to 100 tasks to a project, all or none; once for each `Idempotency-Key`. For its editors."""
    return await once(viewer.id, lambda: service.create_many(session, viewer, project_id, new))


@router.get(_OF_PROJECT, responses=problem_responses(InvalidCursorError, *_MEMBER))
async def list_tasks(
    viewer: CurrentUserDep, session: ReadSessionDep, project_id: UUID, query: Annotated[TaskQuery, Query()]
) -> Page[TaskSummary]:
    """List the tasks of a project, the newest first. For its members."""
    return await service.of_project(session, viewer, project_id, query)


@router.get(f"{_OF_PROJECT}/summary", responses=problem_responses(*_MEMBER))
async def count_tasks(viewer: CurrentUserDep, session: ReadSessionDep, project_id: UUID) -> StatusCounts:
    """Count the tasks of a project by status. For its members."""
    return await service.summary(session, viewer, project_id)


@router.post(f"{_OF_PROJECT}/status", responses=problem_responses(*_EDITOR))
async def set_task_statuses(
    viewer: CurrentUserDep, session: WriteSessionDep, project_id: UUID, sent: BulkStatusUpdate
) -> BulkStatusRead:
    """Give up to 100 tasks of a project another status, those that may have it. For its editors.

    The answer says which tasks changed and why the others did not; repeating it is harmless.
    """
    return await service.set_statuses(session, viewer, project_id, sent)


@router.get("/tasks/mine", responses=problem_responses(InvalidCursorError, UnauthorizedError))
async def list_my_tasks(
    viewer: CurrentUserDep,
    session: ReadSessionDep,
    status: _Status = None,
    cursor: Cursor = None,
    limit: Limit = DEFAULT_LIMIT,
) -> Page[TaskSummary]:
    """List the tasks that are yours to do, the next due first, in all projects that are not archived."""
    return await service.mine(session, viewer, status, cursor, limit)


@router.get(_TASK, responses=problem_responses(UnauthorizedError, TaskNotFoundError))
async def read_task(viewer: CurrentUserDep, session: ReadSessionDep, task_id: UUID) -> TaskRead:
    """Return a task. For members of its project."""
    return await service.read(session, viewer, task_id)


@router.patch(_TASK, responses=problem_responses(*_TASK_EDITOR, AssigneeNotAMemberError))
async def update_task(
    viewer: CurrentUserDep, session: WriteSessionDep, task_id: UUID, sent: TaskUpdate
) -> TaskRead:
    """Change the fields that are sent. For editors of its project."""
    return await service.update(session, viewer, task_id, sent)


@router.put(f"{_TASK}/status", responses=problem_responses(*_TASK_EDITOR, TransitionNotAllowedError))
async def set_task_status(
    viewer: CurrentUserDep, session: WriteSessionDep, task_id: UUID, sent: StatusUpdate
) -> TaskRead:
    """Move a task on in the workflow; harmless when repeated. For editors of its project.

    `todo` → `in_progress` → `in_review` → `done`. Each of the first three may also go one step back or be
    `cancelled`; what is done may be reopened as `in_progress`, what is cancelled as `todo`.
    """
    return await service.set_status(session, viewer, task_id, sent.status)


@router.delete(_TASK, status_code=status.HTTP_204_NO_CONTENT, responses=problem_responses(*_TASK_EDITOR))
async def delete_task(viewer: CurrentUserDep, session: WriteSessionDep, task_id: UUID) -> None:
    """Delete a task, for good. For editors of its project."""
    await service.delete(session, viewer, task_id)
