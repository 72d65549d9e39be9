"""A small workspace to look around in: a team, what it works on, writes, sells and owns."""

from __future__ import annotations

import secrets
from collections import Counter
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.orm import Session

from api.auth.passwords import hash_password
from api.catalog.models import CatalogItem
from api.credits.models import Account, Transfer
from api.database.base import uuid7
from api.posts.models import Post, Status, post_tags
from api.posts.slugs import slug_of
from api.projects.models import Project, ProjectMember, ProjectRole
from api.tags.models import Tag
from api.tasks.models import Task, TaskStatus
from api.teams.models import Team, TeamMember
from api.users.models import Role, User
from scripts.seeding.connection import connect

if TYPE_CHECKING:
    from collections.abc import Iterator

    from api.database.base import Base
    from api.database.connection_url import DirectUrl
    from infra.branches.identity import BranchIdentity

_PEOPLE: Final = {"ada": Role.ADMIN, "grace": Role.MODERATOR, "alan": Role.USER, "hedy": Role.USER}
#: Who is in the project; the last of the people is not.
_PROJECT: Final = {"ada": ProjectRole.OWNER, "grace": ProjectRole.EDITOR, "alan": ProjectRole.VIEWER}

#: Author, title, body, tags; published one a day, the first is a draft.
_POSTS: Final = (
    (
        "alan",
        "What I have not finished thinking about",
        "A draft: only its author and moderators see it.",
        ("notes",),
    ),
    (
        "ada",
        "On analytical engines",
        "They weave algebraic patterns just as the loom weaves flowers and leaves.",
        ("history", "machines"),
    ),
    (
        "grace",
        "Compilers for people who have no time",
        "Let the machine translate. Keep the first error message short, and the second one shorter.",
        ("compilers", "machines"),
    ),
    (
        "hedy",
        "Frequency hopping, explained with a piano",
        "Two rolls of paper, punched alike, change the tune at the same moment at both ends.",
        ("history", "radio"),
    ),
    (
        "ada",
        "Notes on notes",
        "The notes grew three times as long as the article. That is how programs are documented.",
        ("history", "notes"),
    ),
)

#: Title, status, who does it.
_TASKS: Final = (
    ("Draw the mill", TaskStatus.DONE, "ada"),
    ("Compute the Bernoulli numbers", TaskStatus.IN_PROGRESS, "grace"),
    ("Find out who pays for the brass", TaskStatus.TODO, "ada"),
)

#: SKU, name, price, labels.
_ITEMS: Final = (
    ("TEE-BLUE-M", "T-shirt, blue, M", Decimal("19.90"), ["clothing", "new"]),
    ("MUG-ENGINE", "Mug with an engine", Decimal("12.50"), ["kitchen"]),
    ("POSTER-LOOM", "Poster of a loom, A2", Decimal("24.00"), ["print", "new"]),
)

_ISSUED: Final = 1000
_MOVED: Final = 250


def write(url: DirectUrl, expected: BranchIdentity | None = None) -> dict[str, Any]:
    """Write the workspace, in one transaction; return what was written and how to log in.

    Args:
        url: Where to.
        expected: The branch that it must be; without one it must be some branch.

    Raises:
        TargetError: It is another branch, or does not say which.
        SeedError: Nothing was written.
    """
    # Made up each time: a password that everyone knows must never reach a database that others can reach.
    password = secrets.token_urlsafe(12)
    with connect(url, expected) as connection:
        lent = sa.create_engine("postgresql+psycopg://", creator=lambda: connection, poolclass=sa.StaticPool)
        with Session(lent, expire_on_commit=False) as session, _driver_errors():
            people = _people(password)
            rows = [*people.values(), *_team(people), *_catalog(), *_credits(people)]
            # One by one: a row refers to the keys of those before it.
            for row in rows:
                session.add(row)
                session.flush()
            written = Counter(row.__tablename__ for row in rows) | _posts(session, people)
            session.commit()
    addresses = ", ".join(user.email for user in people.values())
    return {**written, "log_in_as": addresses, "password": password}


def _people(password: str) -> dict[str, User]:
    hashed = hash_password(password)
    return {
        name: User(id=uuid7(), username=name, email=f"{name}@example.com", hashed_password=hashed, role=role)
        for name, role in _PEOPLE.items()
    }


def _team(people: dict[str, User]) -> Iterator[Base]:
    team = Team(id=uuid7(), name="Looms and engines", description="Everything that weaves.")
    project = Project(
        id=uuid7(), team_id=team.id, name="Difference engine", description="Tables, by machine."
    )
    yield from (team, project)
    for user in people.values():
        yield TeamMember(user_id=user.id, team_id=team.id)
    for name, role in _PROJECT.items():
        yield ProjectMember(project_id=project.id, user_id=people[name].id, role=role)
    for title, status, name in _TASKS:
        yield Task(
            project_id=project.id,
            title=title,
            description="",
            status=status,
            completed_at=datetime.now(UTC) if status is TaskStatus.DONE else None,
            assignee_id=people[name].id,
            creator_id=people["ada"].id,
        )


def _catalog() -> Iterator[Base]:
    for sku, name, price, labels in _ITEMS:
        yield CatalogItem(sku=sku, name=name, description="", price=price, attributes={}, labels=labels)


def _credits(people: dict[str, User]) -> Iterator[Base]:
    """One account each; an admin issued credits, some of which have moved on."""
    admin = people["ada"].id
    accounts = {name: Account(id=uuid7(), owner_id=user.id, name="Main") for name, user in people.items()}
    first, second = accounts["ada"], accounts["grace"]
    first.balance, second.balance = _ISSUED - _MOVED, _MOVED
    yield from accounts.values()
    yield Transfer(to_account_id=first.id, amount=_ISSUED, memo="To begin with", created_by_id=admin)
    yield Transfer(
        from_account_id=first.id, to_account_id=second.id, amount=_MOVED, memo="Thanks", created_by_id=admin
    )


def _posts(session: Session, people: dict[str, User]) -> Counter[str]:
    names = sorted({name for *_, tags in _POSTS for name in tags})
    session.execute(upsert(Tag).on_conflict_do_nothing(), [{"id": uuid7(), "name": name} for name in names])
    tags = {tag.name: tag.id for tag in session.scalars(sa.select(Tag).where(Tag.name.in_(names)))}
    now = datetime.now(UTC)
    for days, (author, title, body, on) in enumerate(_POSTS):
        post = Post(id=uuid7(), author_id=people[author].id, title=title, slug=slug_of(title), body=body)
        if days:
            post.created_at = post.published_at = now - timedelta(days=days)
            post.status = Status.PUBLISHED
        session.add(post)
        session.flush()
        session.execute(sa.insert(post_tags), [{"post_id": post.id, "tag_id": tags[name]} for name in on])
    return Counter(posts=len(_POSTS), tags=len(names))


@contextmanager
def _driver_errors() -> Iterator[None]:
    """Raise the driver's own errors: SQLAlchemy's quote parameters, and a password's hash is one of them."""
    try:
        yield
    except sa.exc.DBAPIError as error:
        raise (error.orig or error) from None
