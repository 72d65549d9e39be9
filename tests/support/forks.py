"""Forks without a provider: databases that PostgreSQL copies, which takes a twentieth of a second."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import psycopg

from infra.branches.identity import PLAIN, BranchIdentity
from infra.migrate.rehearsal.fork import Fork
from infra.migrate.rehearsal.results import ForkKind
from infra.migrate.rehearsal.target import Target

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from infra.migrate.rehearsal.fork import Origin
    from infra.testing.databases import Database, World


@dataclass
class TemplateForking:
    """Forks a database of the tests' world; who is connected to it then, such as its pooler, is no longer.

    Args:
        world: Where it is.
        meddle: Is done to a fork before anybody else sees it.
        forks: The names of those made until now.
    """

    world: World
    meddle: Callable[[Database], None] = lambda _: None
    forks: list[str] = field(default_factory=list)

    @contextmanager
    def __call__(self, origin: Origin, /) -> Iterator[Fork]:
        with psycopg.connect(self.world.superuser("postgres").libpq(), autocommit=True) as connection:
            connection.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s",
                [origin.url.database],
            )
        with self.world.new_database(origin.url.database) as copy:
            self.forks.append(copy.name)
            self.meddle(copy)
            who = BranchIdentity(PLAIN, "tests", copy.name)
            yield Fork(copy.direct, copy.pooled, ForkKind.BRANCH, who)


def target_of(database: Database, world: World) -> Target:
    """Return a database as what a rehearsal is for."""
    return Target(database.direct, None, TemplateForking(world))
