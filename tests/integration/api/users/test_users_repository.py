"""What the statements about users load, and what the table refuses."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from sqlalchemy.exc import InvalidRequestError

from api.database.base import uuid7
from api.database.errors import CheckViolationError, UniqueViolationError
from api.users.models import UNIQUE_EMAIL, UNIQUE_USERNAME, User
from api.users.repository import users
from tests.factories.users import UserFactory

if TYPE_CHECKING:
    from api.database.session import WriteSession

pytestmark = pytest.mark.asyncio


class TestUserRepository:
    """The table `users`."""

    async def test_never_loads_a_hash(self, session: WriteSession) -> None:
        """Who did not name the column cannot leak it, not even by accident."""
        ada = await UserFactory.add(session, hashed_password="a hash")
        session.expunge(ada)
        found = await users.get(session, ada.id)
        assert found is not None
        with pytest.raises(InvalidRequestError):
            _ = found.hashed_password

    async def test_change_says_whether_there_is_such_a_user(self, session: WriteSession) -> None:
        """Without a statement that looks first."""
        ada = await UserFactory.add(session)
        changed = await users.change(session, ada.id, {"username": "countess"})
        assert changed is not None
        assert changed.username == "countess"
        assert await users.change(session, uuid7(), {"username": "nobody"}) is None
        assert await users.delete(session, ada.id)
        for changes in ({"username": "ada"}, {}):
            assert await users.change(session, ada.id, changes) is None

    @pytest.mark.parametrize(
        ("changes", "error", "constraint"),
        [
            ({"email": "BEN@EXAMPLE.COM"}, UniqueViolationError, UNIQUE_EMAIL.name),
            ({"username": "BEN"}, UniqueViolationError, UNIQUE_USERNAME.name),
            ({"role": "root"}, CheckViolationError, "ck_users_role"),
        ],
    )
    async def test_table_refuses_by_named_constraints(
        self,
        session: WriteSession,
        changes: dict[str, str],
        error: type[UniqueViolationError | CheckViolationError],
        constraint: str,
    ) -> None:
        """The name is what tells conflicts apart."""
        ada = await UserFactory.add(session, username="ada")
        await UserFactory.add(session, username="ben")
        with pytest.raises(error) as caught:
            await users.change(session, ada.id, changes)
        assert caught.value.constraint == constraint

    async def test_added_user_has_the_servers_defaults(self, session: WriteSession) -> None:
        """They come back with the INSERT."""
        added = await users.add(session, User(email="ada@example.com", username="ada"))
        assert (added.role, added.is_active) == ("user", True)
        assert added.created_at == added.updated_at
