"""The planner uses the indexes that the statements were given, on enough rows for it to have a choice."""

from __future__ import annotations

from typing import TYPE_CHECKING
from uuid import UUID

import pytest

from api.credits.repository import accounts, transfers
from api.database.session import read
from api.web import idempotency_keys
from tests.support.credits import open_account
from tests.support.people import People
from tests.support.plans import plan

if TYPE_CHECKING:
    from collections.abc import Iterator

    from infra.testing.databases import Database, World

pytestmark = pytest.mark.asyncio

_FILL = """
INSERT INTO users (id, email, username, hashed_password)
SELECT gen_random_uuid(), n || '@example.com', 'user' || n, '' FROM generate_series(1, 50) n;
INSERT INTO accounts (id, owner_id, name)
SELECT gen_random_uuid(), id, 'account ' || n FROM users, generate_series(1, 40) n;
INSERT INTO accounts (id, owner_id, name)
SELECT gen_random_uuid(), owner_id, 'one more ' || n FROM accounts, generate_series(1, 500) n
WHERE name = 'main';
INSERT INTO transfers (id, from_account_id, to_account_id, amount, created_by_id)
SELECT gen_random_uuid(), a.id, b.id, 1, a.owner_id
FROM accounts a JOIN accounts b ON b.id > a.id AND right(a.name, 1) = right(b.name, 1) LIMIT 8000;
INSERT INTO transfers (id, from_account_id, to_account_id, amount, created_by_id)
SELECT gen_random_uuid(), CASE side WHEN 1 THEN b.id ELSE a.id END, CASE side WHEN 1 THEN a.id ELSE b.id END,
       1, a.owner_id
FROM accounts a, accounts b, generate_series(1, 2) side WHERE a.name = 'main' AND b.name <> 'main';
INSERT INTO idempotency_keys
SELECT id, n::text, '', '', 201, '', now() - n * interval '450 seconds' FROM users, generate_series(1, 200) n;
ANALYZE
"""


@pytest.fixture(scope="module")
def database(world: World, template: Database) -> Iterator[Database]:
    """Thousands of accounts, transfers and keys, for all tests of this file."""
    with world.new_database(template.name) as database:
        people = People(database)
        open_account(people, people.add(), credits_=5)
        for statement in _FILL.split(";"):
            people.query(statement)
        yield database


@pytest.fixture
def account(people: People) -> UUID:
    """One account of thousands, with thousands of transfers in each direction, among others."""
    [(key,)] = people.query("SELECT id FROM accounts WHERE name = 'main'")
    return UUID(str(key))


class TestPlans:
    """No statement reads a table."""

    async def test_history_reads_each_side_by_its_index(self, account: UUID) -> None:
        """In the index's order, from the cursor on, and no more of each than a page."""
        found = await plan(lambda s: transfers.history(s, account, None, 20))
        assert "Index Scan Backward using ix_transfers_from_account_id_id" in found
        assert "Index Scan Backward using ix_transfers_to_account_id_id" in found
        assert "Seq Scan" not in found

    async def test_list_reads_the_owners_accounts_in_order(self, account: UUID) -> None:
        """By the index that keeps their names unique: no sort."""
        async with read() as session:
            owned = await accounts.get(session, account)
        assert owned is not None
        owner = owned.owner_id
        found = await plan(lambda s: accounts.page(s, owner, None, 20))
        assert "Index Scan using uq_accounts_owner_id_lower_name" in found
        assert "Sort" not in found

    async def test_accounts_are_locked_in_order(self, account: UUID) -> None:
        """The locks are taken above the sort, not below it."""
        found = await plan(lambda s: accounts.lock(s, [account, UUID(int=1)]))
        lines = [line.strip(" ->").split("  ")[0] for line in found.splitlines()]
        assert lines[0] == "LockRows"
        assert lines[1] == "Sort" or lines[1].startswith("Index Scan using pk_accounts")
        assert "Seq Scan" not in found

    async def test_old_keys_are_found_by_their_age(self, account: UUID) -> None:
        """A write does not search the day's keys for those of the day before."""
        found = await plan(lambda s: idempotency_keys.store(s, account, "key", b""))
        assert "ix_idempotency_keys_created_at" in found
        assert "Seq Scan" not in found
