"""A migration runs only on a database that says which branch it is, and on the one that was meant."""

from __future__ import annotations

from typing import TYPE_CHECKING

import psycopg
import pytest

from infra.branches import identity
from infra.branches.errors import TargetError, TargetUnmarkedError
from infra.branches.identity import BranchIdentity
from infra.migrate import lock, runner
from tests.support.histories import query, tables

if TYPE_CHECKING:
    from infra.testing.databases import Database
    from tests.support.histories import History

OTHER = BranchIdentity(identity.PLAIN, "tests", "other")
UNMARK = "DROP TABLE bough_branch"


class TestTarget:
    """`apply`, `rollback` and `target`, before anything is changed."""

    def test_announces_the_branch_first(self, history: History, empty_database: Database) -> None:
        """Who waits for the lock already reads where."""
        history.write_three_tables()
        said: list[str] = []

        def announce(text: str) -> None:
            assert tables(empty_database.direct) == set()
            said.append(text)

        runner.apply(history.project, empty_database.direct, announce=announce)
        assert said == [f"→ {empty_database.name} of project tests"]

    def test_runs_on_the_expected_branch(self, history: History, empty_database: Database) -> None:
        """The name that the caller knows is announced with it."""
        history.write_three_tables()
        expected = BranchIdentity(identity.PLAIN, "tests", empty_database.name, "staging")
        said: list[str] = []
        runner.apply(history.project, empty_database.direct, expected=expected, announce=said.append)
        runner.rollback(history.project, empty_database.direct, expected=expected, to="base")
        assert said == [f"→ staging ({empty_database.name}) of project tests"]
        assert runner.target(empty_database.direct, expected).name == "staging"

    def test_refuses_another_branch(self, history: History, empty_database: Database) -> None:
        """Nothing is changed, and the lock is not even asked for: its holder need not be waited for."""
        history.write_three_tables()
        runner.apply(history.project, empty_database.direct, revision="one")
        with psycopg.connect(empty_database.direct.libpq(), autocommit=True) as busy:
            busy.execute("SELECT pg_advisory_lock(%s)", (lock.KEY,))
            with pytest.raises(
                TargetError, match=f"is {empty_database.name} of .*, not other of project tests"
            ):
                runner.apply(history.project, empty_database.direct, expected=OTHER)
            with pytest.raises(TargetError):
                runner.rollback(history.project, empty_database.direct, expected=OTHER)
        assert tables(empty_database.direct) == {"a"}

    def test_refuses_an_unmarked_database(self, history: History, empty_database: Database) -> None:
        """Not even Alembic's table is made."""
        history.write_three_tables()
        with psycopg.connect(empty_database.direct.libpq(), autocommit=True) as connection:
            connection.execute(UNMARK)
        with pytest.raises(TargetUnmarkedError):
            runner.apply(history.project, empty_database.direct)
        with pytest.raises(TargetUnmarkedError):
            runner.rollback(history.project, empty_database.direct)
        assert query(empty_database.direct, "SELECT to_regclass('alembic_version')") == [(None,)]

    def test_leaves_the_mark_alone(self, history: History, empty_database: Database) -> None:
        """Down to the base and up again it stays the same branch."""
        history.write_three_tables()
        runner.apply(history.project, empty_database.direct)
        runner.rollback(history.project, empty_database.direct, to="base")
        assert runner.target(empty_database.direct).branch_id == empty_database.name
