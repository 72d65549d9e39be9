"""What the statements about users load, and what the table refuses."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from sqlalchemy.exc import InvalidRequestError

from api.database.base import uuid7
from api.database.errors import CheckViolationError, UniqueViolationError
from api.database.session import read, write
from api.users.models import UNIQUE_EMAIL, UNIQUE_USERNAME, User
from api.users.repository import users

if TYPE_CHECKING:
    from tests.support.people import People

pytestmark = pytest.mark.asyncio


class TestUserRepository:
    """The table `users`."""

    async def test_never_loads_a_hash(self, people: People) -> None:
        """Who did not name the column cannot leak it, not even by accident."""
        ada = people.add()
        async with read() as session:
            found = await users.get(session, ada.id)
            assert found is not None
            with pytest.raises(InvalidRequestError):
                _ = found.hashed_password

    async def test_update_says_whether_there_is_such_a_user(self, people: People) -> None:
        """Without a statement that looks first."""
        ada = people.add()
        async with read() as session, write(session) as writer:
            assert await users.update(writer, ada.id, {"username": "countess"})
            assert not await users.update(writer, uuid7(), {"username": "nobody"})

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
        people: People,
        changes: dict[str, str],
        error: type[UniqueViolationError | CheckViolationError],
        constraint: str,
    ) -> None:
        """The name is what tells conflicts apart."""
        ada, _ = people.add("ada"), people.add("ben")
        async with read() as session:
            with pytest.raises(error) as caught:
                async with write(session) as writer:
                    await users.update(writer, ada.id, changes)
        assert caught.value.constraint == constraint

    async def test_added_user_has_the_servers_defaults(self, people: People) -> None:
        """They come back with the INSERT."""
        async with read() as session, write(session) as writer:
            added = await users.add(
                writer, User(email="ada@example.com", username="ada", hashed_password="x")
            )
        assert (added.role, added.is_active) == ("user", True)
        assert added.created_at == added.updated_at
        assert people.query("SELECT id FROM users") == [(added.id,)]
