"""What the statements about logins do when somebody else is faster."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from api.auth import repository
from api.auth.tokens import new_refresh_token
from api.database.base import uuid7
from api.database.session import read, write
from tests.support.people import hashed_password

if TYPE_CHECKING:
    from tests.support.people import People, Person

pytestmark = pytest.mark.asyncio

DAY = timedelta(days=1)


def account_of(person: Person) -> repository.Account:
    return repository.Account(person.id, hashed_password(), is_active=True)


class TestAddFamily:
    """A login is stored only while what was checked still holds."""

    @pytest.mark.parametrize(
        "meanwhile", ["UPDATE users SET hashed_password = 'x'", "UPDATE users SET is_active = false"]
    )
    async def test_is_refused_when_the_account_changed(self, people: People, meanwhile: str) -> None:
        """Otherwise a login with the old password would survive the change that was to end it."""
        account = account_of(people.add())
        people.query(meanwhile)
        async with read() as session, write(session) as writer:
            assert not await repository.add_family(writer, new_refresh_token(uuid7()), account, DAY)
        assert people.query("SELECT count(*) FROM refresh_token_families") == [(0,)]

    async def test_waits_for_a_change_that_is_not_committed_yet(self, people: People) -> None:
        """A password change in another transaction comes first: then there is no login."""
        account = account_of(people.add())

        async def log_in() -> bool:
            async with read() as session, write(session) as writer:
                return await repository.add_family(writer, new_refresh_token(uuid7()), account, DAY)

        async with read() as session, write(session) as writer:
            changed = await repository.set_password(writer, account.id, old=account.hashed_password, new="x")
            login = asyncio.create_task(log_in())
            await asyncio.sleep(0.1)
            assert not login.done()
        assert changed
        assert not await login

    async def test_logins_of_one_user_do_not_refuse_each_other(self, people: People) -> None:
        """They wait, and each gets its row."""
        account = account_of(people.add())

        async def log_in() -> bool:
            async with read() as session, write(session) as writer:
                return await repository.add_family(writer, new_refresh_token(uuid7()), account, DAY)

        assert all(await asyncio.gather(*(log_in() for _ in range(6))))
        assert people.query("SELECT count(*) FROM refresh_token_families") == [(6,)]


class TestSetPassword:
    """Compare and set."""

    async def test_replaces_only_the_hash_that_was_seen(self, people: People) -> None:
        """Whoever checked an older one is too late."""
        ada = people.add()
        async with read() as session, write(session) as writer:
            assert not await repository.set_password(writer, ada.id, old="seen before", new="x")
            assert await repository.set_password(writer, ada.id, old=hashed_password(), new="x")
        assert people.query("SELECT hashed_password FROM users") == [("x",)]
