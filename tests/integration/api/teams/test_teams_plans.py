"""The planner uses the indexes that teams were given, on enough rows for it to have a choice."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import pytest_asyncio

from api.database.base import uuid7
from api.database.session import read
from api.teams.repository import teams
from tests.support.plans import plan

if TYPE_CHECKING:
    from tests.support.people import People

pytestmark = pytest.mark.asyncio

_FILL = """
INSERT INTO teams (id, name) SELECT gen_random_uuid(), 'Team ' || n FROM generate_series(1, 1000) n;
INSERT INTO users (id, email, username, hashed_password)
SELECT gen_random_uuid(), 'u' || n || '@example.com', 'u' || n, '-' FROM generate_series(1, 3000) n;
INSERT INTO team_members (user_id, team_id)
SELECT u.id, t.id FROM (SELECT id, row_number() OVER () n FROM users) u
JOIN (SELECT id, row_number() OVER () n FROM teams) t ON t.n = mod(u.n, 1000) + 1;
ANALYZE
"""


@pytest_asyncio.fixture(autouse=True)
async def many(people: People) -> None:
    """A thousand teams of three."""
    for statement in _FILL.split(";"):
        people.query(statement)


class TestPlans:
    """One index for each direction."""

    async def test_lists_read_names_in_the_unique_indexs_order(self) -> None:
        """From the cursor on, without a sort; members are counted for the page's teams only."""
        async with read() as session:
            _, cursor = await teams.page(session, None, 20)
        found = await plan(lambda session: teams.page(session, cursor, 20))
        assert "Index Scan using uq_teams_lower_name" in found
        assert "Index Cond: (lower(name) >" in found
        assert "ix_team_members_team_id" in found
        assert "Sort" not in found

    async def test_team_of_a_user_is_found_by_key(self) -> None:
        """The key is the user."""
        found = await plan(lambda session: teams.team_of(session, uuid7()))
        assert "Index Scan using pk_team_members" in found
