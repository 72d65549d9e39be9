"""Tasks and tags: the tables, and what clients send and get."""

from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from pydantic import AwareDatetime
from sqlalchemy import CheckConstraint, Index, Text, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlmodel import Field, Relationship, SQLModel

from api.tables import Timestamps, UuidKey


class State(StrEnum):
    """How far a task is."""

    OPEN = "open"
    DONE = "done"


class TaskTag(SQLModel, table=True):
    """Ties a task to a tag; goes with either."""

    __tablename__ = "task_tags"

    task_id: UUID = Field(foreign_key="tasks.id", ondelete="CASCADE", primary_key=True)
    tag_id: UUID = Field(foreign_key="tags.id", ondelete="CASCADE", primary_key=True, index=True)


class Tag(UuidKey, table=True):
    """A word to find tasks by."""

    __tablename__ = "tags"

    name: str = Field(max_length=50, unique=True)


class TaskBase(SQLModel):
    """What a task is to everybody."""

    title: str = Field(min_length=1, max_length=200)
    details: dict[str, Any] = Field(
        default_factory=dict, sa_type=JSONB, sa_column_kwargs={"server_default": text("'{}'::jsonb")}
    )
    # Aware: SQLModel refuses a time without an offset when it is sent to the database, too late for a 422.
    due: AwareDatetime | None = None


class Task(TaskBase, UuidKey, Timestamps, table=True):
    """Something to do."""

    __tablename__ = "tasks"
    __table_args__ = (
        CheckConstraint("state IN ('open', 'done')", name="state"),
        Index("ix_tasks_created_at_id", "created_at", "id"),
    )

    # Text with a CHECK: of an Enum, SQLModel would make a type that asyncpg looks up on every connection.
    state: State = Field(default=State.OPEN, sa_type=Text, sa_column_kwargs={"server_default": State.OPEN})
    tags: list[Tag] = Relationship(link_model=TaskTag, sa_relationship_kwargs={"lazy": "raise"})


class TaskCreate(TaskBase):
    """A new task."""

    model_config = {"extra": "forbid"}
    tags: list[str] = []


class TaskUpdate(SQLModel):
    """What changes; what is not sent stays."""

    model_config = {"extra": "forbid"}
    title: str | None = Field(default=None, min_length=1, max_length=200)
    state: State | None = None


class TaskRead(TaskBase):
    """A task with its tags' names."""

    id: UUID
    state: State
    tags: list[str]
    created_at: datetime
    updated_at: datetime
