"""Statements about users and their profiles."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import Row, delete, exists, func, literal, not_, or_, select, update
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.orm import joinedload

from api.auth.models import RefreshTokenFamily
from api.database.patterns import prefix_pattern
from api.database.repository import Repository
from api.users.models import LIVE, Role, User, UserProfile
from api.web.pagination import cut, keyset

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import timedelta
    from uuid import UUID

    from sqlalchemy import ColumnElement
    from sqlalchemy.orm.interfaces import ORMOption

    from api.database.session import ReadSession, WriteSession

#: Newest first: the keys are UUIDv7, so the primary key's index is in the order of registration.
_ORDER = (User.id,)

ProfileRow = Row[str | None, str | None]


class UserRepository(Repository[User]):
    """Statements about the table `users`; none finds who is deleted, none loads a password's hash."""

    async def get(self, session: ReadSession, key: Any, *, options: Sequence[ORMOption] = ()) -> User | None:
        """Return the user with this key, with the relationships that `options` load."""
        statement = select(User).where(User.id == key, LIVE).options(*options)
        return (await session.scalars(statement)).one_or_none()

    async def get_with_profile(self, session: ReadSession, key: UUID) -> User | None:
        """Return a user and their profile, in one statement: one row joins at most one."""
        return await self.get(session, key, options=[joinedload(User.profile)])

    async def page(
        self,
        session: ReadSession,
        *,
        role: Role | None,
        is_active: bool | None,
        prefix: str | None,
        cursor: str | None,
        limit: int,
    ) -> tuple[list[User], str | None]:
        """Return a page of users, the newest first, and the next page's cursor.

        Args:
            session: The request's session.
            role: Only who has it.
            is_active: Only who is, or is not.
            prefix: Only whose username or address begins so, in whatever case.
            cursor: Of the page before.
            limit: The page's size.
        """
        statement = select(User).where(LIVE)
        if role is not None:
            statement = statement.where(User.role == role)
        if is_active is not None:
            # As the partial index has it.
            statement = statement.where(User.is_active if is_active else not_(User.is_active))
        if prefix is not None:
            statement = statement.where(_begins_with(prefix))
        rows = await self.list(session, keyset(statement, _ORDER, cursor, limit, descending=True))
        return cut(rows, _ORDER, limit)

    async def change(self, session: WriteSession, key: UUID, changes: dict[str, Any]) -> User | None:
        """Change some columns and return the user; `None` when there is none.

        Raises:
            ConstraintViolationError: A constraint refused the change.
        """
        if not changes:
            return await self.get(session, key)
        statement = update(User).where(User.id == key, LIVE).values(changes).returning(User)
        return (await session.scalars(statement)).one_or_none()

    async def lock_admins(self, session: WriteSession) -> set[UUID]:
        """Return who is an active admin, and keep it so until the commit."""
        statement = select(User.id).where(User.role == Role.ADMIN, User.is_active, LIVE)
        # By key, so that two requests wait for each other in one order.
        locked = statement.order_by(User.id).with_for_update(key_share=True)
        return set(await session.scalars(locked))

    async def delete(self, session: WriteSession, key: UUID) -> bool:
        """Delete a user, as `User` describes it; return whether there was one."""
        erased = {"email": "", "hashed_password": None, "is_active": False, "deleted_at": func.now()}
        if await self.change(session, key, erased) is None:
            return False
        await session.execute(delete(UserProfile).where(UserProfile.user_id == key))
        return True

    async def deactivate_inactive(self, session: WriteSession, unused: timedelta, *, but: UUID) -> int:
        """Deactivate whoever has not used their account for so long, and end their logins.

        Using it is to log in or to refresh a login; who never did counts from their registration. Admins
        stay, and so does who has no password: other issuers do not tell when somebody logs in.

        Args:
            session: The transaction.
            unused: For how long.
            but: A user who stays in any case.

        Returns:
            How many they were.
        """
        since = func.now() - literal(unused)
        used = exists().where(RefreshTokenFamily.user_id == User.id, RefreshTokenFamily.updated_at >= since)
        gone = (
            update(User)
            .where(
                User.is_active,
                func.coalesce(User.last_login_at, User.created_at) < since,
                not_(used),
                User.role != Role.ADMIN,
                User.hashed_password.is_not(None),
                User.id != but,
            )
            .values(is_active=False)
            .returning(User.id)
            .cte("gone")
        )
        ended = (
            delete(RefreshTokenFamily).where(RefreshTokenFamily.user_id.in_(select(gone.c.id))).cte("ended")
        )
        statement = select(func.count()).select_from(gone).add_cte(ended)
        return (await session.scalars(statement)).one()

    async def profile(self, session: ReadSession, key: UUID) -> ProfileRow | None:
        """Return a user's `bio` and `avatar_path`, null where they wrote none; `None` without such a user."""
        statement = (
            select(UserProfile.bio, UserProfile.avatar_path)
            .select_from(User)
            .outerjoin(User.profile)
            .where(User.id == key, LIVE)
        )
        return (await session.execute(statement)).one_or_none()

    async def set_profile(
        self, session: WriteSession, key: UUID, changes: dict[str, str | None]
    ) -> ProfileRow | None:
        """Change some columns of a user's profile, made if need be; return what `profile` does.

        Raises:
            ConstraintViolationError: A constraint refused the change.
        """
        # Locked: a deletion at the same time leaves no profile behind, whichever comes first.
        owner = select(User.id, *map(literal, changes.values())).where(User.id == key, LIVE)
        statement = upsert(UserProfile).from_select(["user_id", *changes], owner.with_for_update(read=True))
        statement = statement.on_conflict_do_update(
            index_elements=[UserProfile.user_id],
            set_={column: statement.excluded[column] for column in changes},
        )
        return (
            await session.execute(statement.returning(UserProfile.bio, UserProfile.avatar_path))
        ).one_or_none()


def _begins_with(prefix: str) -> ColumnElement[bool]:
    """Return the condition that the unique indexes answer, both at once."""
    pattern = func.lower(prefix_pattern(prefix))
    return or_(func.lower(User.username).like(pattern), func.lower(User.email).like(pattern))


users = UserRepository(User)
