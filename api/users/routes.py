"""The users' routes."""

from __future__ import annotations

from uuid import UUID  # noqa: TC003  FastAPI resolves annotations at run time

from fastapi import status

from api.auth.current_user import Admin, CurrentUserDep, Moderator, RoleRequiredError
from api.database.session import ReadSessionDep, WriteSessionDep  # noqa: TC001
from api.users import service
from api.users.schemas import RoleUpdate, UserCreate, UserRead, UserUpdate
from api.users.service import EmailTakenError, OwnRoleError, UsernameTakenError, UserNotFoundError
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
    _: Moderator, session: ReadSessionDep, cursor: Cursor = None, limit: Limit = DEFAULT_LIMIT
) -> Page[UserRead]:
    """List all users, the newest first. For moderators and admins."""
    return await service.page(session, cursor, limit)


@router.get("/me", responses=problem_responses(UnauthorizedError))
async def read_current_user(user: CurrentUserDep) -> UserRead:
    """Return the user whose token this is."""
    return UserRead.model_validate(user)


@router.get("/{user_id}", responses=problem_responses(UnauthorizedError, UserNotFoundError))
async def read_user(viewer: CurrentUserDep, session: ReadSessionDep, user_id: UUID) -> UserRead:
    """Return a user; the email address only if it is your own or you are a moderator."""
    return await service.read(session, viewer, user_id)


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
    responses=problem_responses(UnauthorizedError, RoleRequiredError, OwnRoleError, UserNotFoundError),
)
async def set_user_role(viewer: Admin, session: WriteSessionDep, user_id: UUID, sent: RoleUpdate) -> UserRead:
    """Give another user a role. For admins."""
    return await service.set_role(session, viewer, user_id, sent.role)


@router.post(
    "/{user_id}/deactivate",
    status_code=status.HTTP_204_NO_CONTENT,
    responses=problem_responses(UnauthorizedError, RoleRequiredError, UserNotFoundError),
)
async def deactivate_user(viewer: CurrentUserDep, session: WriteSessionDep, user_id: UUID) -> None:
    """Deactivate yourself, or anyone as an admin: all their tokens stop working at once."""
    await service.deactivate(session, viewer, user_id)
