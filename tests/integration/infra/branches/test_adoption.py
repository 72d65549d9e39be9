"""A database is taken for a branch only when it is named, and only on the provider's own way to it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import psycopg
import pytest

from infra.branches import identity
from infra.branches.adoption import adopt, adopt_plain
from infra.branches.errors import TargetError
from infra.branches.identity import BranchIdentity
from infra.branches.provider import Branch, DatabaseRole
from infra.context import ProviderName
from infra.deadline import Deadline
from infra.migrate.errors import DatabaseUnreachableError
from infra.testing.databases import APPLICATION
from tests.support.branches import branch

if TYPE_CHECKING:
    from api.database.connection_url import DirectUrl, PooledUrl
    from infra.testing.databases import Database, World

PREVIEW = BranchIdentity("supabase", "calm-lake-1", "br-pr-7", "pr-7")


@dataclass
class Host:
    """A provider whose branch is the test's own database."""

    world: World
    database: Database

    def get(self, _: str) -> Branch:
        return branch("pr-7")

    def direct_url(self, _: str, role: DatabaseRole) -> DirectUrl:
        direct = self.database.direct
        if role is DatabaseRole.OWNER:
            return direct
        return direct.replace(user=APPLICATION, password=self.world.application_password)

    def pooled_url(self, _: str, role: DatabaseRole) -> PooledUrl:
        # The tests' pooler knows the application role only.
        return self.database.pooled


def stated(url: DirectUrl) -> BranchIdentity | None:
    with psycopg.connect(url.libpq()) as connection:
        return identity.read(connection)


def unmark(url: DirectUrl) -> None:
    with psycopg.connect(url.libpq()) as connection:
        connection.execute("DROP TABLE bough_branch")


class TestAdopt:
    """`adopt`."""

    @pytest.fixture
    def host(self, world: World, empty_database: Database) -> Host:
        """A provider with one branch, marked as something else."""
        return Host(world, empty_database)

    def adopt(self, host: Host, url: DirectUrl | None = None):
        return adopt(
            host,  # type: ignore[arg-type]  # as much of a provider as is used
            ProviderName.SUPABASE,
            "pr-7",
            application=APPLICATION,
            deadline=Deadline(20),
            announce=lambda _: None,
            url=url,
        )

    def test_replaces_the_mark(self, host: Host) -> None:
        """What a copy says of its parent is overwritten, and reported."""
        adopted = self.adopt(host)
        assert adopted.identity == stated(host.database.direct) == PREVIEW
        assert adopted.before == BranchIdentity(identity.PLAIN, "tests", host.database.name)
        assert self.adopt(host).before == PREVIEW

    def test_marks_an_unmarked_one(self, host: Host) -> None:
        """With the caller's own connection string too, when it is the provider's."""
        unmark(host.database.direct)
        assert self.adopt(host, host.database.direct.replace(password="whatever")).before is None
        assert stated(host.database.direct) == PREVIEW

    def test_refuses_another_way(self, host: Host) -> None:
        """A connection string that the provider does not state proves nothing; no password is shown."""
        for change in ({"host": "127.0.0.2"}, {"port": 9}, {"user": "other"}, {"database": "other"}):
            with pytest.raises(TargetError, match=r"is not the way to pr-7 \(br-pr-7\)") as failure:
                self.adopt(host, host.database.direct.replace(**change))  # type: ignore[arg-type]  # one of four
            assert host.world.owner_password not in str(failure.value)
        assert stated(host.database.direct) != PREVIEW


class TestAdoptPlain:
    """`adopt_plain`."""

    def test_marks_with_the_project_and_the_name(self, empty_database: Database) -> None:
        """Whatever it said before; its application role can read it."""
        unmark(empty_database.direct)
        assert adopt_plain(empty_database.direct, project="shop", name="staging").before is None
        again = adopt_plain(empty_database.direct, project="shop", name="test")
        assert str(again.before) == "staging of project shop"
        with psycopg.connect(empty_database.pooled.libpq()) as application:
            assert str(identity.read(application)) == "test of project shop"

    def test_says_when_there_is_no_way(self, empty_database: Database) -> None:
        """As every command on a direct connection string does."""
        with pytest.raises(DatabaseUnreachableError):
            adopt_plain(empty_database.direct.replace(password="wrong"), project="shop", name="staging")
