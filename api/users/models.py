"""The table of users."""

from __future__ import annotations

from enum import StrEnum

from sqlalchemy import CheckConstraint, Index, Text, func, true
from sqlalchemy.orm import Mapped, mapped_column

from api.database.base import Base, Timestamps, UuidKey


class Role(StrEnum):
    """What a user may do beyond their own things; each role may do all that the ones before it may."""

    USER = "user"
    MODERATOR = "moderator"
    ADMIN = "admin"


class User(UuidKey, Timestamps, Base):
    """A person with a password.

    `role` is text with a CHECK, not a native enum: asyncpg would look the type up on every new
    connection (6 round trips), and values could never be removed.
    """

    __tablename__ = "users"

    email: Mapped[str] = mapped_column(Text)
    username: Mapped[str] = mapped_column(Text)
    # Not among the columns that a query for users loads: who needs it names it.
    hashed_password: Mapped[str] = mapped_column(Text, deferred=True, deferred_raiseload=True)
    role: Mapped[str] = mapped_column(Text, server_default=Role.USER)
    is_active: Mapped[bool] = mapped_column(server_default=true())

    __table_args__ = (CheckConstraint("role IN ('user', 'moderator', 'admin')", name="role"),)


#: The names by which a conflict is told apart.
UNIQUE_EMAIL = Index("uq_users_lower_email", func.lower(User.email), unique=True)
UNIQUE_USERNAME = Index("uq_users_lower_username", func.lower(User.username), unique=True)
