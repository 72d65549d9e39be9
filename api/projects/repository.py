"""Statements about projects and their members."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import Row, Select, delete, func, literal, select
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.orm import aliased, joinedload, selectinload

from api.database.repository import Repository
from api.projects.models import Project, ProjectMember, ProjectRole
from api.users.models import LIVE, User
from api.web.pagination import cut, keyset

if TYPE_CHECKING:
    from collections.abc import Collection
    from uuid import UUID

    from sqlalchemy import ColumnElement

    from api.database.session import ReadSession, WriteSession

Rows = tuple[list[Row[*tuple[Any, ...]]], str | None]

#: Members beside the one whose list it is.
_Other: Final = aliased(ProjectMember)
_MEMBER_COUNT: Final = (
    select(func.count())
    .select_from(_Other)
    .join(User, (User.id == _Other.user_id) & LIVE)
    .where(_Other.project_id == Project.id)
    .correlate(Project)
    .scalar_subquery()
    .label("member_count")
)


#: How a viewer finds a project: their `role`, null for who is no member, and `archived_at`.
Access = Row[*tuple[Any, ...]]


def access_to(key: UUID, viewer: UUID) -> Select[*tuple[Any, ...]]:
    """Return the statement of a viewer's `Access` to a project; no row without such a project."""
    return (
        select(ProjectMember.role, Project.archived_at)
        .select_from(Project)
        .outerjoin(ProjectMember, _membership(viewer))
        .where(Project.id == key)
    )


class ProjectRepository(Repository[Project]):
    """Statements about the tables `projects` and `project_members`."""

    async def access(self, session: ReadSession, key: UUID, viewer: UUID) -> Access | None:
        """Return how a viewer finds a project; `None` without such a project."""
        return (await session.execute(access_to(key, viewer))).one_or_none()

    async def with_members(self, session: ReadSession, key: UUID) -> Project | None:
        """Return a project with its members and their names; two statements."""
        user = joinedload(ProjectMember.user, innerjoin=True).load_only(User.username, raiseload=True)
        members = selectinload(Project.memberships.and_(ProjectMember.user.has(LIVE)))
        return await self.get(session, key, options=[members.options(user)])

    async def page(
        self,
        session: ReadSession,
        viewer: UUID,
        *,
        of_everyone: bool,
        archived: bool,
        team: UUID | None,
        member: UUID | None,
        cursor: str | None,
        limit: int,
    ) -> Rows:
        """Return a page of projects, the newest first, each with the viewer's role; one statement.

        Args:
            session: The request's session.
            viewer: Whose list it is.
            of_everyone: Also those that the viewer is no member of, with a role that is null.
            archived: Those that are archived; otherwise those that are not.
            team: Only this team's.
            member: Only those that this user is a member of as well.
            cursor: Of the page before.
            limit: The page's size.
        """
        # The same value either way, taken from the index that the list is read from.
        key = (Project.id if of_everyone else ProjectMember.project_id).label("id")
        columns = (column for column in Project.__table__.c if column is not Project.__table__.c.id)
        statement = (
            select(key, *columns, ProjectMember.role, _MEMBER_COUNT)
            .join(ProjectMember, _membership(viewer), isouter=of_everyone)
            .where(Project.archived_at.is_not(None) if archived else Project.archived_at.is_(None))
        )
        if team is not None:
            statement = statement.where(Project.team_id == team)
        if member is not None:
            theirs = select(_Other.project_id).join(User, (User.id == _Other.user_id) & LIVE)
            statement = statement.where(Project.id.in_(theirs.where(_Other.user_id == member)))
        rows = (await session.execute(keyset(statement, (key,), cursor, limit, descending=True))).all()
        return cut(rows, (key,), limit)

    async def change(self, session: WriteSession, key: UUID, changes: dict[str, Any]) -> Project | None:
        """Change some columns and return the row; `archived`, true or false, stands for `archived_at`.

        Raises:
            ConstraintViolationError: A constraint refused the change.
        """
        columns = dict(changes)
        if (archived := columns.pop("archived", None)) is not None:
            # What is archived keeps its date.
            columns["archived_at"] = func.coalesce(Project.archived_at, func.now()) if archived else None
        return await super().change(session, key, columns)

    async def lock(self, session: WriteSession, key: UUID) -> None:
        """Wait for whoever changes the members of a project, and keep others waiting until the commit."""
        # "No key": tasks that refer to the project may be written meanwhile.
        await session.execute(select(Project.id).where(Project.id == key).with_for_update(key_share=True))

    async def owners(self, session: ReadSession, key: UUID) -> dict[UUID, bool]:
        """Return the keys of a project's owners, and whether each could sign in and act as one."""
        statement = select(ProjectMember.user_id, User.is_active).join(
            User, (User.id == ProjectMember.user_id) & LIVE
        )
        found = await session.execute(
            statement.where(ProjectMember.project_id == key, ProjectMember.role == ProjectRole.OWNER)
        )
        return {row.user_id: row.is_active for row in found}

    async def members(self, session: ReadSession, key: UUID, users: Collection[UUID]) -> set[UUID]:
        """Return which of these users are in a project."""
        statement = select(ProjectMember.user_id).join(User, (User.id == ProjectMember.user_id) & LIVE)
        found = statement.where(ProjectMember.project_id == key, ProjectMember.user_id.in_(users))
        return set(await session.scalars(found))

    async def put_member(self, session: WriteSession, key: UUID, user: UUID, role: ProjectRole) -> bool:
        """Give a user a role in a project, a new member or not; return whether there is such a user."""
        new = upsert(ProjectMember).from_select(
            ["project_id", "user_id", "role"],
            select(literal(key), User.id, literal(role.value)).where(User.id == user, LIVE),
        )
        statement = new.on_conflict_do_update(
            index_elements=[ProjectMember.project_id, ProjectMember.user_id],
            set_={"role": new.excluded.role},
        )
        return await session.scalar(statement.returning(ProjectMember.user_id)) is not None

    async def remove_member(self, session: WriteSession, key: UUID, user: UUID) -> bool:
        """Take a user out of a project; return whether they were in it."""
        statement = delete(ProjectMember).where(
            ProjectMember.project_id == key, ProjectMember.user_id == user
        )
        return await session.scalar(statement.returning(ProjectMember.user_id)) is not None


def _membership(viewer: UUID) -> ColumnElement[bool]:
    """Return the condition that joins a project with the viewer's own membership."""
    return (ProjectMember.project_id == Project.id) & (ProjectMember.user_id == viewer)


projects = ProjectRepository(Project)
