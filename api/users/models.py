"""The tables of users and of their profiles."""

from __future__ import annotations

from datetime import datetime  # noqa: TC003  SQLAlchemy resolves Mapped[datetime] at run time
from enum import StrEnum
from typing import Final
from uuid import UUID  # noqa: TC003

from sqlalchemy import CheckConstraint, ForeignKey, Index, Text, func, not_, true
from sqlalchemy.orm import Mapped, mapped_column, relationship

from api.database.base import Base, Timestamps, UuidKey

#: Characters of a biography, as PostgreSQL and Python count them.
MAX_BIO: Final = 500


class Role(StrEnum):
    """What a user may do beyond their own things; each role may do all that the ones before it may."""

    USER = "user"
    MODERATOR = "moderator"
    ADMIN = "admin"


class User(UuidKey, Timestamps, Base):
    """A person: with a password, unless another issuer vouches for them.

    `role` is text with a CHECK, not a native enum: asyncpg would look the type up on every new
    connection (6 round trips), and values could never be removed.

    Users are deactivated, which can be undone, or deleted, which cannot. A deleted user's row stays,
    because what they wrote refers to it: their id, name, role and dates, which say who wrote it. Their
    address, password and profile are erased. What another issuer calls them stays as well: a token of
    theirs that has not expired would make them anew. Their name and address are free again.

    `last_login_at` is when they last gave their password; `updated_at` does not move with it.
    """

    __tablename__ = "users"

    email: Mapped[str] = mapped_column(Text)
    username: Mapped[str] = mapped_column(Text)
    # Not among the columns that a query for users loads: who needs it names it.
    hashed_password: Mapped[str | None] = mapped_column(Text, deferred=True, deferred_raiseload=True)
    role: Mapped[str] = mapped_column(Text, server_default=Role.USER)
    is_active: Mapped[bool] = mapped_column(server_default=true())
    last_login_at: Mapped[datetime | None]
    # Whoever is loaded is not deleted.
    deleted_at: Mapped[datetime | None] = mapped_column(deferred=True, deferred_raiseload=True)

    profile: Mapped[UserProfile | None] = relationship(lazy="raise", passive_deletes=True)

    __table_args__ = (
        CheckConstraint("role IN ('user', 'moderator', 'admin')", name="role"),
        CheckConstraint("deleted_at IS NULL OR NOT is_active", name="deleted"),
    )


#: Who is not deleted. Each statement that finds users says this, or `User.is_active`, which implies it.
LIVE: Final = User.deleted_at.is_(None)

# `text_pattern_ops` finds equal values and prefixes, whatever the database's collation; the default
# finds prefixes in the collation "C" only.
_LOWER_EMAIL: Final = func.lower(User.email).label("lower_email")
_LOWER_USERNAME: Final = func.lower(User.username).label("lower_username")

#: The names by which a conflict is told apart.
UNIQUE_EMAIL: Final = Index(
    "uq_users_lower_email",
    _LOWER_EMAIL,
    unique=True,
    postgresql_ops={"lower_email": "text_pattern_ops"},
    postgresql_where=LIVE,
)
UNIQUE_USERNAME: Final = Index(
    "uq_users_lower_username",
    _LOWER_USERNAME,
    unique=True,
    postgresql_ops={"lower_username": "text_pattern_ops"},
    postgresql_where=LIVE,
)
# The lists of the few: moderators among users, the inactive among the active, the newest first.
Index("ix_users_role_id", User.role, User.id, postgresql_where=LIVE)
Index("ix_users_inactive", User.id, postgresql_where=LIVE & not_(User.is_active))


class UserProfile(Timestamps, Base):
    """What a user tells others about themselves; made when they first do.

    It goes with its user's row (CASCADE), and before it when the user is deleted: see `User`.
    """

    __tablename__ = "user_profiles"

    user_id: Mapped[UUID] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), primary_key=True)
    bio: Mapped[str | None] = mapped_column(Text)
    #: Where the picture is in the storage's bucket; the storage has the host, and may change it.
    avatar_path: Mapped[str | None] = mapped_column(Text)

    __table_args__ = (CheckConstraint(f"char_length(bio) <= {MAX_BIO}", name="bio"),)
