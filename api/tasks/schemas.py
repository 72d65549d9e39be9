"""What goes in and out of the tasks' routes."""

from __future__ import annotations

from datetime import date, datetime  # noqa: TC003  pydantic resolves annotations at run time
from typing import Annotated, Any, Final
from uuid import UUID  # noqa: TC003

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from api.tags.schemas import TagName, TagNames  # noqa: TC001
from api.tasks.models import TaskStatus  # noqa: TC001
from api.web.json_types import JsonDate, JsonUuid
from api.web.pagination import DEFAULT_LIMIT, Cursor, Limit
from api.web.text import NO_NUL, NOT_BLANK, STRIPPED

#: Tasks of one bulk request: one statement, well within a request's time.
MAX_BULK: Final = 100


Title = Annotated[
    str,
    StringConstraints(min_length=1, max_length=200, pattern=NOT_BLANK),
    STRIPPED,
    Field(examples=["Write the release notes"]),
]
Description = Annotated[
    str, StringConstraints(max_length=10_000, pattern=NO_NUL), Field(examples=["What is new, and for whom."])
]
Assignee = Annotated[JsonUuid | None, Field(description="A member of the project; null: nobody.")]
Due = Annotated[JsonDate | None, Field(description="The last day in time, if any.", examples=["2026-12-24"])]


class TaskBulkItem(BaseModel):
    """A new task of many."""

    model_config = ConfigDict(extra="forbid", strict=True)

    title: Title
    description: Description = ""
    assignee_id: Assignee = None
    due_on: Due = None


class TaskCreate(TaskBulkItem):
    """A new task."""

    tags: TagNames = Field(default_factory=list)


class TaskBulkCreate(BaseModel):
    """New tasks of a project."""

    model_config = ConfigDict(extra="forbid", strict=True)

    tasks: list[TaskBulkItem] = Field(min_length=1, max_length=MAX_BULK, description="All are made, or none.")


class TaskBulkCreated(BaseModel):
    """What a bulk request made."""

    ids: list[UUID] = Field(description="The tasks' ids, in the order of the request.")


class TaskUpdate(BaseModel):
    """A change of some fields; what is not sent stays as it is. The status has a route of its own."""

    model_config = ConfigDict(extra="forbid", strict=True)

    # The defaults stand for "not sent" and are never read.
    title: Title = Field(default_factory=str)
    description: Description = Field(default_factory=str)
    assignee_id: Assignee = None
    due_on: Due = None
    tags: TagNames = Field(default_factory=list, description="All tags; the others are taken off.")

    def changes(self) -> dict[str, Any]:
        """Return the columns that were sent."""
        return self.model_dump(exclude_unset=True, exclude={"tags"})

    def new_tags(self) -> list[str] | None:
        """Return the tags, when they were sent."""
        return self.tags if "tags" in self.model_fields_set else None


class TaskSummary(BaseModel):
    """A task in a list."""

    model_config = ConfigDict(from_attributes=True)

    id: UUID
    project_id: UUID
    title: str = Field(examples=["Write the release notes"])
    status: TaskStatus
    assignee_id: UUID | None = Field(description="Whose it is to do; null: nobody's.")
    creator_id: UUID
    due_on: date | None = Field(description="The last day in time; null: there is none.")
    tags: list[str] = Field(examples=[["docs", "release"]])
    completed_at: datetime | None = Field(description="Null unless the task is done.")
    created_at: datetime
    updated_at: datetime


class TaskRead(TaskSummary):
    """A task."""

    description: str


class TaskQuery(BaseModel):
    """Which tasks of a project to list; conditions hold together."""

    model_config = ConfigDict(extra="forbid")

    status: TaskStatus | None = Field(default=None, description="Only tasks that are so far.")
    assignee: UUID | None = Field(default=None, description="Only this member's tasks.")
    creator: UUID | None = Field(default=None, description="Only tasks that this user made.")
    tag: TagName | None = Field(default=None, description="Only tasks with this tag.", examples=["docs"])
    due_before: JsonDate | None = Field(default=None, description="Only tasks due before this day.")
    cursor: Cursor = None
    limit: Limit = DEFAULT_LIMIT


class StatusUpdate(BaseModel):
    """Another status."""

    model_config = ConfigDict(extra="forbid")

    status: TaskStatus


class BulkStatusUpdate(StatusUpdate):
    """Another status for many tasks."""

    ids: list[JsonUuid] = Field(min_length=1, max_length=MAX_BULK, description="Tasks of this project.")


class StatusRefusal(BaseModel):
    """Why a task was left as it is."""

    id: UUID
    code: str = Field(description="As in a problem document.", examples=["TASK_TRANSITION_NOT_ALLOWED"])
    detail: str = Field(examples=["A task that is `done` cannot become `todo`, only `in_progress`."])


class BulkStatusRead(BaseModel):
    """What a change of many statuses did: each task asked for is in one of the lists."""

    changed: list[UUID] = Field(description="They have the status now.")
    unchanged: list[UUID] = Field(description="They had the status already.")
    refused: list[StatusRefusal] = Field(description="They were left as they are.")


_Count = Annotated[int, Field(description="How many tasks.", examples=[3])]


class StatusCounts(BaseModel):
    """How many tasks of a project have each status."""

    todo: _Count = 0
    in_progress: _Count = 0
    in_review: _Count = 0
    done: _Count = 0
    cancelled: _Count = 0
