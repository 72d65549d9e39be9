"""Contract revisions run only once nothing needs what they take away, and somebody can return."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from infra.migrate import contract, live, runner
from infra.migrate.errors import ContractRefusedError, RehearsalMissingError, RehearsalUnsafeError
from tests.support.forks import TemplateForking, target_of
from tests.support.histories import query, tables

if TYPE_CHECKING:
    from infra.migrate.contract import ContractReport
    from infra.migrate.rehearsal.target import Target
    from infra.testing.databases import Database, World
    from tests.support.histories import History


class NoConsentError(Exception):
    """Whoever was asked said no."""


def refuse(_what: str) -> None:
    """Say no."""
    raise NoConsentError


def apply(history: History, target: Target, **options: Any) -> ContractReport:
    """Apply with consent, without code to try, which these histories have not."""
    given: dict[str, Any] = {"provider": None, "consent": lambda _: None, "announce": lambda _: None}
    return contract.apply(history.project, target, **given | options, code=False)


@pytest.fixture
def target(history: History, empty_database: Database, world: World) -> Target:
    """A database at `one`, an expand `two`, and the contract `three`, which drops the table `a`."""
    history.write("one", None, "op.execute('CREATE TABLE a (id int)')", "op.execute('DROP TABLE a')")
    runner.apply(history.project, empty_database.direct)
    history.write("two", "one", "pass")
    history.write(
        "three", "two", "op.execute('DROP TABLE a')", "op.execute('CREATE TABLE a (id int)')", "contract"
    )
    return target_of(empty_database, world)


def deploy(history: History, target: Target, head: str) -> None:
    """Apply what may run, and say that code of this head is live."""
    runner.apply(history.project, target.url)
    live.record(target.url, None, live.built_at(history.project, head), None)


def forks(target: Target) -> int:
    """Return how many forks were made."""
    assert isinstance(target.fork, TemplateForking)
    return len(target.fork.forks)


class TestApply:
    """`apply`."""

    def test_refuses_while_nobody_says_which_code_is_live(self, history: History, target: Target) -> None:
        """Nothing is rehearsed or changed."""
        runner.apply(history.project, target.url)
        with pytest.raises(ContractRefusedError, match="say it with: bough migrate live --record"):
            apply(history, target)
        assert (forks(target), "a" in tables(target.url)) == (0, True)

    def test_refuses_while_code_is_live_that_was_built_without_it(
        self, history: History, target: Target
    ) -> None:
        """It may still need the old shape."""
        deploy(history, target, "two")
        with pytest.raises(ContractRefusedError, match=r"the live code \(head two, .* deploy first"):
            apply(history, target)

    def test_runs_what_the_live_code_knows_after_rehearsing_it(
        self, history: History, target: Target
    ) -> None:
        """Down and up again, once; the report says where it was."""
        deploy(history, target, "three")
        said: list[str] = []
        done = apply(history, target, announce=said.append)
        assert [run.id for run in done.report.runs] == ["three"]
        assert (done.before, done.restore_point, forks(target)) == ("two", None, 1)
        assert "a" not in tables(target.url)
        assert any("must be rehearsed before it is applied, and was not: rehearsing now" in s for s in said)
        assert query(target.url, "SELECT head, verdict <> 'unsafe' FROM bough_rehearsal") == [("three", True)]
        assert apply(history, target).report.runs == ()

    @pytest.mark.prove
    def test_asks_where_no_restore_point_can_be_made(self, history: History, target: Target) -> None:
        """Whoever says no has lost nothing; the rehearsal holds for who asks again."""
        deploy(history, target, "three")
        with pytest.raises(NoConsentError):
            apply(history, target, consent=refuse)
        assert "a" in tables(target.url)
        assert [run.id for run in apply(history, target).report.runs] == ["three"]
        assert forks(target) == 1

    @pytest.mark.prove
    def test_refuses_what_has_no_way_back(self, history: History, target: Target) -> None:
        """The rehearsal finds a downgrade that leaves another schema; it can be meant all the same."""
        history.write("three", "two", "op.execute('DROP TABLE a')", "pass", "contract")
        deploy(history, target, "three")
        with pytest.raises(RehearsalUnsafeError):
            apply(history, target)
        assert "a" in tables(target.url)
        assert [run.id for run in apply(history, target, allow_unsafe=True).report.runs] == ["three"]

    def test_runs_expands_that_wait_before_the_contract(self, history: History, target: Target) -> None:
        """All that the live code was built with, in one go."""
        live.record(target.url, None, live.built_at(history.project, "one"), None)
        history.write("four", "three", "pass", phase="contract")
        query(target.url, "UPDATE bough_release SET revisions = '{one,two,three}' RETURNING 1")
        done = apply(history, target)
        assert [run.id for run in done.report.runs] == ["two", "three"]
        assert [each.id for each in done.report.held_back] == ["four"]

    def test_refuses_expands_that_were_not_rehearsed_where_that_is_required(
        self, history: History, target: Target
    ) -> None:
        """Asking for contracts is no way around it."""
        live.record(target.url, None, live.built_at(history.project, "one"), None)
        with pytest.raises(RehearsalMissingError, match="two must be rehearsed"):
            apply(history, target, require_rehearsal=True)
        assert [run.id for run in apply(history, target).report.runs] == ["two"]

    def test_needs_no_rehearsal_on_an_empty_database(
        self, history: History, target: Target, world: World
    ) -> None:
        """No code can be live there."""
        assert "a" in tables(target.url)
        with world.new_database() as empty:
            done = apply(history, target_of(empty, world), consent=refuse)
            assert [run.id for run in done.report.runs] == ["one", "two", "three"]
