"""The rules about users: who may read, change and deactivate whom."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from api.auth import passwords
from api.auth.current_user import RoleRequiredError
from api.auth.service import end_logins
from api.database.errors import UniqueViolationError
from api.users.models import UNIQUE_EMAIL, UNIQUE_USERNAME, Role, User
from api.users.repository import users
from api.users.schemas import UserRead
from api.web.pagination import Page
from api.web.problems import ConflictError, ForbiddenError, NotFoundError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from uuid import UUID

    from api.auth.current_user import CurrentUser
    from api.database.session import ReadSession, WriteSession
    from api.users.schemas import UserCreate, UserUpdate


class EmailTakenError(ConflictError):
    """Another user has this address, in whatever case."""

    code = "EMAIL_TAKEN"


class UsernameTakenError(ConflictError):
    """Another user has this name, in whatever case."""

    code = "USERNAME_TAKEN"


class OwnRoleError(ForbiddenError):
    """Admins cannot change their own role: the last one would lock everyone out."""

    code = "OWN_ROLE"


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
    user = User(email=new.email, username=new.username, hashed_password=hashed)
    with _conflicts_named():
        await users.add(session, user)
    return UserRead.model_validate(user)


async def read(session: ReadSession, viewer: CurrentUser, key: UUID) -> UserRead:
    """Return a user as the viewer may see them.

    Raises:
        UserNotFoundError: There is no such user.
    """
    return _seen_by(viewer, _found(await users.get(session, key)))


async def page(session: ReadSession, cursor: str | None, limit: int) -> Page[UserRead]:
    """Return a page of all users, the newest first, for a moderator."""
    rows, next_cursor = await users.page(session, cursor, limit)
    return Page(items=[UserRead.model_validate(row) for row in rows], next_cursor=next_cursor)


async def update(session: WriteSession, viewer: CurrentUser, key: UUID, sent: UserUpdate) -> UserRead:
    """Change the fields that were sent, of oneself or, as an admin, of anyone.

    Raises:
        RoleRequiredError: It is another user, and the viewer is no admin.
        UserNotFoundError: There is no such user.
        EmailTakenError: The address is taken.
        UsernameTakenError: The name is taken.
    """
    _require_self_or_admin(viewer, key)
    changes = sent.changes()
    with _conflicts_named():
        user = await (users.update(session, key, changes) if changes else users.get(session, key))
    return _seen_by(viewer, _found(user))


async def set_role(session: WriteSession, viewer: CurrentUser, key: UUID, role: Role) -> UserRead:
    """Give another user a role, for an admin.

    Raises:
        OwnRoleError: It is the viewer's own.
        UserNotFoundError: There is no such user.
    """
    if key == viewer.id:
        raise OwnRoleError("Another admin has to change your role.")
    return _seen_by(viewer, _found(await users.update(session, key, {"role": role})))


async def deactivate(session: WriteSession, viewer: CurrentUser, key: UUID) -> None:
    """Keep a user out from now on, access tokens included; harmless when repeated.

    Raises:
        RoleRequiredError: It is another user, and the viewer is no admin.
        UserNotFoundError: There is no such user.
    """
    _require_self_or_admin(viewer, key)
    _found(await users.update(session, key, {"is_active": False}))
    await end_logins(session, key)


def _require_self_or_admin(viewer: CurrentUser, key: UUID) -> None:
    if viewer.id != key and not viewer.may(Role.ADMIN):
        raise RoleRequiredError(Role.ADMIN)


def _found(user: User | None) -> User:
    if user is None:
        raise UserNotFoundError
    return user


def _seen_by(viewer: CurrentUser, user: User) -> UserRead:
    """Return what the viewer may see: addresses are for their owner and for moderators."""
    seen = UserRead.model_validate(user)
    if viewer.id != user.id and not viewer.may(Role.MODERATOR):
        seen.email = None
    return seen


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
