"""The rules about projects: who sees them and who may do what in them.

A project is seen by its members; for everyone else it does not exist. Admins count as owners everywhere.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from api.projects.models import ProjectRole
from api.projects.repository import projects
from api.users.models import Role
from api.web.problems import ForbiddenError, NotFoundError

if TYPE_CHECKING:
    from uuid import UUID

    from api.auth.current_user import CurrentUser
    from api.database.session import ReadSession

_RANK: Final = {role: rank for rank, role in enumerate(ProjectRole)}


class ProjectNotFoundError(NotFoundError):
    """No project has this id, or the viewer is no member of it."""

    code = "PROJECT_NOT_FOUND"

    def __init__(self) -> None:
        """Say the same in both cases."""
        super().__init__("There is no such project.")


class ProjectRoleRequiredError(ForbiddenError):
    """The viewer's role in the project does not suffice."""

    code = "PROJECT_ROLE_REQUIRED"

    def __init__(self, role: ProjectRole) -> None:
        """Name the least role that would."""
        super().__init__(f"This needs the role {role} in the project.", required_role=role)


async def require_role(
    session: ReadSession, viewer: CurrentUser, key: UUID, role: ProjectRole
) -> ProjectRole:
    """Return the role in which the viewer acts in a project; one statement.

    Raises:
        ProjectNotFoundError: There is no such project, or the viewer is no member.
        ProjectRoleRequiredError: The viewer's role is below `role`.
    """
    found = await projects.access(session, key, viewer.id)
    if found is None:
        raise ProjectNotFoundError
    if viewer.may(Role.ADMIN):
        return ProjectRole.OWNER
    if found.role is None:
        raise ProjectNotFoundError
    if _RANK[ProjectRole(found.role)] < _RANK[role]:
        raise ProjectRoleRequiredError(role)
    return ProjectRole(found.role)
