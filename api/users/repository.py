"""Statements about users."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import select, update

from api.database.repository import Repository
from api.users.models import User
from api.web.pagination import cut, keyset

if TYPE_CHECKING:
    from uuid import UUID

    from api.database.session import ReadSession, WriteSession

#: Newest first: the keys are UUIDv7, so the primary key's index is in the order of registration.
_ORDER = (User.id,)


class UserRepository(Repository[User]):
    """Statements about the table `users`; none of them loads a password's hash."""

    async def page(
        self, session: ReadSession, cursor: str | None, limit: int
    ) -> tuple[list[User], str | None]:
        """Return a page of users, the newest first, and the next page's cursor."""
        rows = await self.list(session, keyset(select(User), _ORDER, cursor, limit, descending=True))
        return cut(rows, _ORDER, limit)

    async def update(self, session: WriteSession, key: UUID, changes: dict[str, Any]) -> User | None:
        """Change some columns and return the row; `None` when there is none.

        Raises:
            ConstraintViolationError: A constraint refused the change.
        """
        statement = update(User).where(User.id == key).values(changes).returning(User)
        return (await session.scalars(statement)).one_or_none()


users = UserRepository(User)
