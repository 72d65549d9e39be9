"""The rules about users: who may read, change, deactivate and delete whom."""

from __future__ import annotations

from contextlib import contextmanager
from datetime import timedelta
from typing import TYPE_CHECKING

from api.auth import passwords
from api.auth.current_user import RoleRequiredError
from api.auth.service import end_logins
from api.database.errors import UniqueViolationError
from api.users.models import UNIQUE_EMAIL, UNIQUE_USERNAME, Role, User
from api.users.repository import users
from api.users.schemas import Deactivated, ProfileRead, UserRead, UserSummary
from api.web.pagination import Page
from api.web.problems import ConflictError, NotFoundError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from uuid import UUID

    from api.auth.current_user import CurrentUser
    from api.database.session import ReadSession, WriteSession
    from api.users.repository import ProfileRow
    from api.users.schemas import ProfileUpdate, UserCreate, UserUpdate


class EmailTakenError(ConflictError):
    """Another user has this address, in whatever case."""

    code = "EMAIL_TAKEN"


class UsernameTakenError(ConflictError):
    """Another user has this name, in whatever case."""

    code = "USERNAME_TAKEN"


class LastAdminError(ConflictError):
    """Without its last active admin, nobody could give roles any more."""

    code = "LAST_ADMIN"


class UserNotFoundError(NotFoundError):
    """No user has this id."""

    code = "USER_NOT_FOUND"

    def __init__(self) -> None:
        """Say what is missing."""
        super().__init__("There is no such user.")


async def register(session: WriteSession, new: UserCreate) -> UserRead:
    """Add a user, whose role is `user`.

    Raises:
        EmailTakenError: The address is taken.
        UsernameTakenError: The name is taken.
    """
    # Before the transaction's first statement: hashing takes a while, and nobody should wait for it.
    hashed = passwords.hash_password(new.password.get_secret_value())
    user = User(email=new.email, username=new.username, hashed_password=hashed, profile=None)
    with _conflicts_named():
        await users.add(session, user)
    return UserRead.model_validate(user)


async def read(session: ReadSession, viewer: CurrentUser, key: UUID) -> UserRead:
    """Return a user as the viewer may see them.

    Raises:
        UserNotFoundError: There is no such user.
    """
    user = await users.get_with_profile(session, key)
    if user is None:
        raise UserNotFoundError
    seen = UserRead.model_validate(user)
    if viewer.id != key and not viewer.may(Role.MODERATOR):
        seen.email = seen.last_login_at = None
    return seen


async def page(
    session: ReadSession,
    *,
    role: Role | None,
    is_active: bool | None,
    prefix: str | None,
    cursor: str | None,
    limit: int,
) -> Page[UserSummary]:
    """Return a page of the users who fit, the newest first, for a moderator."""
    rows, next_cursor = await users.page(
        session, role=role, is_active=is_active, prefix=prefix, cursor=cursor, limit=limit
    )
    return Page(items=[UserSummary.model_validate(row) for row in rows], next_cursor=next_cursor)


async def update(session: WriteSession, viewer: CurrentUser, key: UUID, sent: UserUpdate) -> UserRead:
    """Change the fields that were sent, of oneself or, as an admin, of anyone.

    Raises:
        RoleRequiredError: It is another user, and the viewer is no admin.
        UserNotFoundError: There is no such user.
        EmailTakenError: The address is taken.
        UsernameTakenError: The name is taken.
    """
    _require_self_or_admin(viewer, key)
    if changes := sent.changes():
        with _conflicts_named():
            await users.change(session, key, changes)
    return await read(session, viewer, key)


async def set_role(session: WriteSession, viewer: CurrentUser, key: UUID, role: Role) -> UserRead:
    """Give a user a role, for an admin.

    Raises:
        UserNotFoundError: There is no such user.
        LastAdminError: The user is the last active admin and would be none.
    """
    if role != Role.ADMIN:
        await _require_another_admin(session, key)
    await users.change(session, key, {"role": role})
    return await read(session, viewer, key)


async def activate(session: WriteSession, key: UUID) -> None:
    """Let a user in again who was deactivated, for an admin; harmless when repeated.

    Raises:
        UserNotFoundError: There is no such user.
    """
    if await users.change(session, key, {"is_active": True}) is None:
        raise UserNotFoundError


async def deactivate(session: WriteSession, viewer: CurrentUser, key: UUID) -> None:
    """Keep a user out from now on, access tokens included; harmless when repeated.

    Raises:
        RoleRequiredError: It is another user, and the viewer is no admin.
        UserNotFoundError: There is no such user.
        LastAdminError: The user is the last active admin.
    """
    await _require_may_end(session, viewer, key)
    if await users.change(session, key, {"is_active": False}) is None:
        raise UserNotFoundError
    await end_logins(session, key)


async def deactivate_inactive(session: WriteSession, viewer: CurrentUser, days: int) -> Deactivated:
    """Deactivate all who were not here for so many days, for an admin; neither admins nor the viewer."""
    count = await users.deactivate_inactive(session, timedelta(days=days), but=viewer.id)
    return Deactivated(count=count)


async def delete(session: WriteSession, viewer: CurrentUser, key: UUID) -> None:
    """Delete oneself or, as an admin, anyone, for good; what they wrote stays.

    Raises:
        RoleRequiredError: It is another user, and the viewer is no admin.
        UserNotFoundError: There is no such user.
        LastAdminError: The user is the last active admin.
    """
    await _require_may_end(session, viewer, key)
    if not await users.delete(session, key):
        raise UserNotFoundError
    await end_logins(session, key)


async def read_profile(session: ReadSession, key: UUID) -> ProfileRead:
    """Return a user's profile, empty if they never wrote one.

    Raises:
        UserNotFoundError: There is no such user.
    """
    return _profile_of(await users.profile(session, key))


async def update_profile(session: WriteSession, viewer: CurrentUser, sent: ProfileUpdate) -> ProfileRead:
    """Change the fields that were sent of one's own profile.

    Raises:
        UserNotFoundError: One is being deleted at the same time.
    """
    changes = sent.changes()
    return _profile_of(
        await (
            users.set_profile(session, viewer.id, changes) if changes else users.profile(session, viewer.id)
        )
    )


def _profile_of(row: ProfileRow | None) -> ProfileRead:
    if row is None:
        raise UserNotFoundError
    return ProfileRead.model_validate(row)


def _require_self_or_admin(viewer: CurrentUser, key: UUID) -> None:
    if viewer.id != key and not viewer.may(Role.ADMIN):
        raise RoleRequiredError(Role.ADMIN)


async def _require_may_end(session: WriteSession, viewer: CurrentUser, key: UUID) -> None:
    """Refuse to end somebody else's account, except for an admin; and the last admin's."""
    _require_self_or_admin(viewer, key)
    # Only an admin can end an admin's account, their own included.
    if viewer.may(Role.ADMIN):
        await _require_another_admin(session, key)


async def _require_another_admin(session: WriteSession, key: UUID) -> None:
    """Refuse to take the last admin away; the admins stay locked, so that two cannot take each other away."""
    if await users.lock_admins(session) == {key}:
        raise LastAdminError("This is the last active admin; make somebody else an admin first.")


@contextmanager
def _conflicts_named() -> Iterator[None]:
    """Turn a violated unique index into the error that says which value is taken."""
    try:
        yield
    except UniqueViolationError as error:
        if error.constraint == UNIQUE_EMAIL.name:
            raise EmailTakenError("This email address is taken.") from error
        if error.constraint == UNIQUE_USERNAME.name:
            raise UsernameTakenError("This username is taken.") from error
        raise
