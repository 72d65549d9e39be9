"""Statements about logins."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from sqlalchemy import case, delete, func, insert, literal, select, update
from sqlalchemy.dialects.postgresql import insert as upsert

from api.auth.models import LoginAttempts, RefreshTokenFamily, UserIdentity
from api.database.base import uuid7
from api.users.models import LIVE, User

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import timedelta
    from uuid import UUID

    from api.auth.issuers import Identity
    from api.auth.tokens import RefreshToken
    from api.database.session import ReadSession, WriteSession

#: Rows of past windows that one login clears away; more would make it wait for others' leavings.
_CLEARED_AT_ONCE = 100


class ActiveUser(NamedTuple):
    """What every request that needs a user knows of them."""

    id: UUID
    email: str
    username: str
    role: str


_ACTIVE_USER = (User.id, User.email, User.username, User.role)


class Account(NamedTuple):
    """What checking a password needs; there is none for whom another issuer vouches."""

    id: UUID
    hashed_password: str | None
    is_active: bool


class Family(NamedTuple):
    """A login as a refresh finds it."""

    user_id: UUID
    digest: bytes
    is_usable: bool


async def find_active_user(session: ReadSession, key: UUID) -> ActiveUser | None:
    """Return the user, unless there is none or they are deactivated."""
    row = (await session.execute(select(*_ACTIVE_USER).where(User.id == key, User.is_active))).one_or_none()
    return ActiveUser(*row) if row else None


async def find_user_of(session: ReadSession, identity: Identity) -> tuple[ActiveUser, bool] | None:
    """Return the user of an issuer's subject, and whether they really are active."""
    statement = (
        select(*_ACTIVE_USER, User.is_active)
        .join(UserIdentity, UserIdentity.user_id == User.id)
        .where(UserIdentity.issuer == identity.issuer, UserIdentity.subject == identity.subject)
    )
    row = (await session.execute(statement)).one_or_none()
    return (ActiveUser(*row[:-1]), row[-1]) if row else None


async def add_user_of(session: WriteSession, identity: Identity, *, email: str, username: str) -> None:
    """Insert a user without a password, and the issuer's subject that leads to them.

    Raises:
        UniqueViolationError: The address or the name is taken, or the subject has a user already.
    """
    key = uuid7()
    await session.execute(insert(User).values(id=key, email=email, username=username))
    values = {"issuer": identity.issuer, "subject": identity.subject, "user_id": key}
    await session.execute(insert(UserIdentity).values(values))


async def find_password(session: ReadSession, key: UUID) -> str | None:
    """Return the hash of a user's password."""
    statement = select(User.hashed_password).where(User.id == key, User.is_active)
    return (await session.scalars(statement)).one_or_none()


async def find_account(session: ReadSession, email: str) -> Account | None:
    """Return the account with this address, in whatever case."""
    statement = select(User.id, User.hashed_password, User.is_active).where(
        func.lower(User.email) == func.lower(email), LIVE
    )
    row = (await session.execute(statement)).one_or_none()
    return Account(*row) if row else None


async def set_password(session: WriteSession, key: UUID, *, old: str, new: str) -> bool:
    """Replace an active user's hash unless somebody else has; return whether it was done."""
    statement = (
        update(User)
        .where(User.id == key, User.hashed_password == old, User.is_active)
        .values(hashed_password=new)
        .returning(User.id)
    )
    return (await session.scalars(statement)).one_or_none() is not None


async def add_family(
    session: WriteSession, token: RefreshToken, account: Account, lifetime: timedelta
) -> bool:
    """Store a login, unless the account changed since its password was checked; return whether it was done.

    The lock on the user's row orders this with a password change or a deactivation that runs at the
    same time: whichever comes second sees the first.
    """
    still_so = (
        update(User)
        .where(User.id == account.id, User.hashed_password == account.hashed_password, User.is_active)
        .values(last_login_at=func.now())
        .returning(User.id)
        .cte("still_so")
    )
    family = select(
        literal(token.family), still_so.c.id, literal(token.digest), func.now() + literal(lifetime)
    )
    columns = ["id", "user_id", "digest", "expires_at"]
    statement = insert(RefreshTokenFamily).from_select(columns, family).returning(RefreshTokenFamily.id)
    return (await session.scalars(statement)).one_or_none() is not None


async def lock_family(session: WriteSession, key: UUID) -> Family | None:
    """Return a login, which no other transaction changes until this one ends."""
    statement = (
        select(
            RefreshTokenFamily.user_id,
            RefreshTokenFamily.digest,
            (RefreshTokenFamily.expires_at > func.now()) & User.is_active,
        )
        .join(User, User.id == RefreshTokenFamily.user_id)
        .where(RefreshTokenFamily.id == key)
        .with_for_update(of=RefreshTokenFamily)
    )
    row = (await session.execute(statement)).one_or_none()
    return Family(*row) if row else None


async def rotate_family(session: WriteSession, token: RefreshToken, lifetime: timedelta) -> None:
    """Make this token the good one of its family."""
    await session.execute(
        update(RefreshTokenFamily)
        .where(RefreshTokenFamily.id == token.family)
        .values(digest=token.digest, expires_at=func.now() + lifetime)
    )


async def delete_family(session: WriteSession, key: UUID) -> None:
    """End a login."""
    await session.execute(delete(RefreshTokenFamily).where(RefreshTokenFamily.id == key))


async def delete_families(session: WriteSession, user: UUID, *, only_expired: bool = False) -> None:
    """End a user's logins."""
    statement = delete(RefreshTokenFamily).where(RefreshTokenFamily.user_id == user)
    if only_expired:
        statement = statement.where(RefreshTokenFamily.expires_at <= func.now())
    await session.execute(statement)


async def delete_expired_families(session: WriteSession, at_once: int) -> None:
    """End some logins that have expired, passing over those in use."""
    old = (
        select(RefreshTokenFamily.id)
        .where(RefreshTokenFamily.expires_at <= func.now())
        .limit(at_once)
        .with_for_update(skip_locked=True)
    )
    await session.execute(delete(RefreshTokenFamily).where(RefreshTokenFamily.id.in_(old)))


async def count_attempt(
    session: WriteSession, keys: Sequence[bytes], window: timedelta
) -> list[tuple[bytes, int, float]]:
    """Count an attempt under each key; return key, count and the seconds that its window still lasts.

    Args:
        session: A transaction of its own.
        keys: Sorted, so that two attempts lock the rows in one order and never each other.
        window: How long a count lasts.
    """
    statement = upsert(LoginAttempts).values([{"key": key, "count": 1} for key in keys])
    is_over = LoginAttempts.window_started_at <= func.now() - window
    statement = statement.on_conflict_do_update(
        index_elements=[LoginAttempts.key],
        set_={
            "count": case((is_over, 1), else_=LoginAttempts.count + 1),
            "window_started_at": case((is_over, func.now()), else_=LoginAttempts.window_started_at),
        },
    )
    left = func.extract("epoch", LoginAttempts.window_started_at + window - func.now())
    rows = await session.execute(statement.returning(LoginAttempts.key, LoginAttempts.count, left))
    return [(key, count, float(seconds)) for key, count, seconds in rows]


async def forgive_attempts(session: WriteSession, account: bytes, address: bytes | None) -> None:
    """Clear an account's count and take one from its address's, locking in the order of `count_attempt`."""
    keys = sorted(filter(None, (account, address)))
    statement = upsert(LoginAttempts).values([{"key": key, "count": 0} for key in keys])
    await session.execute(
        statement.on_conflict_do_update(
            index_elements=[LoginAttempts.key],
            set_={
                "count": case(
                    (LoginAttempts.key == account, 0), else_=func.greatest(LoginAttempts.count - 1, 0)
                )
            },
        )
    )


async def delete_old_attempts(
    session: WriteSession, window: timedelta, at_once: int = _CLEARED_AT_ONCE
) -> None:
    """Delete some counts whose window is over, passing over those in use."""
    old = (
        select(LoginAttempts.key)
        .where(LoginAttempts.window_started_at <= func.now() - window)
        .limit(at_once)
        .with_for_update(skip_locked=True)
    )
    await session.execute(delete(LoginAttempts).where(LoginAttempts.key.in_(old)))
