"""What would run, what would wait, and which locks it would take."""

from __future__ import annotations

from typing import TYPE_CHECKING

import psycopg
import pytest

from infra.branches.identity import BranchIdentity, TargetError
from infra.config import load_project
from infra.migrate import records, runner
from infra.migrate.linting.effects import Work
from infra.migrate.overview import Entry, overview
from infra.migrate.plan import plan

if TYPE_CHECKING:
    from infra.testing.databases import Database
    from tests.support.histories import History

MADE = "op.execute('CREATE TABLE a (id int); INSERT INTO a SELECT generate_series(1, 300)')"
UNDO = "op.execute('DROP TABLE a')"


@pytest.fixture
def pending(history: History, empty_database: Database) -> History:
    """A database with one revision; an expand and two contracts wait."""
    history.write("one", None, MADE, UNDO)
    runner.apply(history.project, empty_database.direct)
    history.write("two", "one", "op.execute('CREATE INDEX ix ON a (id)')", "op.execute('DROP INDEX ix')")
    history.write("three", "two", "op.drop_column('a', 'id')", "op.execute('SELECT 1')", "contract")
    history.write("four", "three", "op.drop_table('a')", "op.execute('SELECT 1')", "contract")
    return history


class TestPlan:
    """`plan`."""

    def test_says_what_runs_and_what_waits(self, pending: History, empty_database: Database) -> None:
        """As `apply` does then, by the same rules."""
        found = plan(pending.project, empty_database.direct)
        assert [(each.revision.id, each.held_back) for each in found.revisions] == [
            ("two", False),
            ("three", True),
            ("four", True),
        ]
        assert found.why is not None
        assert found.current == ("one",)
        report = runner.apply(pending.project, empty_database.direct)
        assert [run.id for run in report.runs] == [each.revision.id for each in found.runs]
        assert plan(pending.project, empty_database.direct).runs == ()

    def test_lets_contracts_run_that_the_live_code_knows(
        self, pending: History, empty_database: Database
    ) -> None:
        """Only when they are asked for."""
        with psycopg.connect(empty_database.direct.libpq(), autocommit=True) as connection:
            records.record_release(connection, "three", frozenset({"one", "two", "three"}), None)
        assert len(plan(pending.project, empty_database.direct).runs) == 1
        asked = plan(pending.project, empty_database.direct, contract=True)
        assert [each.revision.id for each in asked.runs] == ["two", "three"]

    def test_tells_statements_and_locks(self, pending: History, empty_database: Database) -> None:
        """Each with its line, and no finding against a small table."""
        (two, *_) = plan(pending.project, empty_database.direct).revisions
        ((statement,), (effect,)) = (two.statements, two.statements[0].effects)
        assert (statement.sql, statement.transaction) == ("CREATE INDEX ix ON a (id)", 0)
        assert "CREATE INDEX" in two.revision.path.read_text().splitlines()[statement.line - 1]
        assert (effect.relation, effect.mode, effect.work) == ("public.a", "ShareLock", Work.BUILD)
        assert two.findings == ()

    def test_knows_large_tables(self, pending: History, empty_database: Database) -> None:
        """As `[tool.bough.migrate]` calls them large."""
        toml = pending.project.root / "pyproject.toml"
        toml.write_text(f"{toml.read_text()}\n[tool.bough.migrate]\nlarge_table = 200\n")
        project = load_project(pending.project.root)
        (two, *_) = plan(project, empty_database.direct).revisions
        assert [each.message for each in two.findings] == [
            "builds index ix of a (about 300 rows) while nobody can write to it"
        ]

    def test_refuses_another_branch(self, pending: History, empty_database: Database) -> None:
        """A plan for the wrong database says nothing."""
        with pytest.raises(TargetError):
            plan(pending.project, empty_database.direct, expected=BranchIdentity("neon", "p", "br-x"))


class TestOverview:
    """`overview`."""

    def test_lists_what_is_recorded(self, pending: History, empty_database: Database) -> None:
        """When, and which the live code has."""
        with psycopg.connect(empty_database.direct.libpq(), autocommit=True) as connection:
            records.record_release(connection, "one", frozenset({"one"}), None)
        one, two, *_ = overview(pending.project, empty_database.direct)
        assert one.applied_at is not None
        assert (one.phase, one.live, one.rehearsed) == ("expand", True, None)
        assert two == Entry("two", "Revision two.", "expand", None, None, live=False)

    def test_lists_what_only_the_database_has(self, pending: History, empty_database: Database) -> None:
        """At the end, without a message."""
        with psycopg.connect(empty_database.direct.libpq(), autocommit=True) as connection:
            connection.execute("INSERT INTO bough_revision (id, phase) VALUES ('later', 'contract')")
        last = overview(pending.project, empty_database.direct)[-1]
        assert (last.id, last.message, last.phase) == ("later", None, "contract")
