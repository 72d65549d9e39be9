"""The rules about tasks: who sees and changes them, and how their status may change.

A project's members see its tasks, its editors write them unless it is archived; for everyone else they do
not exist.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

from api.database.errors import ForeignKeyViolationError
from api.projects.models import ProjectRole
from api.projects.repository import projects
from api.projects.service import ProjectNotFoundError, checked, require_editor, require_role
from api.tags.repository import set_tags
from api.tasks import repository
from api.tasks.models import UNKNOWN_ASSIGNEE, UNKNOWN_PROJECT, TaskStatus, task_tags
from api.tasks.schemas import (
    BulkStatusRead,
    StatusCounts,
    StatusRefusal,
    TaskBulkCreated,
    TaskRead,
    TaskSummary,
)
from api.tasks.workflow import TRANSITIONS, sources
from api.web.pagination import Page
from api.web.problems import ConflictError, NotFoundError, UnprocessableError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from uuid import UUID

    from api.auth.current_user import CurrentUser
    from api.database.session import ReadSession, WriteSession
    from api.tasks.schemas import BulkStatusUpdate, TaskBulkCreate, TaskCreate, TaskQuery, TaskUpdate

_NO_MEMBER: Final = "The assignee is no member of the project."


class TaskNotFoundError(NotFoundError):
    """No task has this id, or it is not the viewer's to see."""

    code = "TASK_NOT_FOUND"

    def __init__(self) -> None:
        """Say the same in both cases."""
        super().__init__("There is no such task.")


class TransitionNotAllowedError(ConflictError):
    """The workflow has no way from the status that the task has to the one asked for."""

    code = "TASK_TRANSITION_NOT_ALLOWED"

    def __init__(self, before: TaskStatus, after: TaskStatus) -> None:
        """Name both, and what the task may become."""
        allowed = TRANSITIONS[before]
        names = " or ".join(f"`{status}`" for status in allowed)
        detail = f"A task that is `{before}` cannot become `{after}`, only {names}."
        members: dict[str, Any] = {"from": before, "to": after, "allowed": allowed}
        super().__init__(detail, **members)


class AssigneeNotAMemberError(UnprocessableError):
    """Only members of the project can have its tasks."""

    code = "ASSIGNEE_NOT_A_MEMBER"


async def create(session: WriteSession, viewer: CurrentUser, project: UUID, new: TaskCreate) -> TaskRead:
    """Add a task to a project, for its editors.

    Raises:
        ProjectNotFoundError: There is none that the viewer may see.
        ProjectRoleRequiredError: The viewer is no editor of it.
        ProjectArchivedError: It is archived.
        AssigneeNotAMemberError: The assignee is no member of it.
    """
    values = new.model_dump(exclude={"tags"})
    [key] = await _add(session, viewer, project, [values])
    if new.tags:
        await set_tags(session, task_tags, key, new.tags)
    return await _read_back(session, key)


async def create_many(
    session: WriteSession, viewer: CurrentUser, project: UUID, new: TaskBulkCreate
) -> TaskBulkCreated:
    """Add many tasks to a project, all or none, for its editors.

    Raises:
        ProjectNotFoundError: There is none that the viewer may see.
        ProjectRoleRequiredError: The viewer is no editor of it.
        ProjectArchivedError: It is archived.
        AssigneeNotAMemberError: An assignee is no member of it.
    """
    tasks = [task.model_dump() for task in new.tasks]
    return TaskBulkCreated(ids=await _add(session, viewer, project, tasks))


async def of_project(
    session: ReadSession, viewer: CurrentUser, project: UUID, query: TaskQuery
) -> Page[TaskSummary]:
    """Return a page of a project's tasks, the newest first, for its members.

    Raises:
        ProjectNotFoundError: There is none that the viewer may see.
    """
    found, tasks = await repository.of_project(session, project, viewer.id, query)
    checked(found, viewer, ProjectRole.VIEWER)
    return _page(tasks)


async def mine(
    session: ReadSession, viewer: CurrentUser, status: TaskStatus | None, cursor: str | None, limit: int
) -> Page[TaskSummary]:
    """Return a page of one's own tasks in projects that are not archived, the next due first."""
    return _page(await repository.of_assignee(session, viewer.id, status, cursor, limit))


async def summary(session: ReadSession, viewer: CurrentUser, project: UUID) -> StatusCounts:
    """Count a project's tasks by status, for its members.

    Raises:
        ProjectNotFoundError: There is none that the viewer may see.
    """
    await require_role(session, viewer, project, ProjectRole.VIEWER)
    return StatusCounts(**await repository.count_by_status(session, project))


async def read(session: ReadSession, viewer: CurrentUser, key: UUID) -> TaskRead:
    """Return a task.

    Raises:
        TaskNotFoundError: There is none that the viewer may see.
    """
    return TaskRead.model_validate(await _task(session, viewer, key))


async def update(session: WriteSession, viewer: CurrentUser, key: UUID, sent: TaskUpdate) -> TaskRead:
    """Change the fields that were sent.

    Raises:
        TaskNotFoundError: There is none that the viewer may see.
        ProjectRoleRequiredError: The viewer is no editor of its project.
        ProjectArchivedError: Its project is archived.
        AssigneeNotAMemberError: The new assignee is no member of it.
    """
    task = await _task(session, viewer, key, to_write=True)
    changes, tags = sent.changes(), sent.new_tags()
    await _require_members(session, task.project_id, [changes])
    if changes or tags is not None:
        with _refusals_named():
            changed = await repository.change(session, key, changes)
        if not changed:  # deleted by somebody else since it was looked up
            raise TaskNotFoundError
    if tags is not None:
        await set_tags(session, task_tags, key, tags)
    return await _read_back(session, key)


async def set_status(session: WriteSession, viewer: CurrentUser, key: UUID, status: TaskStatus) -> TaskRead:
    """Move a task on; one that has the status already stays as it is.

    Raises:
        TaskNotFoundError: There is none that the viewer may see.
        ProjectRoleRequiredError: The viewer is no editor of its project.
        ProjectArchivedError: Its project is archived.
        TransitionNotAllowedError: The workflow has no such way, perhaps since somebody else moved it.
    """
    task = await _task(session, viewer, key, to_write=True)
    found = await repository.move(session, task.project_id, [key], status, sources(status))
    _check(found.get(key), status)
    return await _read_back(session, key)


async def set_statuses(
    session: WriteSession, viewer: CurrentUser, project: UUID, sent: BulkStatusUpdate
) -> BulkStatusRead:
    """Move many tasks on, those that may; say which and why not the others.

    Raises:
        ProjectNotFoundError: There is none that the viewer may see.
        ProjectRoleRequiredError: The viewer is no editor of it.
        ProjectArchivedError: It is archived.
    """
    await require_editor(session, viewer, project)
    keys = list(dict.fromkeys(sent.ids))
    found = await repository.move(session, project, keys, sent.status, sources(sent.status))
    done = BulkStatusRead(changed=[], unchanged=[], refused=[])
    for key in keys:
        before = found.get(key)
        try:
            _check(before, sent.status)
        except (TaskNotFoundError, TransitionNotAllowedError) as error:
            done.refused.append(StatusRefusal(id=key, code=error.code, detail=error.detail))
        else:
            (done.unchanged if before is sent.status else done.changed).append(key)
    return done


async def delete(session: WriteSession, viewer: CurrentUser, key: UUID) -> None:
    """Delete a task, for good.

    Raises:
        TaskNotFoundError: There is none that the viewer may see.
        ProjectRoleRequiredError: The viewer is no editor of its project.
        ProjectArchivedError: Its project is archived.
    """
    await _task(session, viewer, key, to_write=True)
    await repository.delete_task(session, key)


async def _task(
    session: ReadSession, viewer: CurrentUser, key: UUID, *, to_write: bool = False
) -> repository.TaskRow:
    task = await repository.find(session, key)
    if task is None:
        raise TaskNotFoundError
    try:
        if to_write:
            await require_editor(session, viewer, task.project_id)
        else:
            await require_role(session, viewer, task.project_id, ProjectRole.VIEWER)
    except ProjectNotFoundError:
        # Not the project's error: that there is such a task is not the viewer's to know.
        raise TaskNotFoundError from None
    return task


async def _add(
    session: WriteSession, viewer: CurrentUser, project: UUID, tasks: list[dict[str, Any]]
) -> list[UUID]:
    await require_editor(session, viewer, project)
    await _require_members(session, project, tasks)
    with _refusals_named():
        return await repository.add(
            session, [{"project_id": project, "creator_id": viewer.id, **task} for task in tasks]
        )


async def _require_members(session: WriteSession, project: UUID, tasks: list[dict[str, Any]]) -> None:
    """Refuse assignees who are deleted: their memberships, which the foreign key finds, are still there."""
    assignees = {task["assignee_id"] for task in tasks if task.get("assignee_id")}
    if assignees and await projects.members(session, project, assignees) != assignees:
        raise AssigneeNotAMemberError(_NO_MEMBER)


async def _read_back(session: WriteSession, key: UUID) -> TaskRead:
    """Return what was written, tags and the server's timestamps included."""
    task = await repository.find(session, key)
    if task is None:  # deleted by somebody else between two statements of ours
        raise TaskNotFoundError
    return TaskRead.model_validate(task)


def _check(before: TaskStatus | None, after: TaskStatus) -> None:
    """Raise the error that says why a task could not be moved from one status to another."""
    if before is None:
        raise TaskNotFoundError
    if after is not before and after not in TRANSITIONS[before]:
        raise TransitionNotAllowedError(before, after)


@contextmanager
def _refusals_named() -> Iterator[None]:
    """Turn a violated foreign key into the error that says what is missing."""
    try:
        yield
    except ForeignKeyViolationError as error:
        if error.constraint == UNKNOWN_ASSIGNEE:
            raise AssigneeNotAMemberError(_NO_MEMBER) from error
        if error.constraint == UNKNOWN_PROJECT:  # deleted by somebody else since it was looked up
            raise ProjectNotFoundError from error
        raise


def _page(found: repository.Rows) -> Page[TaskSummary]:
    rows, next_cursor = found
    return Page(items=[TaskSummary.model_validate(row) for row in rows], next_cursor=next_cursor)
