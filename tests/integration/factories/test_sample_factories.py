"""The sample domain's factories: the database takes what they make, several times over."""

from __future__ import annotations

import pytest

from tests.factories.catalog import CatalogItemFactory
from tests.factories.credits import AccountFactory, TransferFactory
from tests.factories.posts import PostFactory, TagFactory
from tests.factories.projects import ProjectFactory, ProjectMemberFactory
from tests.factories.tasks import TaskFactory
from tests.factories.teams import TeamFactory, TeamMemberFactory
from tests.factories.users import UserFactory, UserProfileFactory

pytestmark = pytest.mark.asyncio


async def test_rows_need_nothing_but_what_they_refer_to(session):
    """No factory has to be told more than foreign keys; no value is taken already."""
    for _ in range(2):
        user = await UserFactory.add(session)
        await UserProfileFactory.add(session, user_id=user.id)
        await PostFactory.add(session, author_id=user.id)
        await TagFactory.add(session)
        team = await TeamFactory.add(session)
        await TeamMemberFactory.add(session, team_id=team.id, user_id=user.id)
        project = await ProjectFactory.add(session, team_id=team.id)
        await ProjectMemberFactory.add(session, project_id=project.id, user_id=user.id)
        await TaskFactory.add(session, project_id=project.id, creator_id=user.id, assignee_id=user.id)
        await CatalogItemFactory.add(session)
        account = await AccountFactory.add(session, owner_id=user.id)
        await TransferFactory.add(session, to_account_id=account.id, created_by_id=user.id)
