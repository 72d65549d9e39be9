"""Which code is live is a row of the database."""

from __future__ import annotations

from typing import TYPE_CHECKING

import psycopg
import pytest

from infra.aws.sources import Revisions
from infra.branches import identity
from infra.branches.errors import TargetError
from infra.branches.identity import BranchIdentity
from infra.migrate import live, runner
from infra.migrate.errors import NotLiveError, UnknownRevisionError
from tests.support.histories import query

if TYPE_CHECKING:
    from pathlib import Path

    from infra.testing.databases import Database, World
    from tests.support.histories import History


class TestRecord:
    """`record`, and `read` after it."""

    def test_nothing_is_live_at_first(self, empty_database: Database) -> None:
        """Nobody has said so."""
        assert live.read(empty_database.direct, None) is None

    def test_is_read_back(self, history: History, empty_database: Database, tmp_path: Path) -> None:
        """What was recorded last counts; saying it again changes nothing."""
        history.write_three_tables()
        url = empty_database.direct
        runner.apply(history.project, url, revision="two")
        for head in ("one", "three", "three"):
            live.record(url, None, live.built_at(history.project, head), tmp_path)
        release = live.read(url, None)
        assert release is not None
        assert (release.head, release.artifact) == ("three", str(tmp_path))
        assert release.revisions == {"one", "two", "three"}
        assert query(url, "SELECT head FROM bough_release ORDER BY id") == [("one",), ("three",)]

    def test_says_nothing_of_a_branch_that_it_is_copied_to(
        self, history: History, empty_database: Database, world: World
    ) -> None:
        """A preview that is forked from production has code of its own, or none yet."""
        history.write("one", None, "pass")
        runner.apply(history.project, empty_database.direct)
        built = live.built_at(history.project, "head")
        live.record(empty_database.direct, None, built, None)
        with world.new_database(empty_database.name) as copy:
            preview = BranchIdentity(identity.PLAIN, "tests", "preview")
            with psycopg.connect(copy.direct.libpq(), autocommit=True) as connection:
                identity.mark(connection, preview)
            assert live.read(copy.direct, preview) is None
            live.record(copy.direct, preview, built, None)
            assert live.read(copy.direct, preview) is not None

    def test_refuses_code_whose_revisions_are_not_applied(
        self, history: History, empty_database: Database
    ) -> None:
        """It could not work there; the contract at its tail is not needed."""
        history.write_three_tables()
        runner.apply(history.project, empty_database.direct, revision="one")
        built = live.built_at(history.project, "head")
        with pytest.raises(NotLiveError, match="code of head three needs revision two"):
            live.record(empty_database.direct, None, built, None)
        assert live.read(empty_database.direct, None) is None

    def test_refuses_another_branch(self, empty_database: Database) -> None:
        """Nothing is said about a database that is not meant."""
        other = BranchIdentity(identity.PLAIN, "tests", "other")
        with pytest.raises(TargetError):
            live.record(empty_database.direct, other, Revisions(), None)
        with pytest.raises(TargetError):
            live.read(empty_database.direct, other)

    def test_leaves_the_application_role_nothing_to_falsify(self, empty_database: Database) -> None:
        """It may read which code is live."""
        live.record(empty_database.direct, None, Revisions(), None)
        with psycopg.connect(empty_database.pooled.libpq()) as application:
            assert application.execute("SELECT count(*) FROM bough_release").fetchone() == (1,)
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                application.execute("DELETE FROM bough_release")


class TestBuiltAt:
    """`built_at`."""

    def test_ends_at_the_head(self, history: History) -> None:
        """Newer revisions were not there yet."""
        history.write_three_tables()
        assert live.built_at(history.project, "two") == Revisions("two", "two", ("one", "two"))
        assert live.built_at(history.project, "head") == Revisions("three", "two", ("one", "three", "two"))

    def test_refuses_a_revision_that_is_not_there(self, history: History) -> None:
        """The hint lists the latest."""
        history.write_three_tables()
        with pytest.raises(UnknownRevisionError, match="four"):
            live.built_at(history.project, "four")
