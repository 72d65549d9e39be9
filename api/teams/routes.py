"""The teams' routes."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID  # noqa: TC003  FastAPI resolves annotations at run time

from fastapi import Query, status

from api.auth.current_user import Admin, CurrentUserDep, Moderator, RoleRequiredError
from api.database.session import ReadSessionDep, WriteSessionDep  # noqa: TC001
from api.teams import service
from api.teams.schemas import (  # noqa: TC001
    TeamCreate,
    TeamDetail,
    TeamRead,
    TeamStatistics,
    TeamSummary,
    TeamUpdate,
)
from api.teams.service import (
    InAnotherTeamError,
    TeamInUseError,
    TeamMemberNotFoundError,
    TeamNameTakenError,
    TeamNotFoundError,
)
from api.users.service import UserNotFoundError
from api.web.openapi import problem_responses
from api.web.pagination import DEFAULT_LIMIT, Cursor, InvalidCursorError, Limit, Page
from api.web.problems import UnauthorizedError
from api.web.routing import resource_router

router = resource_router("teams", "/teams")

_MinMembers = Annotated[int, Query(ge=1, le=1_000_000, description="Leave out smaller teams.")]
_Move = Annotated[bool, Query(description="Take the user out of the team they are in, if any.")]


@router.post(
    "",
    status_code=status.HTTP_201_CREATED,
    responses=problem_responses(UnauthorizedError, RoleRequiredError, TeamNameTakenError),
)
async def create_team(_: Moderator, session: WriteSessionDep, new: TeamCreate) -> TeamRead:
    """Add a team, with nobody in it. For moderators and admins."""
    return await service.create(session, new)


@router.get("", responses=problem_responses(InvalidCursorError, UnauthorizedError))
async def list_teams(
    _: CurrentUserDep, session: ReadSessionDep, cursor: Cursor = None, limit: Limit = DEFAULT_LIMIT
) -> Page[TeamSummary]:
    """List all teams, by name."""
    return await service.page(session, cursor, limit)


@router.get("/statistics", responses=problem_responses(InvalidCursorError, UnauthorizedError))
async def list_team_statistics(
    _: CurrentUserDep,
    session: ReadSessionDep,
    min_members: _MinMembers = 1,
    cursor: Cursor = None,
    limit: Limit = DEFAULT_LIMIT,
) -> Page[TeamStatistics]:
    """List how large teams are and since when, the largest first; teams with nobody in them are left out."""
    return await service.statistics(session, min_members, cursor, limit)


@router.get("/{team_id}", responses=problem_responses(UnauthorizedError, TeamNotFoundError))
async def read_team(_: CurrentUserDep, session: ReadSessionDep, team_id: UUID) -> TeamDetail:
    """Return a team and everyone in it."""
    return await service.read(session, team_id)


@router.patch(
    "/{team_id}",
    responses=problem_responses(UnauthorizedError, RoleRequiredError, TeamNotFoundError, TeamNameTakenError),
)
async def update_team(_: Moderator, session: WriteSessionDep, team_id: UUID, sent: TeamUpdate) -> TeamRead:
    """Change the fields that are sent. For moderators and admins."""
    return await service.update(session, team_id, sent)


@router.delete(
    "/{team_id}",
    status_code=status.HTTP_204_NO_CONTENT,
    responses=problem_responses(UnauthorizedError, RoleRequiredError, TeamNotFoundError, TeamInUseError),
)
async def delete_team(_: Admin, session: WriteSessionDep, team_id: UUID) -> None:
    """Delete a team that has no projects; its members are in no team then. For admins."""
    await service.delete(session, team_id)


@router.put(
    "/{team_id}/members/{user_id}",
    status_code=status.HTTP_204_NO_CONTENT,
    responses=problem_responses(
        UnauthorizedError, RoleRequiredError, TeamNotFoundError, UserNotFoundError, InAnotherTeamError
    ),
)
async def put_team_member(
    _: Moderator, session: WriteSessionDep, team_id: UUID, user_id: UUID, *, move: _Move = False
) -> None:
    """Put a user into a team; harmless when repeated. For moderators and admins.

    A user is in one team at most: out of another they are taken only with `move=true`.
    """
    await service.put_member(session, team_id, user_id, move=move)


@router.delete(
    "/{team_id}/members/{user_id}",
    status_code=status.HTTP_204_NO_CONTENT,
    responses=problem_responses(UnauthorizedError, RoleRequiredError, TeamMemberNotFoundError),
)
async def remove_team_member(_: Moderator, session: WriteSessionDep, team_id: UUID, user_id: UUID) -> None:
    """Take a user out of a team. For moderators and admins."""
    await service.remove_member(session, team_id, user_id)
