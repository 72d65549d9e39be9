"""A rehearsal: what it runs where, what it finds, and that the target keeps nothing of it but a record."""

from __future__ import annotations

from typing import TYPE_CHECKING

from infra.migrate import runner
from infra.migrate.findings import Verdict
from infra.migrate.rehearsal.rehearse import rehearse
from infra.migrate.rehearsal.results import Outcome
from tests.support.forks import target_of
from tests.support.histories import query, tables

if TYPE_CHECKING:
    from infra.migrate.rehearsal.outlook import Target
    from infra.migrate.rehearsal.results import Check, Rehearsal
    from infra.testing.databases import Database, World
    from tests.support.histories import History


def run(history: History, target: Target, **options: object) -> Rehearsal:
    """Rehearse without code, of which these histories have none."""
    found = rehearse(history.project, target, announce=lambda _: None, code=False, **options)  # type: ignore[arg-type]
    assert found is not None
    return found


def check(rehearsal: Rehearsal, name: str) -> Check:
    """Return the check of a name."""
    return next(each for each in rehearsal.checks if each.name == name)


class TestRehearse:
    """`rehearse`."""

    def test_runs_what_is_pending_on_a_fork_alone(
        self, history: History, empty_database: Database, world: World
    ) -> None:
        """The target is as it was, the fork is gone, and every check is told."""
        history.write_three_tables()
        runner.apply(history.project, empty_database.direct, revision="one")
        target = target_of(empty_database, world)
        found = run(history, target)
        assert [result.measure.revision.id for result in found.revisions] == ["two"]
        assert (found.base, found.head, found.verdict) == ("one", "two", Verdict.SAFE)
        assert tables(empty_database.direct) == {"a", "bough_rehearsal", "bough_release", "bough_backfill"}
        assert {each.name: each.outcome for each in found.checks} == {
            "downgrade leaves no trace": Outcome.PASSED,
            "second upgrade makes the same schema": Outcome.PASSED,
            "models and schema agree": Outcome.SKIPPED,
        }
        (fork,) = target.fork.forks  # type: ignore[attr-defined]
        assert not query(world.superuser("postgres"), f"SELECT FROM pg_database WHERE datname = '{fork}'")
