"""The tables of tasks and of their tags."""

from __future__ import annotations

from datetime import date, datetime  # noqa: TC003  SQLAlchemy resolves annotations at run time
from enum import StrEnum
from typing import Final
from uuid import UUID  # noqa: TC003

from sqlalchemy import CheckConstraint, Column, ForeignKey, ForeignKeyConstraint, Index, Table, Text, text
from sqlalchemy.orm import Mapped, mapped_column

from api.database.base import Base, Timestamps, UuidKey

#: A task is neither done nor cancelled. Without parameters, so that the planner sees that a query fits the
#: index.
OPEN: Final = "status NOT IN ('done', 'cancelled')"
#: When a task is due, as an order needs it: never null. Written as PostgreSQL prints it.
DUE: Final = "COALESCE(due_on, 'infinity'::date)"

#: The names by which refused values are told apart.
UNKNOWN_PROJECT: Final = "fk_tasks_project_id_projects"
UNKNOWN_ASSIGNEE: Final = "fk_tasks_project_id_assignee_id_project_members"


class TaskStatus(StrEnum):
    """How far a task is."""

    TODO = "todo"
    IN_PROGRESS = "in_progress"
    IN_REVIEW = "in_review"
    DONE = "done"
    CANCELLED = "cancelled"


# A tie means nothing without either side, so it goes with whichever is deleted first.
task_tags = Table(
    "task_tags",
    Base.metadata,
    Column("task_id", ForeignKey("tasks.id", ondelete="CASCADE"), primary_key=True),
    Column("tag_id", ForeignKey("tags.id", ondelete="CASCADE"), primary_key=True),
    # The other direction: the tasks of a tag.
    Index("ix_task_tags_tag_id_task_id", "tag_id", "task_id"),
)


class Task(UuidKey, Timestamps, Base):
    """Something to do in a project.

    It goes with its project. Only members have tasks: who leaves the project leaves their tasks to nobody,
    which the foreign key to the membership sees to (PostgreSQL 15 or later). Who made a task is not
    forgotten: users with tasks of their making cannot be deleted for good.
    """

    __tablename__ = "tasks"

    project_id: Mapped[UUID] = mapped_column(
        ForeignKey("projects.id", name=UNKNOWN_PROJECT, ondelete="CASCADE")
    )
    title: Mapped[str] = mapped_column(Text)
    description: Mapped[str] = mapped_column(Text)
    status: Mapped[str] = mapped_column(Text, server_default=TaskStatus.TODO)
    assignee_id: Mapped[UUID | None]
    creator_id: Mapped[UUID] = mapped_column(ForeignKey("users.id", ondelete="RESTRICT"))
    due_on: Mapped[date | None]
    completed_at: Mapped[datetime | None]

    __table_args__ = (
        CheckConstraint("status IN ('todo', 'in_progress', 'in_review', 'done', 'cancelled')", name="status"),
        CheckConstraint("(status = 'done') = (completed_at IS NOT NULL)", name="completed_at"),
        ForeignKeyConstraint(
            ["project_id", "assignee_id"],
            ["project_members.project_id", "project_members.user_id"],
            name=UNKNOWN_ASSIGNEE,
            ondelete="SET NULL (assignee_id)",
        ),
        # The tasks of a project, the newest first; and of one status, which are also counted here.
        Index("ix_tasks_project_id_id", "project_id", "id"),
        Index("ix_tasks_project_id_status_id", "project_id", "status", "id"),
        # Somebody's tasks, the next due first: all open ones, or those of one status.
        Index("ix_tasks_open", "assignee_id", text(DUE), "id", postgresql_where=text(OPEN)),
        Index("ix_tasks_assignee_id_status", "assignee_id", "status", text(DUE), "id"),
        Index("ix_tasks_creator_id_project_id", "creator_id", "project_id", "id"),
    )
