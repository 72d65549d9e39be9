"""The tables of projects and of their members."""

from __future__ import annotations

from datetime import datetime  # noqa: TC003  SQLAlchemy resolves Mapped[datetime] at run time
from enum import StrEnum
from typing import Final
from uuid import UUID  # noqa: TC003

from sqlalchemy import CheckConstraint, ForeignKey, Index, Text, func
from sqlalchemy.orm import Mapped, mapped_column, relationship

from api.database.base import Base, Timestamps, UuidKey
from api.users.models import User  # noqa: TC001

#: The names by which conflicts are told apart, this one and `UNIQUE_NAME`.
FOREIGN_TEAM: Final = "fk_projects_team_id_teams"


class ProjectRole(StrEnum):
    """What a member may do in a project; each role may do all that the ones before it may."""

    VIEWER = "viewer"
    EDITOR = "editor"
    OWNER = "owner"


class Project(UuidKey, Timestamps, Base):
    """A team's work on something, seen by its members only; they need not be in the team.

    A team with projects cannot be deleted: work goes only when somebody deletes the work.
    """

    __tablename__ = "projects"

    team_id: Mapped[UUID] = mapped_column(ForeignKey("teams.id", name=FOREIGN_TEAM, ondelete="RESTRICT"))
    name: Mapped[str] = mapped_column(Text)
    description: Mapped[str] = mapped_column(Text, server_default="")
    archived_at: Mapped[datetime | None]

    memberships: Mapped[list[ProjectMember]] = relationship(
        order_by="(ProjectMember.joined_at, ProjectMember.user_id)", lazy="raise"
    )


#: Begins with the team, so that it also serves the foreign key.
UNIQUE_NAME = Index("uq_projects_team_id_lower_name", Project.team_id, func.lower(Project.name), unique=True)


class ProjectMember(Base):
    """A user in a project: an association with columns of its own, hence a class and not a bare table.

    It means nothing without either side, so it goes with whichever is deleted first.
    """

    __tablename__ = "project_members"

    project_id: Mapped[UUID] = mapped_column(ForeignKey("projects.id", ondelete="CASCADE"), primary_key=True)
    user_id: Mapped[UUID] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), primary_key=True)
    role: Mapped[str] = mapped_column(Text)
    joined_at: Mapped[datetime] = mapped_column(server_default=func.now())

    user: Mapped[User] = relationship(lazy="raise")

    __table_args__ = (
        CheckConstraint("role IN ('viewer', 'editor', 'owner')", name="role"),
        # The other direction: the projects of a user, the newest last.
        Index("ix_project_members_user_id_project_id", "user_id", "project_id"),
    )

    @property
    def username(self) -> str:
        """The member's name; `user` must be loaded."""
        return self.user.username
