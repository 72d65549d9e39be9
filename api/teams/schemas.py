"""What goes in and out of the teams' routes."""

from __future__ import annotations

from datetime import datetime  # noqa: TC003  pydantic resolves annotations at run time
from typing import Annotated, Any
from uuid import UUID  # noqa: TC003

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from api.web.text import NO_NUL, NOT_BLANK, STRIPPED

TeamName = Annotated[
    str,
    StringConstraints(min_length=1, max_length=100, pattern=NOT_BLANK),
    STRIPPED,
    Field(description="Unique, regardless of case.", examples=["Engineering"]),
]
TeamDescription = Annotated[
    str,
    StringConstraints(max_length=2000, pattern=NO_NUL),
    Field(examples=["They keep the engines running."]),
]


class TeamCreate(BaseModel):
    """A new team."""

    model_config = ConfigDict(extra="forbid", strict=True)

    name: TeamName
    description: TeamDescription = ""


class TeamUpdate(BaseModel):
    """A change of some fields; what is not sent stays as it is."""

    model_config = ConfigDict(extra="forbid", strict=True)

    # The defaults stand for "not sent" and are never read; null is not a value of these columns.
    name: TeamName = Field(default_factory=str)
    description: TeamDescription = Field(default_factory=str)

    def changes(self) -> dict[str, Any]:
        """Return the columns that were sent."""
        return self.model_dump(exclude_unset=True)


class TeamRead(BaseModel):
    """A team."""

    model_config = ConfigDict(from_attributes=True)

    id: UUID
    name: str = Field(examples=["Engineering"])
    description: str = Field(examples=["They keep the engines running."])
    created_at: datetime
    updated_at: datetime


class TeamSummary(TeamRead):
    """A team in a list."""

    member_count: int = Field(examples=[12])


class TeamMemberRead(BaseModel):
    """A user in a team."""

    model_config = ConfigDict(from_attributes=True)

    id: UUID = Field(description="The user's id.")
    username: str = Field(examples=["ada"])


class TeamDetail(TeamRead):
    """A team and everyone in it."""

    members: list[TeamMemberRead] = Field(description="By username.")


class TeamStatistics(BaseModel):
    """How large a team is, and since when."""

    model_config = ConfigDict(from_attributes=True)

    id: UUID = Field(description="The team's id.")
    name: str = Field(examples=["Engineering"])
    member_count: int = Field(examples=[12])
    first_joined_at: datetime = Field(description="When the longest-standing member joined.")
