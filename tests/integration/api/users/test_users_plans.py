"""The planner uses the indexes that the list of users was given, on enough rows for it to have a choice."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import pytest_asyncio

from api.auth.repository import find_account
from api.users.models import Role
from api.users.repository import users
from tests.support.plans import plan

if TYPE_CHECKING:
    from tests.support.people import People

pytestmark = pytest.mark.asyncio

_USERS = """
INSERT INTO users (id, email, username, hashed_password, role, is_active)
SELECT gen_random_uuid(), left(md5(n::text), 12) || '@example.com', 'x' || left(md5('name' || n), 12), '',
       CASE WHEN mod(n, 1000) = 0 THEN 'moderator' ELSE 'user' END, mod(n, 500) <> 0
FROM generate_series(1, 10000) n
"""


@pytest_asyncio.fixture
async def many(people: People) -> None:
    """Ten thousand users, few of them moderators or inactive."""
    people.query(_USERS)
    people.query("ANALYZE users")


async def plan_of_page(**filters: Any) -> str:
    """Return the plan of a first page."""
    nothing: dict[str, Any] = {"role": None, "is_active": None, "prefix": None, "cursor": None, "limit": 20}
    return await plan(lambda session: users.page(session, **nothing | filters))


class TestPlans:
    """One index for each filter."""

    async def test_all_users_are_read_by_the_primary_key_backward(self, many: None) -> None:
        """No sort, however many there are."""
        found = await plan_of_page()
        assert "Index Scan Backward using pk_users" in found
        assert "Sort" not in found

    async def test_prefix_is_looked_up_in_both_unique_indexes(self, many: None) -> None:
        """By `text_pattern_ops` (`~>=~`), so that it works in any collation."""
        found = await plan_of_page(prefix="AbC")
        for name in ("email", "username"):
            assert f"Bitmap Index Scan on uq_users_lower_{name}" in found
            assert f"lower({name}) ~>=~ 'abc'::text" in found
        assert "Seq Scan" not in found

    async def test_common_prefix_is_met_soon_among_the_newest(self, many: None) -> None:
        """The planner knows how common one is, and does not collect all who have it."""
        found = await plan_of_page(prefix="x")
        assert "Index Scan Backward using pk_users" in found
        assert "Sort" not in found

    async def test_few_of_a_role_are_read_in_their_index(self, many: None) -> None:
        """In its order: the users before and between them are passed over."""
        found = await plan_of_page(role=Role.MODERATOR)
        assert "ix_users_role_id" in found
        assert "Sort" not in found or "Bitmap" in found

    async def test_inactive_are_read_in_their_index(self, many: None) -> None:
        """It holds nobody else."""
        assert "ix_users_inactive" in await plan_of_page(is_active=False)

    async def test_login_finds_an_account_by_the_unique_index(self, many: None) -> None:
        """The same one: equality needs no other."""
        found = await plan(lambda session: find_account(session, "Ada@Example.com"))
        assert "Index Scan using uq_users_lower_email" in found
