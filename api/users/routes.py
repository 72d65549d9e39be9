"""The users' routes."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID  # noqa: TC003  FastAPI resolves annotations at run time

from fastapi import BackgroundTasks, Query, status

from api.auth.current_user import Admin, CurrentUserDep, Moderator, RoleRequiredError
from api.database.session import ReadSessionDep, WriteSessionDep  # noqa: TC001
from api.users import avatars, service
from api.users.avatar_storage import (
    AvatarsNotConfiguredError,
    StorageRefusedError,
    StorageUnavailableError,
)
from api.users.avatars import AvatarRefusedError, UploadNotFoundError
from api.users.models import Role  # noqa: TC001
from api.users.schemas import (  # noqa: TC001
    AvatarUpdate,
    AvatarUploadCreate,
    AvatarUploadRead,
    Deactivated,
    InactiveUsers,
    Prefix,
    ProfileRead,
    ProfileUpdate,
    RoleUpdate,
    UserCreate,
    UserRead,
    UserSummary,
    UserUpdate,
)
from api.users.service import EmailTakenError, LastAdminError, UsernameTakenError, UserNotFoundError
from api.web.openapi import problem_responses
from api.web.pagination import DEFAULT_LIMIT, Cursor, InvalidCursorError, Limit, Page
from api.web.problems import UnauthorizedError
from api.web.routing import resource_router

router = resource_router("users", "/users")


@router.post(
    "",
    status_code=status.HTTP_201_CREATED,
    responses=problem_responses(EmailTakenError, UsernameTakenError),
)
async def register_user(session: WriteSessionDep, new: UserCreate) -> UserRead:
    """Register with an email address, a username and a password."""
    return await service.register(session, new)


@router.get("", responses=problem_responses(InvalidCursorError, UnauthorizedError, RoleRequiredError))
async def list_users(
    *,
    _: Moderator,
    session: ReadSessionDep,
    role: Annotated[Role | None, Query(description="Only who has this role.")] = None,
    is_active: Annotated[bool | None, Query(description="Only who is active, or only who is not.")] = None,
    q: Annotated[
        Prefix | None, Query(description="Only whose username or email address begins so, in whatever case.")
    ] = None,
    cursor: Cursor = None,
    limit: Limit = DEFAULT_LIMIT,
) -> Page[UserSummary]:
    """List users, the newest first. For moderators and admins."""
    return await service.page(session, role=role, is_active=is_active, prefix=q, cursor=cursor, limit=limit)


@router.post("/deactivate-inactive", responses=problem_responses(UnauthorizedError, RoleRequiredError))
async def deactivate_inactive_users(
    viewer: Admin, session: WriteSessionDep, sent: InactiveUsers
) -> Deactivated:
    """Deactivate all who neither logged in nor refreshed a login for so many days. For admins.

    Who never logged in counts from their registration. Admins stay active.
    """
    return await service.deactivate_inactive(session, viewer, sent.days)


@router.get("/me", responses=problem_responses(UnauthorizedError, UserNotFoundError))
async def read_current_user(viewer: CurrentUserDep, session: ReadSessionDep) -> UserRead:
    """Return the user whose token this is."""
    return await service.read(session, viewer, viewer.id)


@router.patch("/me/profile", responses=problem_responses(UnauthorizedError, UserNotFoundError))
async def update_profile(
    viewer: CurrentUserDep, session: WriteSessionDep, sent: ProfileUpdate
) -> ProfileRead:
    """Change the fields of your profile that are sent; null clears one."""
    return await service.update_profile(session, viewer, sent)


@router.post(
    "/me/avatar",
    responses=problem_responses(
        UnauthorizedError, AvatarsNotConfiguredError, StorageRefusedError, StorageUnavailableError
    ),
)
async def begin_avatar_upload(viewer: CurrentUserDep, sent: AvatarUploadCreate) -> AvatarUploadRead:
    """Return where to upload a picture of yours: straight to the storage. Then confirm it."""
    return await avatars.begin(viewer, sent.content_type)


@router.put(
    "/me/avatar",
    responses=problem_responses(
        UnauthorizedError,
        UploadNotFoundError,
        UserNotFoundError,
        AvatarRefusedError,
        AvatarsNotConfiguredError,
        StorageRefusedError,
        StorageUnavailableError,
    ),
)
async def set_avatar(viewer: CurrentUserDep, session: ReadSessionDep, sent: AvatarUpdate) -> ProfileRead:
    """Make a picture that you uploaded your avatar: 2 MB at most, of the type that you announced."""
    return await avatars.confirm(session, viewer, sent.path)


@router.delete(
    "/me/avatar",
    status_code=status.HTTP_204_NO_CONTENT,
    responses=problem_responses(UnauthorizedError, UserNotFoundError),
)
async def remove_avatar(viewer: CurrentUserDep, session: ReadSessionDep) -> None:
    """Remove your avatar."""
    await avatars.remove(session, viewer)


@router.get("/{user_id}", responses=problem_responses(UnauthorizedError, UserNotFoundError))
async def read_user(viewer: CurrentUserDep, session: ReadSessionDep, user_id: UUID) -> UserRead:
    """Return a user; address and last login only if they are your own or you are a moderator."""
    return await service.read(session, viewer, user_id)


@router.get("/{user_id}/profile", responses=problem_responses(UnauthorizedError, UserNotFoundError))
async def read_profile(_: CurrentUserDep, session: ReadSessionDep, user_id: UUID) -> ProfileRead:
    """Return what a user tells about themselves."""
    return await service.read_profile(session, user_id)


@router.patch(
    "/{user_id}",
    responses=problem_responses(
        UnauthorizedError, RoleRequiredError, UserNotFoundError, EmailTakenError, UsernameTakenError
    ),
)
async def update_user(
    viewer: CurrentUserDep, session: WriteSessionDep, user_id: UUID, sent: UserUpdate
) -> UserRead:
    """Change the fields that are sent. Your own, or anyone's as an admin."""
    return await service.update(session, viewer, user_id, sent)


@router.put(
    "/{user_id}/role",
    responses=problem_responses(UnauthorizedError, RoleRequiredError, UserNotFoundError, LastAdminError),
)
async def set_user_role(viewer: Admin, session: WriteSessionDep, user_id: UUID, sent: RoleUpdate) -> UserRead:
    """Give a user a role. For admins; the last one stays one."""
    return await service.set_role(session, viewer, user_id, sent.role)


@router.post(
    "/{user_id}/deactivate",
    status_code=status.HTTP_204_NO_CONTENT,
    responses=problem_responses(UnauthorizedError, RoleRequiredError, UserNotFoundError, LastAdminError),
)
async def deactivate_user(viewer: CurrentUserDep, session: WriteSessionDep, user_id: UUID) -> None:
    """Deactivate yourself, or anyone as an admin: all their tokens stop working at once."""
    await service.deactivate(session, viewer, user_id)


@router.post(
    "/{user_id}/activate",
    status_code=status.HTTP_204_NO_CONTENT,
    responses=problem_responses(UnauthorizedError, RoleRequiredError, UserNotFoundError),
)
async def activate_user(_: Admin, session: WriteSessionDep, user_id: UUID) -> None:
    """Let a deactivated user in again; they have to log in anew. For admins."""
    await service.activate(session, user_id)


@router.delete(
    "/{user_id}",
    status_code=status.HTTP_204_NO_CONTENT,
    responses=problem_responses(UnauthorizedError, RoleRequiredError, UserNotFoundError, LastAdminError),
)
async def delete_user(
    viewer: CurrentUserDep, session: WriteSessionDep, user_id: UUID, afterwards: BackgroundTasks
) -> None:
    """Delete yourself, or anyone as an admin. What the user wrote stays, under their id.

    Address, password, profile and pictures are erased, and username and address are free again.
    """
    await service.delete(session, viewer, user_id)
    afterwards.add_task(avatars.remove_all, user_id)
