"""The tables of teams and of who is in them."""

from __future__ import annotations

from datetime import datetime  # noqa: TC003  SQLAlchemy resolves Mapped[datetime] at run time
from uuid import UUID  # noqa: TC003

from sqlalchemy import ForeignKey, Index, Text, func
from sqlalchemy.orm import Mapped, mapped_column, relationship

from api.database.base import Base, Timestamps, UuidKey
from api.users.models import User


class Team(UuidKey, Timestamps, Base):
    """Users who belong together."""

    __tablename__ = "teams"

    name: Mapped[str] = mapped_column(Text)
    description: Mapped[str] = mapped_column(Text, server_default="")

    members: Mapped[list[User]] = relationship(
        secondary="team_members", order_by=User.username, viewonly=True, lazy="raise"
    )


#: The name by which a conflict is told apart; lists are in its order.
UNIQUE_NAME = Index("uq_teams_lower_name", func.lower(Team.name), unique=True)


class TeamMember(Base):
    """A user in a team.

    The primary key is the user alone: nobody is in two teams. A column `users.team_id` would say the
    same, but then users could not do without teams: to delete this resource would be to change that table.

    A membership means nothing without either side, so it goes with whichever is deleted first.
    """

    __tablename__ = "team_members"

    user_id: Mapped[UUID] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), primary_key=True)
    team_id: Mapped[UUID] = mapped_column(ForeignKey("teams.id", ondelete="CASCADE"), index=True)
    joined_at: Mapped[datetime] = mapped_column(server_default=func.now())
