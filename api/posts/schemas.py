"""What goes in and out of the posts' routes."""

from __future__ import annotations

from datetime import datetime  # noqa: TC003  pydantic resolves annotations at run time
from typing import Annotated, Any, Final
from uuid import UUID  # noqa: TC003

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints

from api.posts.models import Status  # noqa: TC001
from api.tags.models import Tag  # noqa: TC001
from api.tags.schemas import TagNames  # noqa: TC001
from api.web.text import NO_NUL, NOT_BLANK, STRIPPED

#: Below the 1 MB that a tsvector may take, whatever the letters and however they are joined.
_MAX_BODY: Final = 100_000


Title = Annotated[
    str,
    StringConstraints(min_length=1, max_length=200, pattern=NOT_BLANK),
    STRIPPED,
    Field(examples=["On analytical engines"]),
]
Body = Annotated[
    str,
    StringConstraints(max_length=_MAX_BODY, pattern=NO_NUL),
    Field(examples=["They weave algebraic patterns."]),
]


class PostCreate(BaseModel):
    """A new draft."""

    model_config = ConfigDict(extra="forbid", strict=True)

    title: Title = Field(description="Its slug is made from it, once.")
    body: Body
    tags: TagNames = Field(default_factory=list)


class PostUpdate(BaseModel):
    """A change of some fields; what is not sent stays as it is."""

    model_config = ConfigDict(extra="forbid", strict=True)

    # The defaults stand for "not sent" and are never read; null is not a value of these fields.
    title: Title = Field(default_factory=str, description="The slug stays: links to it go on working.")
    body: Body = Field(default_factory=str)
    tags: TagNames = Field(default_factory=list, description="All tags; the others are taken off.")

    def changes(self) -> dict[str, Any]:
        """Return the columns that were sent."""
        return self.model_dump(exclude_unset=True, exclude={"tags"})

    def new_tags(self) -> list[str] | None:
        """Return the tags, when they were sent."""
        return self.tags if "tags" in self.model_fields_set else None


class PostSummary(BaseModel):
    """A post in a list."""

    model_config = ConfigDict(from_attributes=True)

    id: UUID
    author_id: UUID
    slug: str = Field(examples=["on-analytical-engines"])
    title: str = Field(examples=["On analytical engines"])
    tags: list[str] = Field(examples=[["history", "machines"]])
    status: Status
    published_at: datetime | None = Field(description="Null while it is a draft.")
    created_at: datetime
    updated_at: datetime


class PostMatch(PostSummary):
    """A post that a search found."""

    headline: str = Field(
        description="Where the body matches, as HTML: the matches in `<mark>`, everything else escaped. The "
        "beginning of the body when only the title matches.",
        examples=["They weave algebraic <mark>patterns</mark>."],
    )


class PostSuggestion(BaseModel):
    """A post whose title begins with what somebody types."""

    model_config = ConfigDict(from_attributes=True)

    id: UUID
    slug: str = Field(examples=["on-analytical-engines"])
    title: str = Field(examples=["On analytical engines"])


class PostAuthor(BaseModel):
    """Who wrote a post."""

    model_config = ConfigDict(from_attributes=True)

    id: UUID
    username: str = Field(examples=["ada"])


def _names(tags: list[Tag]) -> list[str]:
    return [tag.name for tag in tags]


class PostRead(PostSummary):
    """A post."""

    tags: Annotated[list[str], BeforeValidator(_names)] = Field(examples=[["history", "machines"]])
    body: str
    author: PostAuthor
