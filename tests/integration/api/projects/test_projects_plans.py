"""The planner uses the indexes that projects were given, on enough rows for it to have a choice."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import pytest_asyncio

from api.database.session import read
from api.projects.repository import projects
from tests.support.plans import plan

if TYPE_CHECKING:
    from uuid import UUID

    from tests.support.people import People

pytestmark = pytest.mark.asyncio

_FILL = """
INSERT INTO users (id, email, username, hashed_password)
SELECT gen_random_uuid(), 'u' || n || '@example.com', 'u' || n, '-' FROM generate_series(1, 100) n;
INSERT INTO teams (id, name) SELECT gen_random_uuid(), 'Team ' || n FROM generate_series(1, 100) n;
INSERT INTO projects (id, team_id, name)
SELECT gen_random_uuid(), t.id, 'Project ' || n FROM teams t, generate_series(1, 30) n;
INSERT INTO project_members (project_id, user_id, role)
SELECT p.id, u.id, 'owner' FROM (SELECT id, row_number() OVER () n FROM projects) p
JOIN (SELECT id, row_number() OVER () n FROM users) u ON mod(p.n, 25) = mod(u.n, 25);
ANALYZE
"""
_LIST: dict[str, Any] = {
    "of_everyone": False,
    "archived": False,
    "team": None,
    "member": None,
    "cursor": None,
    "limit": 20,
}


@pytest_asyncio.fixture
async def members(people: People) -> list[UUID]:
    """A hundred users in some of three thousand projects."""
    for statement in _FILL.split(";"):
        people.query(statement)
    return [row[0] for row in people.query("SELECT id FROM users ORDER BY id LIMIT 2")]


class TestPlans:
    """One index for each list."""

    async def test_own_projects_are_read_in_the_members_indexs_order(self, members: list[UUID]) -> None:
        """From the cursor on, without a sort."""
        async with read() as session:
            _, cursor = await projects.page(session, members[0], **_LIST)
        found = await plan(lambda session: projects.page(session, members[0], **_LIST | {"cursor": cursor}))
        assert "Index Scan Backward using ix_project_members_user_id_project_id" in found
        assert "(project_id <" in found
        assert "Sort" not in found

    async def test_members_are_counted_by_the_primary_key(self, members: list[UUID]) -> None:
        """For the page's projects only."""
        found = await plan(lambda session: projects.page(session, members[0], **_LIST))
        assert "pk_project_members" in found
        assert "Seq Scan on project_members" not in found

    async def test_projects_of_a_team_are_read_by_the_teams_index(
        self, people: People, members: list[UUID]
    ) -> None:
        """It begins with the team, so it also serves the foreign key."""
        [(team,)] = people.query("SELECT id FROM teams LIMIT 1")
        found = await plan(
            lambda session: projects.page(session, members[0], **_LIST | {"of_everyone": True, "team": team})
        )
        assert "uq_projects_team_id_lower_name" in found

    async def test_role_is_found_by_two_keys(self, members: list[UUID]) -> None:
        """What every request for something in a project begins with."""
        found = await plan(lambda session: projects.access(session, members[0], members[1]))
        assert "pk_projects" in found
        assert "project_members" in found
        assert "Seq Scan" not in found
