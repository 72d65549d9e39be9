"""The projects' routes."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from fastapi import Query, status

from api.auth.current_user import CurrentUserDep  # noqa: TC001
from api.database.session import ReadSessionDep, WriteSessionDep  # noqa: TC001
from api.projects import service
from api.projects.schemas import (  # noqa: TC001
    ProjectCreate,
    ProjectDetail,
    ProjectMemberUpdate,
    ProjectRead,
    ProjectSummary,
    ProjectUpdate,
)
from api.projects.service import (
    LastOwnerError,
    ProjectMemberNotFoundError,
    ProjectNameTakenError,
    ProjectNotFoundError,
    ProjectRoleRequiredError,
    TeamMembershipRequiredError,
)
from api.teams.service import TeamNotFoundError
from api.users.service import UserNotFoundError
from api.web.openapi import problem_responses
from api.web.pagination import DEFAULT_LIMIT, Cursor, InvalidCursorError, Limit, Page
from api.web.problems import UnauthorizedError
from api.web.routing import resource_router

router = resource_router("projects", "/projects")

_Archived = Annotated[bool, Query(description="Those that are archived, instead of those that are not.")]
_Team = Annotated[UUID | None, Query(description="Only projects of this team.")]
_Member = Annotated[UUID | None, Query(description="Only projects that this user is in as well.")]


@router.post(
    "",
    status_code=status.HTTP_201_CREATED,
    responses=problem_responses(
        UnauthorizedError, TeamMembershipRequiredError, TeamNotFoundError, ProjectNameTakenError
    ),
)
async def create_project(viewer: CurrentUserDep, session: WriteSessionDep, new: ProjectCreate) -> ProjectRead:
    """Begin a project of your team, or of any as an admin. You become its owner."""
    return await service.create(session, viewer, new)


@router.get("", responses=problem_responses(InvalidCursorError, UnauthorizedError))
async def list_projects(
    viewer: CurrentUserDep,
    session: ReadSessionDep,
    *,
    archived: _Archived = False,
    team: _Team = None,
    with_member: _Member = None,
    cursor: Cursor = None,
    limit: Limit = DEFAULT_LIMIT,
) -> Page[ProjectSummary]:
    """List the projects that you are in, the newest first; as an admin, all of them."""
    return await service.page(
        session, viewer, archived=archived, team=team, member=with_member, cursor=cursor, limit=limit
    )


@router.get("/{project_id}", responses=problem_responses(UnauthorizedError, ProjectNotFoundError))
async def read_project(viewer: CurrentUserDep, session: ReadSessionDep, project_id: UUID) -> ProjectDetail:
    """Return a project and everyone in it. For its members and for admins."""
    return await service.read(session, viewer, project_id)


@router.patch(
    "/{project_id}",
    responses=problem_responses(
        UnauthorizedError, ProjectRoleRequiredError, ProjectNotFoundError, ProjectNameTakenError
    ),
)
async def update_project(
    viewer: CurrentUserDep, session: WriteSessionDep, project_id: UUID, sent: ProjectUpdate
) -> ProjectRead:
    """Change the fields that are sent: rename, describe, archive, take back. For its owners."""
    return await service.update(session, viewer, project_id, sent)


@router.delete(
    "/{project_id}",
    status_code=status.HTTP_204_NO_CONTENT,
    responses=problem_responses(UnauthorizedError, ProjectRoleRequiredError, ProjectNotFoundError),
)
async def delete_project(viewer: CurrentUserDep, session: WriteSessionDep, project_id: UUID) -> None:
    """Delete a project with all that is in it. For its owners."""
    await service.delete(session, viewer, project_id)


@router.put(
    "/{project_id}/members/{user_id}",
    status_code=status.HTTP_204_NO_CONTENT,
    responses=problem_responses(
        UnauthorizedError, ProjectRoleRequiredError, ProjectNotFoundError, UserNotFoundError, LastOwnerError
    ),
)
async def put_project_member(
    viewer: CurrentUserDep,
    session: WriteSessionDep,
    project_id: UUID,
    user_id: UUID,
    sent: ProjectMemberUpdate,
) -> None:
    """Give a user a role in a project, a new member or not; harmless when repeated. For its owners."""
    await service.put_member(session, viewer, project_id, user_id, sent.role)


@router.delete(
    "/{project_id}/members/{user_id}",
    status_code=status.HTTP_204_NO_CONTENT,
    responses=problem_responses(
        UnauthorizedError,
        ProjectRoleRequiredError,
        ProjectNotFoundError,
        ProjectMemberNotFoundError,
        LastOwnerError,
    ),
)
async def remove_project_member(
    viewer: CurrentUserDep, session: WriteSessionDep, project_id: UUID, user_id: UUID
) -> None:
    """Leave a project, or take a user out of one that you own. The last owner cannot leave."""
    await service.remove_member(session, viewer, project_id, user_id)
