"""Rows in every table of the sample domain, all within reach of one user."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from sqlalchemy import insert

from api.posts.models import Status, post_tags
from api.projects.models import ProjectRole
from api.tasks.models import task_tags
from tests.factories.catalog import CatalogItemFactory
from tests.factories.credits import AccountFactory, TransferFactory
from tests.factories.posts import PostFactory, TagFactory
from tests.factories.projects import ProjectFactory, ProjectMemberFactory
from tests.factories.tasks import TaskFactory
from tests.factories.teams import TeamFactory, TeamMemberFactory
from tests.factories.users import UserFactory, UserProfileFactory

if TYPE_CHECKING:
    from collections.abc import Sequence
    from uuid import UUID

    from api.database.session import WriteSession


async def add_samples(session: WriteSession, user: UUID, size: int) -> dict[str, Any]:
    """Add `size` rows to every table: to others' lists by keys of the first, to this user's by their own.

    Returns:
        A value for each parameter of a path.
    """
    others = await UserFactory.add_batch(session, size)
    tags = await TagFactory.add_batch(session, size)
    sku = f"SAMPLE-{size}"
    await CatalogItemFactory.add(session, sku=sku)
    await CatalogItemFactory.add_batch(session, size - 1)
    for other in others:
        await UserProfileFactory.add(session, user_id=other.id)
    team, project = await _add_projects(session, user, [other.id for other in others])
    tasks = await TaskFactory.add_batch(session, size, project_id=project, creator_id=user, assignee_id=user)
    posts = await _add_posts(session, user, size)
    accounts = await AccountFactory.add_batch(session, size, owner_id=user)
    await TransferFactory.add_batch(session, size, to_account_id=accounts[0].id, created_by_id=user)
    for tag in tags:
        await session.execute(insert(post_tags), [{"post_id": post.id, "tag_id": tag.id} for post in posts])
        await session.execute(insert(task_tags), [{"task_id": task.id, "tag_id": tag.id} for task in tasks])
    return {
        "user_id": others[0].id,
        "team_id": team,
        "project_id": project,
        "task_id": tasks[0].id,
        "post_id": posts[0].id,
        "slug": posts[0].slug,
        "account_id": accounts[0].id,
        "sku": sku,
    }


async def _add_posts(session: WriteSession, user: UUID, size: int) -> list[Any]:
    """Add posts that the documented examples of searches find, and drafts."""
    title = "On analytical engines"
    await PostFactory.add_batch(session, size, author_id=user, title=title)
    published = {"status": Status.PUBLISHED, "published_at": datetime.now(UTC)}
    return await PostFactory.add_batch(session, size, author_id=user, title=title, **published)


async def _add_projects(session: WriteSession, user: UUID, others: Sequence[UUID]) -> tuple[UUID, UUID]:
    """Add teams of one, and projects of the first that everyone is in; return the first of each."""
    teams = await TeamFactory.add_batch(session, len(others))
    projects = await ProjectFactory.add_batch(session, len(others), team_id=teams[0].id)
    for team, project, other in zip(teams, projects, others, strict=True):
        await TeamMemberFactory.add(session, user_id=other, team_id=team.id)
        await ProjectMemberFactory.add(session, project_id=project.id, user_id=user, role=ProjectRole.OWNER)
        await ProjectMemberFactory.add(session, project_id=projects[0].id, user_id=other)
    return teams[0].id, projects[0].id
