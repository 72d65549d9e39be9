"""Statements about teams and who is in them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import Row, Text, case, delete, func, select
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.orm import selectinload

from api.database.repository import Repository
from api.teams.models import Team, TeamMember
from api.users.models import LIVE, User
from api.web.pagination import cut, keyset

if TYPE_CHECKING:
    from uuid import UUID

    from api.database.session import ReadSession, WriteSession

Rows = tuple[list[Row[*tuple[Any, ...]]], str | None]

_MEMBER_COUNT: Final = (
    select(func.count())
    .select_from(TeamMember)
    .join(User, (User.id == TeamMember.user_id) & LIVE)
    .where(TeamMember.team_id == Team.id)
    .correlate(Team)
    .scalar_subquery()
    .label("member_count")
)
#: Names are unique in lower case, so this alone is an order; the unique index has it.
_NAME: Final = func.lower(Team.name, type_=Text).label("sort_name")


class TeamRepository(Repository[Team]):
    """Statements about the tables `teams` and `team_members`."""

    async def with_members(self, session: ReadSession, key: UUID) -> Team | None:
        """Return a team with its members, of whom only keys and names are loaded; two statements."""
        members = selectinload(Team.members.and_(LIVE)).load_only(User.username, raiseload=True)
        return await self.get(session, key, options=[members])

    async def page(self, session: ReadSession, cursor: str | None, limit: int) -> Rows:
        """Return a page of teams by name, each with the number of its members; one statement."""
        statement = select(*Team.__table__.c, _MEMBER_COUNT, _NAME)
        rows = (await session.execute(keyset(statement, (_NAME,), cursor, limit))).all()
        return cut(rows, (_NAME,), limit)

    async def statistics(
        self, session: ReadSession, min_members: int, cursor: str | None, limit: int
    ) -> Rows:
        """Return a page of teams of at least so many members, the largest first; one statement."""
        count = func.count().label("member_count")
        counted = (
            select(Team.id, Team.name, count, func.min(TeamMember.joined_at).label("first_joined_at"))
            .join(TeamMember, TeamMember.team_id == Team.id)
            .join(User, (User.id == TeamMember.user_id) & LIVE)
            .group_by(Team.id)
            .having(count >= min_members)
            .subquery()
        )
        order = (counted.c.member_count, counted.c.id)
        rows = (await session.execute(keyset(select(counted), order, cursor, limit, descending=True))).all()
        return cut(rows, order, limit)

    async def team_of(self, session: ReadSession, user: UUID) -> UUID | None:
        """Return the key of the team that a user is in."""
        return await session.scalar(select(TeamMember.team_id).where(TeamMember.user_id == user))

    async def put_member(self, session: WriteSession, key: UUID, user: UUID, *, move: bool) -> UUID | None:
        """Put a user into a team, out of another only if `move`; return the team they are in then.

        `None`: there is no such team, or no such user.
        """
        pair = select(Team.id, User.id).join(User, (User.id == user) & LIVE).where(Team.id == key)
        # Locked as the foreign keys would lock them, a moment earlier: of a team that is being deleted it
        # is seen that it is gone, instead of an error.
        pair = pair.with_for_update(read=True, key_share=True)
        new = upsert(TeamMember).from_select(["team_id", "user_id"], pair)
        excluded = new.excluded
        same = TeamMember.team_id == excluded.team_id
        moved = {
            "team_id": excluded.team_id,
            "joined_at": case((same, TeamMember.joined_at), else_=excluded.joined_at),
        }
        # Not DO NOTHING, which would return nothing.
        kept = {"team_id": TeamMember.team_id}
        statement = new.on_conflict_do_update(
            index_elements=[TeamMember.user_id], set_=moved if move else kept
        )
        return (await session.scalars(statement.returning(TeamMember.team_id))).one_or_none()

    async def remove_member(self, session: WriteSession, key: UUID, user: UUID) -> bool:
        """Take a user out of a team; return whether they were in it."""
        statement = delete(TeamMember).where(TeamMember.team_id == key, TeamMember.user_id == user)
        removed = await session.scalars(statement.returning(TeamMember.user_id))
        return removed.one_or_none() is not None


teams = TeamRepository(Team)
