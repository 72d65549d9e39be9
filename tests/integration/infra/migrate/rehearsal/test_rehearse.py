"""A rehearsal: what it runs where, what it finds, and that its target keeps nothing of it but a record."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from infra.branches.errors import BranchLimitError
from infra.migrate import runner
from infra.migrate.errors import ForkDiffersError
from infra.migrate.findings import Verdict
from infra.migrate.rehearsal.rehearse import rehearse
from infra.migrate.rehearsal.results import Outcome
from infra.migrate.rehearsal.target import Target
from infra.migrate.rehearsal.traffic import Traffic
from tests.support.forks import TemplateForking, target_of
from tests.support.histories import query, run_script, tables

if TYPE_CHECKING:
    from infra.migrate.rehearsal.results import Check, Rehearsal
    from infra.testing.databases import Database, World
    from tests.support.histories import History


def run(history: History, target: Target, **options: Any) -> Rehearsal:
    """Rehearse without code, of which these histories have none."""
    found = rehearse(history.project, target, announce=lambda _: None, code=False, **options)
    assert found is not None
    return found


def check(rehearsal: Rehearsal, name: str) -> Check:
    """Return the check of a name."""
    return next(each for each in rehearsal.checks if each.name == name)


def forks_left(world: World, forking: object) -> list[tuple[Any, ...]]:
    """Return the forks that are still there."""
    assert isinstance(forking, TemplateForking)
    names = ", ".join(f"'{name}'" for name in forking.forks)
    return query(world.superuser("postgres"), f"SELECT datname FROM pg_database WHERE datname IN ({names})")


@pytest.fixture
def target(history: History, empty_database: Database, world: World) -> Target:
    """A database at `one`, whose table `a` has rows; nothing follows yet."""
    history.write(
        "one", None, "op.execute('CREATE TABLE a (id int PRIMARY KEY)')", "op.execute('DROP TABLE a')"
    )
    runner.apply(history.project, empty_database.direct)
    run_script(empty_database.direct, "INSERT INTO a SELECT generate_series(1, 1000); ANALYZE a")
    return target_of(empty_database, world)


class TestRehearse:
    """`rehearse`."""

    def test_runs_what_is_pending_on_a_fork_alone(
        self, history: History, target: Target, world: World
    ) -> None:
        """The target is as it was but for the record, the fork is gone, and every check is told."""
        history.write("two", "one", "op.execute('CREATE TABLE b (id int)')", "op.execute('DROP TABLE b')")
        history.write("three", "two", "pass", phase="contract")
        found = run(history, target)
        assert [result.measure.revision.id for result in found.revisions] == ["two"]
        assert (found.base, found.head, found.verdict) == ("one", "two", Verdict.SAFE)
        assert tables(target.url) == {"a"}
        assert {each.name: each.outcome for each in found.checks} == {
            "downgrade leaves no trace": Outcome.PASSED,
            "second upgrade makes the same schema": Outcome.PASSED,
            "models and schema agree": Outcome.SKIPPED,
        }
        assert forks_left(world, target.fork) == []
        assert query(target.url, "SELECT verdict, base, head FROM bough_rehearsal") == [
            ("safe", "one", "two")
        ]

    def test_contract_runs_before_its_code_is_live(self, history: History, target: Target) -> None:
        """Nobody uses the fork; at the target it would still be held back."""
        history.write("two", "one", "pass", phase="contract")
        assert run(history, target, contract=True).head == "two"
        assert runner.apply(history.project, target.url, contract=True).runs == ()

    def test_forks_nothing_where_nothing_is_pending(self, history: History, target: Target) -> None:
        """And writes nothing down."""
        assert rehearse(history.project, target, announce=lambda _: None) is None
        assert isinstance(target.fork, TemplateForking)
        assert target.fork.forks == []
        assert tables(target.url) == {"a"}

    def test_failing_revision_is_a_result_and_not_an_error(
        self, history: History, target: Target, world: World
    ) -> None:
        """It is remembered as unsafe; what ran before it is measured."""
        history.write("two", "one", "op.execute('CREATE TABLE b (id int)')", "op.execute('DROP TABLE b')")
        history.write("three", "two", "op.execute('SELECT 1/0')")
        found = run(history, target)
        assert found.verdict is Verdict.UNSAFE
        assert check(found, "upgrade").outcome is Outcome.FAILED
        assert [len(result.measure.statements) for result in found.revisions] == [1, 0]
        (failure, *_) = found.revisions[1].findings
        assert (failure.rule, failure.verdict) == ("fails", Verdict.UNSAFE)
        assert "division by zero" in failure.message
        assert query(target.url, "SELECT verdict FROM bough_rehearsal") == [("unsafe",)]
        assert forks_left(world, target.fork) == []

    def test_downgrade_that_is_missing_fails(self, history: History, target: Target) -> None:
        """Unless the revision says why there is none, it is unsafe; what else there is to see is seen."""
        history.write("two", "one", "op.execute('CREATE TABLE b (id int)')", "raise NotImplementedError")
        found = run(history, target)
        assert check(found, "downgrade leaves no trace").outcome is Outcome.FAILED
        assert check(found, "models and schema agree")
        assert found.verdict is Verdict.UNSAFE

    def test_irreversible_revision_stays_and_what_follows_it_is_undone(
        self, history: History, target: Target
    ) -> None:
        """Its reason is told."""
        path = history.write(
            "two", "one", "op.execute('DELETE FROM a WHERE id = 1')", "raise NotImplementedError"
        )
        path.write_text(path.read_text().replace("phase =", 'irreversible = "the rows are gone"\nphase ='))
        history.write("three", "two", "op.execute('CREATE TABLE b (id int)')", "op.execute('DROP TABLE b')")
        found = run(history, target)
        undone = check(found, "downgrade leaves no trace")
        assert undone.outcome is Outcome.PASSED
        assert undone.detail == "three undone; two cannot be undone: the rows are gone"
        assert check(found, "second upgrade makes the same schema").outcome is Outcome.PASSED

    def test_way_back_that_leaves_a_trace_and_upgrade_that_does_something_else_the_second_time_fail(
        self, history: History, target: Target
    ) -> None:
        """The checks name the revision and what stays; here it depends on what is left in a table."""
        up = (
            "n = op.get_bind().exec_driver_sql('SELECT count(*) FROM a').scalar()\n"
            "op.execute(f'CREATE TABLE b{n} ()')\n"
            "op.execute('CREATE TABLE IF NOT EXISTS c ()')"
        )
        history.write(
            "two", "one", up, "op.execute('DROP TABLE b1000')\nop.execute('DELETE FROM a WHERE id = 1')"
        )
        rehearsal = run(history, target)
        left, differs = (
            check(rehearsal, name)
            for name in ("downgrade leaves no trace", "second upgrade makes the same schema")
        )
        assert (left.outcome, differs.outcome) == (Outcome.FAILED, Outcome.FAILED)
        assert left.detail == "after that of two: table public.c is new"
        assert "public.b999 is new" in differs.detail

    def test_models_that_differ_fail(self, history: History, target: Target) -> None:
        """Autogenerate would find something once all has run."""
        history.write("two", "one", "op.execute('CREATE TABLE b (id int)')", "op.execute('DROP TABLE b')")
        table = (
            "sa.Table('b', metadata, sa.Column('id', sa.Integer, nullable=False), sa.Column('n', sa.Integer))"
        )
        history.write_models(f"import sqlalchemy as sa\n{table.replace('metadata', 'Base.metadata')}")
        found = check(run(history, target), "models and schema agree")
        assert found.outcome is Outcome.FAILED
        assert found.detail == "remove_table a; add_column b.n; modify_nullable b.id"

    def test_revision_has_the_findings_of_measurement_and_linter(
        self, history: History, target: Target
    ) -> None:
        """One that it gives a reason for is shown, and does not count."""
        path = history.write(
            "two", "one", "op.execute('UPDATE a SET id = -id')", "op.execute('UPDATE a SET id = -id')"
        )
        path.write_text(
            path.read_text().replace("phase =", 'lint_ignore = {"unbounded-write": "small"}\nphase =')
        )
        project = replace(history.project, migrate=replace(history.project.migrate, large_table=500))
        found = rehearse(project, target, announce=lambda _: None, code=False)
        assert found is not None
        findings = {each.rule: each.suppressed for each in found.revisions[0].findings}
        assert findings["many-rows-in-one-transaction"] is None
        assert findings["unbounded-write"] == "small"
        assert found.verdict is Verdict.UNSAFE

    def test_stops_before_anything_runs_where_the_fork_is_not_the_target(
        self, history: History, target: Target
    ) -> None:
        """Another schema: what is found there would not hold here."""
        history.write("two", "one", "op.execute('CREATE TABLE b (id int)')", "op.execute('DROP TABLE b')")
        assert isinstance(target.fork, TemplateForking)
        target.fork.meddle = lambda fork: run_script(fork.direct, "ALTER TABLE a ADD n int")
        with pytest.raises(ForkDiffersError, match=r"column public\.a\.n is new"):
            run(history, target)
        target.fork.meddle = lambda fork: run_script(fork.direct, "DELETE FROM alembic_version")
        with pytest.raises(ForkDiffersError, match="the fork is at base, the target at one"):
            run(history, target)
        assert tables(target.url) == {"a"}

    @pytest.mark.prove
    def test_reports_what_clients_saw_while_the_revisions_ran_again(
        self, history: History, target: Target
    ) -> None:
        """A load through the fork's pooler; a table that is locked for long shows as waiting."""
        up = "op.execute('ALTER TABLE a ADD n int')\nop.execute('SELECT pg_sleep(0.5)')"
        history.write("two", "one", up, "op.execute('ALTER TABLE a DROP n')")
        found = run(history, target, traffic=Traffic(40, warm_up=0.3))
        assert found.traffic is not None
        assert found.traffic.errors == {}
        assert found.traffic.requests > 0
        assert found.traffic.longest_wait > 0.3

    def test_error_of_forking_is_the_caller_s(self, history: History, target: Target) -> None:
        """No branch to be had: the target is as it was."""
        history.write("two", "one", "pass")

        def refuse(_origin: object) -> Any:
            raise BranchLimitError("the project has 10 branches, and may have no more")

        with pytest.raises(BranchLimitError):
            run(history, Target(target.url, None, refuse))
        assert tables(target.url) == {"a"}
