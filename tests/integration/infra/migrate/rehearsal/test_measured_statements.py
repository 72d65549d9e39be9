"""What each kind of statement locks, rewrites and reads, and what is said against it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from infra.config_tables import MigrateSettings
from infra.migrate.rehearsal.verdict import judge
from tests.support.histories import empty_history, run_script
from tests.support.measured_cases import CASES, MORE_TABLES, Case
from tests.support.measurements import TABLES, locks_of, measured, read, rewritten

if TYPE_CHECKING:
    from collections.abc import Iterator

    from infra.migrate.rehearsal.results import RevisionMeasure
    from infra.testing.databases import World

#: Times are left to the machine: 1,000 rows are large here, and no time is long.
SETTINGS = MigrateSettings(large_table=1000, blocked_care=600.0, blocked_unsafe=900.0)


@pytest.fixture(scope="module")
def measures(world: World, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, RevisionMeasure]]:
    """All cases, applied in one run."""
    with world.new_database() as database, empty_history(tmp_path_factory.mktemp("measured")) as history:
        run_script(database.direct, TABLES + MORE_TABLES)
        results = measured(history, database, *(case.upgrade for case in CASES))
        yield {case.name: measure for case, measure in zip(CASES, results, strict=True)}


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
class TestStatements:
    """One kind of statement each."""

    def test_is_measured(self, measures: dict[str, RevisionMeasure], case: Case) -> None:
        """Locks on what was there before, rewritten files, rows that were read."""
        measure = measures[case.name]
        assert locks_of(measure) == case.locks
        assert [name for each in measure.statements for name in rewritten(each)] == list(case.rewrites)
        if case.rewrites != ("posts", "posts_pkey"):
            assert {k: v for each in measure.statements for k, v in read(each).items()} == case.read

    def test_is_judged(self, measures: dict[str, RevisionMeasure], case: Case) -> None:
        """By counts alone."""
        assert {finding.rule for finding in judge(measures[case.name], SETTINGS)} == case.rules
