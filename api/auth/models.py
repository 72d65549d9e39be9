"""The tables behind logins."""

from __future__ import annotations

from datetime import datetime  # noqa: TC003  SQLAlchemy resolves Mapped[datetime] at run time
from uuid import UUID  # noqa: TC003

from sqlalchemy import ForeignKey, LargeBinary, Text, func
from sqlalchemy.orm import Mapped, mapped_column

from api.database.base import Base, Timestamps, UuidKey


class RefreshTokenFamily(UuidKey, Timestamps, Base):
    """A login, and the one refresh token of it that is good.

    Each use replaces the digest, so the table grows with logins and not with refreshes, and any
    other token that names the family has been used before. Revoking a family deletes it.
    """

    __tablename__ = "refresh_token_families"

    user_id: Mapped[UUID] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), index=True)
    digest: Mapped[bytes] = mapped_column(LargeBinary)
    expires_at: Mapped[datetime]


class UserIdentity(Base):
    """Which user another issuer's subject is; deleted with the user, to whom alone it leads."""

    __tablename__ = "user_identities"

    issuer: Mapped[str] = mapped_column(Text, primary_key=True)
    subject: Mapped[str] = mapped_column(Text, primary_key=True)
    user_id: Mapped[UUID] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), index=True)
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())


class LoginAttempts(Base):
    """How often a password was tried for one account, or from one address, since `window_started_at`.

    `key` is a keyed hash: the table shows neither addresses nor who tried to log in.
    """

    __tablename__ = "login_attempts"

    key: Mapped[bytes] = mapped_column(LargeBinary, primary_key=True)
    count: Mapped[int]
    window_started_at: Mapped[datetime] = mapped_column(server_default=func.now(), index=True)
