"""Statements about projects and their members."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import and_, select

from api.database.repository import Repository
from api.projects.models import Project, ProjectMember

if TYPE_CHECKING:
    from uuid import UUID

    from sqlalchemy import Row

    from api.database.session import ReadSession


class ProjectRepository(Repository[Project]):
    """Statements about the tables `projects` and `project_members`."""

    async def access(self, session: ReadSession, key: UUID, viewer: UUID) -> Row[UUID, str | None] | None:
        """Return a project's key and the viewer's role, if any, in it; `None` without such a project."""
        mine = and_(ProjectMember.project_id == Project.id, ProjectMember.user_id == viewer)
        statement = select(Project.id, ProjectMember.role).outerjoin(ProjectMember, mine)
        return (await session.execute(statement.where(Project.id == key))).one_or_none()


projects = ProjectRepository(Project)
