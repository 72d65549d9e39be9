"""The rules about teams: a user is in one at most; what keeps a team from being deleted.

Everyone signed in sees teams and who is in them. The routes say which role may change what.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from api.database.errors import ForeignKeyViolationError, UniqueViolationError
from api.teams.models import UNIQUE_NAME, Team
from api.teams.repository import teams
from api.teams.schemas import TeamDetail, TeamRead, TeamStatistics, TeamSummary
from api.users.service import UserNotFoundError
from api.web.pagination import Page
from api.web.problems import ConflictError, NotFoundError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from uuid import UUID

    from api.database.session import ReadSession, WriteSession
    from api.teams.schemas import TeamCreate, TeamUpdate


class TeamNotFoundError(NotFoundError):
    """No team has this id."""

    code = "TEAM_NOT_FOUND"

    def __init__(self) -> None:
        """Say what is missing."""
        super().__init__("There is no such team.")


class TeamMemberNotFoundError(NotFoundError):
    """The user is not in the team, or there is no such team or user."""

    code = "TEAM_MEMBER_NOT_FOUND"


class TeamNameTakenError(ConflictError):
    """Another team has this name, in whatever case."""

    code = "TEAM_NAME_TAKEN"


class TeamInUseError(ConflictError):
    """Something belongs to the team that does not go with it."""

    code = "TEAM_IN_USE"


class InAnotherTeamError(ConflictError):
    """A user is in one team at most."""

    code = "IN_ANOTHER_TEAM"


async def create(session: WriteSession, new: TeamCreate) -> TeamRead:
    """Add a team, with nobody in it.

    Raises:
        TeamNameTakenError: The name is taken.
    """
    with _conflicts_named():
        return TeamRead.model_validate(await teams.add(session, Team(**new.model_dump())))


async def read(session: ReadSession, key: UUID) -> TeamDetail:
    """Return a team with its members.

    Raises:
        TeamNotFoundError: There is no such team.
    """
    return TeamDetail.model_validate(_found(await teams.with_members(session, key)))


async def page(session: ReadSession, cursor: str | None, limit: int) -> Page[TeamSummary]:
    """Return a page of teams, by name."""
    rows, next_cursor = await teams.page(session, cursor, limit)
    return Page(items=[TeamSummary.model_validate(row) for row in rows], next_cursor=next_cursor)


async def statistics(
    session: ReadSession, min_members: int, cursor: str | None, limit: int
) -> Page[TeamStatistics]:
    """Return a page of teams that are not too small, the largest first."""
    rows, next_cursor = await teams.statistics(session, min_members, cursor, limit)
    return Page(items=[TeamStatistics.model_validate(row) for row in rows], next_cursor=next_cursor)


async def update(session: WriteSession, key: UUID, sent: TeamUpdate) -> TeamRead:
    """Change the fields that were sent.

    Raises:
        TeamNotFoundError: There is no such team.
        TeamNameTakenError: The name is taken.
    """
    with _conflicts_named():
        return TeamRead.model_validate(_found(await teams.change(session, key, sent.changes())))


async def delete(session: WriteSession, key: UUID) -> None:
    """Delete a team; who was in it is in none then.

    Raises:
        TeamNotFoundError: There is no such team.
        TeamInUseError: Something belongs to it.
    """
    try:
        deleted = await teams.delete(session, key)
    except ForeignKeyViolationError as error:
        # Whatever its constraint: what belongs to teams is not for teams to know.
        raise TeamInUseError("The team still has projects, or the like; delete those first.") from error
    if not deleted:
        raise TeamNotFoundError


async def put_member(session: WriteSession, key: UUID, user: UUID, *, move: bool) -> None:
    """Put a user into a team; harmless when repeated.

    Args:
        session: The transaction.
        key: The team's.
        user: The user's key.
        move: Take the user out of another team, instead of refusing.

    Raises:
        TeamNotFoundError: There is no such team.
        UserNotFoundError: There is no such user.
        InAnotherTeamError: The user is in another team, and `move` was not asked for.
    """
    team = await teams.put_member(session, key, user, move=move)
    if team is None:
        _found(await teams.get(session, key))
        raise UserNotFoundError
    if team != key:
        other = _found(await teams.get(session, team))
        raise InAnotherTeamError(
            f'The user is in the team "{other.name}"; send move=true to take them out of it.',
            team_id=str(team),
        )


async def remove_member(session: WriteSession, key: UUID, user: UUID) -> None:
    """Take a user out of a team.

    Raises:
        TeamMemberNotFoundError: They are not in it.
    """
    if not await teams.remove_member(session, key, user):
        raise TeamMemberNotFoundError("This user is not in this team.")


def _found(team: Team | None) -> Team:
    if team is None:
        raise TeamNotFoundError
    return team


@contextmanager
def _conflicts_named() -> Iterator[None]:
    """Turn a violated unique index into the error that says which value is taken."""
    try:
        yield
    except UniqueViolationError as error:
        if error.constraint == UNIQUE_NAME.name:
            raise TeamNameTakenError("Another team has this name.") from error
        raise
