"""The rules about projects: who sees them and who may do what in them.

A project is seen by its members; for everyone else it does not exist. Admins count as owners everywhere.
Owners change the project and its members; editors and viewers differ in what they may do with what is in
it. A project keeps an owner: the last one cannot leave. One that is archived is off the list, and what is
in it can only be read.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from api.database.errors import ForeignKeyViolationError, UniqueViolationError
from api.projects.models import FOREIGN_TEAM, UNIQUE_NAME, Project, ProjectMember, ProjectRole
from api.projects.repository import projects
from api.projects.schemas import ProjectDetail, ProjectRead, ProjectSummary
from api.teams.repository import teams
from api.teams.service import TeamNotFoundError
from api.users.models import Role
from api.users.service import UserNotFoundError
from api.web.pagination import Page
from api.web.problems import ConflictError, ForbiddenError, NotFoundError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from uuid import UUID

    from api.auth.current_user import CurrentUser
    from api.database.session import ReadSession, WriteSession
    from api.projects.repository import Access
    from api.projects.schemas import ProjectCreate, ProjectUpdate

_RANK: Final = {role: rank for rank, role in enumerate(ProjectRole)}


class ProjectNotFoundError(NotFoundError):
    """No project has this id, or the viewer is no member of it."""

    code = "PROJECT_NOT_FOUND"

    def __init__(self) -> None:
        """Say the same in both cases."""
        super().__init__("There is no such project.")


class ProjectMemberNotFoundError(NotFoundError):
    """The user is not in the project."""

    code = "PROJECT_MEMBER_NOT_FOUND"


class ProjectArchivedError(ConflictError):
    """What is in an archived project can only be read."""

    code = "PROJECT_ARCHIVED"


class ProjectRoleRequiredError(ForbiddenError):
    """The viewer's role in the project does not suffice."""

    code = "PROJECT_ROLE_REQUIRED"

    def __init__(self, role: ProjectRole) -> None:
        """Name the least role that would."""
        super().__init__(f"This needs the role {role} in the project.", required_role=role)


class TeamMembershipRequiredError(ForbiddenError):
    """Projects of a team are begun by its members."""

    code = "TEAM_MEMBERSHIP_REQUIRED"


class ProjectNameTakenError(ConflictError):
    """Another project of the team has this name, in whatever case."""

    code = "PROJECT_NAME_TAKEN"


class LastOwnerError(ConflictError):
    """Without its last owner, nobody could manage the project."""

    code = "LAST_OWNER"


def checked(found: Access | None, viewer: CurrentUser, role: ProjectRole) -> Access:
    """Return what a viewer was found to have of a project, if it suffices.

    Raises:
        ProjectNotFoundError: There is no such project, or the viewer is no member.
        ProjectRoleRequiredError: The viewer's role is below `role`.
    """
    if found is None:
        raise ProjectNotFoundError
    if viewer.may(Role.ADMIN):
        return found
    if found.role is None:
        raise ProjectNotFoundError
    if _RANK[ProjectRole(found.role)] < _RANK[role]:
        raise ProjectRoleRequiredError(role)
    return found


async def require_role(session: ReadSession, viewer: CurrentUser, key: UUID, role: ProjectRole) -> None:
    """Refuse whoever has not this role in a project or one above it; one statement.

    Raises:
        ProjectNotFoundError: There is no such project, or the viewer is no member.
        ProjectRoleRequiredError: The viewer's role is below `role`.
    """
    checked(await projects.access(session, key, viewer.id), viewer, role)


async def require_editor(session: ReadSession, viewer: CurrentUser, key: UUID) -> None:
    """Refuse whoever may not write what is in a project; one statement.

    Raises:
        ProjectNotFoundError: There is no such project, or the viewer is no member.
        ProjectRoleRequiredError: The viewer is no editor.
        ProjectArchivedError: The project is archived.
    """
    found = checked(await projects.access(session, key, viewer.id), viewer, ProjectRole.EDITOR)
    if found.archived_at is not None:
        raise ProjectArchivedError("The project is archived; an owner can take it back.")


async def create(session: WriteSession, viewer: CurrentUser, new: ProjectCreate) -> ProjectRead:
    """Begin a project, whose owner the viewer becomes.

    Raises:
        TeamMembershipRequiredError: The viewer is not in the team, and no admin.
        TeamNotFoundError: There is no such team.
        ProjectNameTakenError: The team has a project of this name.
    """
    if not viewer.may(Role.ADMIN) and await teams.team_of(session, viewer.id) != new.team_id:
        raise TeamMembershipRequiredError("Only members of the team begin projects in it.")
    owner = ProjectMember(user_id=viewer.id, role=ProjectRole.OWNER)
    project = Project(**new.model_dump(), memberships=[owner])
    with _conflicts_named():
        return ProjectRead.model_validate(await projects.add(session, project))


async def read(session: ReadSession, viewer: CurrentUser, key: UUID) -> ProjectDetail:
    """Return a project with its members.

    Raises:
        ProjectNotFoundError: There is none that the viewer may see.
    """
    project = await projects.with_members(session, key)
    if project is None:
        raise ProjectNotFoundError
    if not viewer.may(Role.ADMIN) and viewer.id not in {member.user_id for member in project.memberships}:
        raise ProjectNotFoundError
    return ProjectDetail.model_validate(project)


async def page(
    session: ReadSession,
    viewer: CurrentUser,
    *,
    archived: bool,
    team: UUID | None,
    member: UUID | None,
    cursor: str | None,
    limit: int,
) -> Page[ProjectSummary]:
    """Return a page of the projects that the viewer may see, the newest first."""
    rows, next_cursor = await projects.page(
        session,
        viewer.id,
        of_everyone=viewer.may(Role.ADMIN),
        archived=archived,
        team=team,
        member=member,
        cursor=cursor,
        limit=limit,
    )
    return Page(items=[ProjectSummary.model_validate(row) for row in rows], next_cursor=next_cursor)


async def update(session: WriteSession, viewer: CurrentUser, key: UUID, sent: ProjectUpdate) -> ProjectRead:
    """Change the fields that were sent, for an owner.

    Raises:
        ProjectNotFoundError: There is none that the viewer may see.
        ProjectRoleRequiredError: The viewer is no owner.
        ProjectNameTakenError: The team has another project of this name.
    """
    await require_role(session, viewer, key, ProjectRole.OWNER)
    with _conflicts_named():
        project = await projects.change(session, key, sent.changes())
    if project is None:  # deleted by somebody else between two statements of ours
        raise ProjectNotFoundError
    return ProjectRead.model_validate(project)


async def delete(session: WriteSession, viewer: CurrentUser, key: UUID) -> None:
    """Delete a project with all that is in it, for an owner.

    Raises:
        ProjectNotFoundError: There is none that the viewer may see.
        ProjectRoleRequiredError: The viewer is no owner.
    """
    await require_role(session, viewer, key, ProjectRole.OWNER)
    await projects.delete(session, key)


async def put_member(
    session: WriteSession, viewer: CurrentUser, key: UUID, user: UUID, role: ProjectRole
) -> None:
    """Give a user a role in a project, a new member or not, for an owner; harmless when repeated.

    Raises:
        ProjectNotFoundError: There is none that the viewer may see.
        ProjectRoleRequiredError: The viewer is no owner.
        UserNotFoundError: There is no such user.
        LastOwnerError: The user is the last owner and would be no more.
    """
    await projects.lock(session, key)
    await require_role(session, viewer, key, ProjectRole.OWNER)
    if role != ProjectRole.OWNER:
        await _require_another_owner(session, key, user)
    if not await projects.put_member(session, key, user, role):
        raise UserNotFoundError


async def remove_member(session: WriteSession, viewer: CurrentUser, key: UUID, user: UUID) -> None:
    """Take a user out of a project, for an owner, or leave it oneself.

    Raises:
        ProjectNotFoundError: There is none that the viewer may see.
        ProjectRoleRequiredError: It is another user, and the viewer is no owner.
        ProjectMemberNotFoundError: The user is not in the project.
        LastOwnerError: The user is the last owner.
    """
    await projects.lock(session, key)
    await require_role(session, viewer, key, ProjectRole.VIEWER if user == viewer.id else ProjectRole.OWNER)
    await _require_another_owner(session, key, user)
    if not await projects.remove_member(session, key, user):
        raise ProjectMemberNotFoundError("This user is not in this project.")


async def _require_another_owner(session: WriteSession, key: UUID, user: UUID) -> None:
    """Refuse to take the last owner away; the project must be locked."""
    owners = await projects.owners(session, key)
    if user in owners and not any(active for owner, active in owners.items() if owner != user):
        raise LastOwnerError("This is the project's last owner; make somebody else an owner first.")


@contextmanager
def _conflicts_named() -> Iterator[None]:
    """Turn a violated constraint into the error that says which value is wrong."""
    try:
        yield
    except UniqueViolationError as error:
        if error.constraint == UNIQUE_NAME.name:
            raise ProjectNameTakenError("The team has another project of this name.") from error
        raise
    except ForeignKeyViolationError as error:
        if error.constraint == FOREIGN_TEAM:
            raise TeamNotFoundError from error
        raise
