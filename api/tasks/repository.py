"""Statements about tasks; every read is one statement, tags included."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import Date, Row, Select, delete, func, insert, literal_column, select, text, true, update

from api.database.base import uuid7
from api.projects.models import Project
from api.projects.repository import access_to
from api.tags.repository import has_tags, tag_names
from api.tasks.models import DUE, OPEN, Task, TaskStatus, task_tags
from api.web.pagination import cut, keyset

if TYPE_CHECKING:
    from collections.abc import Sequence
    from uuid import UUID

    from api.database.session import ReadSession, WriteSession
    from api.projects.repository import Access
    from api.tasks.schemas import TaskQuery

# Reads name the tables' columns: of rows that are no objects, the ORM's part costs a tenth of the statement.
_TASK = Task.__table__.c

_SUMMARY = (
    _TASK.id,
    _TASK.project_id,
    _TASK.title,
    _TASK.status,
    _TASK.assignee_id,
    _TASK.creator_id,
    _TASK.due_on,
    tag_names(task_tags, _TASK.id),
    _TASK.completed_at,
    _TASK.created_at,
    _TASK.updated_at,
)
_NEWEST = (_TASK.id,)
#: What is due never is due after everything else.
_DUE: Final = literal_column(DUE, Date).label("due")
_NEXT_DUE = (_DUE, _TASK.id)

# Asked of each row that the list comes by in its own order: a join would begin with all projects. In a
# subquery the comparison, and not around it, which PostgreSQL takes to be true of one row in two hundred.
_GOES_ON: Final = (
    select(Project.archived_at.is_(None))
    .where(Project.id == _TASK.project_id)
    .correlate(Task.__table__)
    .scalar_subquery()
)

TaskRow = Row[*tuple[Any, ...]]
Statement = Select[*tuple[Any, ...]]
Rows = tuple[list[TaskRow], str | None]


async def find(session: ReadSession, key: UUID) -> TaskRow | None:
    """Return a task, with its description and tags."""
    statement = select(*_SUMMARY, _TASK.description).where(_TASK.id == key)
    return (await session.execute(statement)).one_or_none()


async def of_project(
    session: ReadSession, project: UUID, viewer: UUID, query: TaskQuery
) -> tuple[Access | None, Rows]:
    """Return how a viewer finds a project, and a page of its tasks, the newest first; one statement."""
    statement: Statement = select(*_SUMMARY).where(_TASK.project_id == project)
    if query.status is not None:
        statement = statement.where(_TASK.status == query.status)
    if query.assignee is not None:
        statement = statement.where(_TASK.assignee_id == query.assignee)
    if query.creator is not None:
        statement = statement.where(_TASK.creator_id == query.creator)
    if query.due_before is not None:
        statement = statement.where(_TASK.due_on < query.due_before)
    if query.tag is not None:
        statement = statement.where(has_tags(task_tags, _TASK.id, [query.tag]))
    page = keyset(statement, _NEWEST, query.cursor, query.limit, descending=True).subquery("page")
    access = access_to(project, viewer).subquery("access")
    # One row at least where there is such a project, without a task if the page has none.
    joined = select(*access.c, *page.c).select_from(access.outerjoin(page, true()))
    rows = (await session.execute(joined.order_by(page.c.id.desc()))).all()
    tasks = [row for row in rows if row.id is not None]
    return rows[0] if rows else None, cut(tasks, _NEWEST, query.limit)


async def of_assignee(
    session: ReadSession, assignee: UUID, status: TaskStatus | None, cursor: str | None, limit: int
) -> Rows:
    """Return a page of somebody's tasks of one status, or of all that are open, the next due first.

    Those of archived projects are left out.
    """
    statement: Statement = select(*_SUMMARY, _DUE).where(_TASK.assignee_id == assignee, _GOES_ON)
    statement = statement.where(text(OPEN) if status is None else _TASK.status == status)
    rows = (await session.execute(keyset(statement, _NEXT_DUE, cursor, limit))).all()
    return cut(rows, _NEXT_DUE, limit)


async def count_by_status(session: ReadSession, project: UUID) -> dict[str, int]:
    """Return how many tasks of a project have each status; those that none has are left out."""
    statement = select(_TASK.status, func.count()).where(_TASK.project_id == project).group_by(_TASK.status)
    return dict(iter(await session.execute(statement)))


async def add(session: WriteSession, tasks: Sequence[dict[str, Any]]) -> list[UUID]:
    """Insert tasks in one statement and return their keys, in the same order.

    Raises:
        ConstraintViolationError: A constraint refused one of them.
    """
    rows = [{"id": uuid7(), **task} for task in tasks]
    statement = insert(Task).returning(Task.id, sort_by_parameter_order=True)
    # With its nulls: left out, they would make rows of several kinds, and each kind a statement.
    return list(await session.scalars(statement, rows, execution_options={"render_nulls": True}))


async def change(session: WriteSession, key: UUID, changes: dict[str, Any]) -> bool:
    """Change some columns; with none, only `updated_at`, which the server sets. Return whether it is there.

    Raises:
        ConstraintViolationError: A constraint refused the change.
    """
    values = changes or {"updated_at": func.now()}
    statement = update(Task).where(Task.id == key).values(values).returning(Task.id)
    return await session.scalar(statement) is not None


async def move(
    session: WriteSession,
    project: UUID,
    keys: Sequence[UUID],
    status: TaskStatus,
    sources: Sequence[TaskStatus],
) -> dict[UUID, TaskStatus]:
    """Change the status of those tasks of a project whose own is among `sources`.

    Returns:
        The status that each of the tasks had; those that are not in the project are left out.
    """
    # Locked, and so read as they are now; by key, so that two requests wait for each other in one order.
    found = (
        select(_TASK.id, _TASK.status)
        .where(_TASK.project_id == project, _TASK.id.in_(keys))
        .order_by(_TASK.id)
        .with_for_update()
        .cte("found")
    )
    changed = (
        update(Task)
        .where(Task.id == found.c.id, found.c.status.in_(sources))
        .values(status=status, completed_at=func.now() if status is TaskStatus.DONE else None)
        .cte("changed")
    )
    # What changes data in WITH runs to its end whether or not it is read.
    rows = await session.execute(select(found.c.id, found.c.status).add_cte(changed))
    return {key: TaskStatus(before) for key, before in rows}


async def delete_task(session: WriteSession, key: UUID) -> None:
    """Delete a task and what ties it to its tags."""
    await session.execute(delete(Task).where(Task.id == key))
