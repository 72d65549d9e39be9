"""What goes in and out of the projects' routes."""

from __future__ import annotations

from datetime import datetime  # noqa: TC003  pydantic resolves annotations at run time
from typing import Annotated, Any
from uuid import UUID  # noqa: TC003

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from api.projects.models import ProjectRole  # noqa: TC001
from api.web.json_types import JsonUuid  # noqa: TC001
from api.web.text import NO_NUL, NOT_BLANK, STRIPPED

ProjectName = Annotated[
    str,
    StringConstraints(min_length=1, max_length=100, pattern=NOT_BLANK),
    STRIPPED,
    Field(description="Unique in its team, regardless of case.", examples=["Analytical engine"]),
]
ProjectDescription = Annotated[
    str, StringConstraints(max_length=2000, pattern=NO_NUL), Field(examples=["A machine that computes."])
]


class ProjectCreate(BaseModel):
    """A new project."""

    model_config = ConfigDict(extra="forbid", strict=True)

    team_id: JsonUuid = Field(description="The team whose project it is.")
    name: ProjectName
    description: ProjectDescription = ""


class ProjectUpdate(BaseModel):
    """A change of some fields; what is not sent stays as it is."""

    model_config = ConfigDict(extra="forbid", strict=True)

    # The defaults stand for "not sent" and are never read; null is not a value of these fields.
    name: ProjectName = Field(default_factory=str)
    description: ProjectDescription = Field(default_factory=str)
    archived: bool = Field(
        default_factory=bool,
        description="Take it off the list of what goes on, or back; meanwhile its tasks can only be read.",
    )

    def changes(self) -> dict[str, Any]:
        """Return the fields that were sent."""
        return self.model_dump(exclude_unset=True)


class ProjectRead(BaseModel):
    """A project."""

    model_config = ConfigDict(from_attributes=True)

    id: UUID
    team_id: UUID
    name: str = Field(examples=["Analytical engine"])
    description: str = Field(examples=["A machine that computes."])
    archived_at: datetime | None = Field(description="Null unless it is archived.")
    created_at: datetime
    updated_at: datetime


class ProjectSummary(ProjectRead):
    """A project in a list."""

    role: ProjectRole | None = Field(description="Your own; null for an admin who is no member.")
    member_count: int = Field(examples=[3])


class ProjectMemberRead(BaseModel):
    """A user in a project."""

    model_config = ConfigDict(from_attributes=True)

    user_id: UUID
    username: str = Field(examples=["ada"])
    role: ProjectRole
    joined_at: datetime


class ProjectDetail(ProjectRead):
    """A project and everyone in it."""

    members: list[ProjectMemberRead] = Field(
        validation_alias="memberships", description="The first to join first."
    )


class ProjectMemberUpdate(BaseModel):
    """What a user may do in a project."""

    model_config = ConfigDict(extra="forbid")

    role: ProjectRole
