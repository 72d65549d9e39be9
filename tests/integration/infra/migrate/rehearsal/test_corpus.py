"""Migrations, safe and unsafe: the verdict on each, and that apply then does what was predicted."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import replace
from functools import cache
from typing import TYPE_CHECKING

import pytest

from infra.config_tables import MigrateSettings
from infra.migrate.rehearsal import verdict
from infra.testing.databases import Database, World
from tests.support.corpus.running import Run, copy_of, predict, run, shop_of, write
from tests.support.corpus.whole import CORPUS, one_of_each_kind
from tests.support.histories import History, empty_history

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.support.corpus.migration import Migration
    from tests.support.corpus.running import Prediction

#: Of the two largest tables, with the rows from which on a table is large.
FEW, MANY = (6000, 1000), (1_000_000, 100_000)

QUICK = one_of_each_kind()
PARAMETERS = [
    *(pytest.param((FEW, each), id=each.name) for each in CORPUS if each.name in QUICK),
    *(pytest.param((MANY, each), id=f"{each.name}, many rows", marks=pytest.mark.prove) for each in CORPUS),
]
FILLED = next(each for each in CORPUS if each.name == "add a column and fill it in one transaction")

Shop = tuple[World, History, Database]


@pytest.fixture(scope="module")
def shops(
    world: World, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Callable[[tuple[int, int]], Shop]]:
    """Databases at the first revision, of which each migration gets copies; one for each number of rows."""
    with ExitStack() as stack:

        @cache
        def shop(size: tuple[int, int]) -> Shop:
            rows, large = size
            empty = stack.enter_context(empty_history(tmp_path_factory.mktemp("corpus")))
            # Counts alone judge here; times are left to the machine.
            settings = MigrateSettings(large_table=large, blocked_care=600.0, blocked_unsafe=900.0)
            history = replace(empty, project=replace(empty.project, migrate=settings))
            return world, history, stack.enter_context(shop_of(world, history, rows))

        yield shop


@pytest.fixture(scope="module", params=PARAMETERS)
def predicted(
    request: pytest.FixtureRequest, shops: Callable[[tuple[int, int]], Shop]
) -> tuple[Shop, Migration, Prediction]:
    """Each migration, and what is said of it; it is pending at the shop."""
    size, migration = request.param
    world, history, template = shops(size)
    write(history, migration)
    with copy_of(world, template) as url:
        return (world, history, template), migration, predict(history, url)


class TestCorpus:
    """Each migration in turn."""

    def test_is_judged_as_a_careful_administrator_would(
        self, predicted: tuple[Shop, Migration, Prediction]
    ) -> None:
        """The verdict, and the rules of linter and measurement that lead to it."""
        _, migration, prediction = predicted
        assert (prediction.run.failure is not None) is migration.fails, prediction.run.failure
        assert prediction.verdict is migration.verdict
        assert (prediction.measured, prediction.linted) == (migration.measured, migration.linted)

    def test_locks_and_rewrites_are_told(self, predicted: tuple[Shop, Migration, Prediction]) -> None:
        """The plan tells before it runs what is measured then."""
        _, migration, prediction = predicted
        if migration.fails:
            return
        read = {name: mode for name, mode in migration.locks.items() if name not in migration.unread}
        assert prediction.planned == read
        if prediction.run.may_have_missed_locks:
            assert prediction.run.locks.items() <= migration.locks.items()
        else:
            assert prediction.run.locks == migration.locks
        assert prediction.run.rewrites == migration.rewrites

    def test_apply_does_what_was_predicted(self, predicted: tuple[Shop, Migration, Prediction]) -> None:
        """On another database like it: the same locks, rewrites and changed rows, or the same failure."""
        (world, history, template), _, prediction = predicted
        with copy_of(world, template) as url:
            real = run(history, url)
        assert real.certain() == prediction.run.certain()
        assert (real.failure is None) is (prediction.run.failure is None)


class TestHeldTime:
    """For how long a lock is held."""

    @pytest.mark.parametrize("size", [FEW, pytest.param(MANY, marks=pytest.mark.prove)])
    def test_outlasts_the_update_after_a_new_column(
        self, shops: Callable[[tuple[int, int]], Shop], size: tuple[int, int]
    ) -> None:
        """Where both are one transaction, in the prediction and in what apply does."""
        world, history, template = shops(size)
        write(history, FILLED)
        for _ in ("prediction", "apply"):
            with copy_of(world, template) as url:
                assert_held_for_the_update(run(history, url))


class TestCompleteness:
    """The corpus itself."""

    def test_has_each_rule_of_the_measurement(self) -> None:
        """But those about seconds, bytes, and what a revision that failed left behind."""
        others = {"lock-held-too-long", "much-wal", "index-left-invalid"}
        assert {rule for each in CORPUS for rule in each.measured} == set(verdict.RULES) - others

    def test_names_are_different(self) -> None:
        """And there are many."""
        assert len({each.name for each in CORPUS}) == len(CORPUS) > 100


def assert_held_for_the_update(ran: Run) -> None:
    """Assert that one lock is held from the first statement on and beyond the second."""
    (measure,) = ran.measures
    (lock,) = measure.locks
    add, update = measure.statements
    assert (lock.relation, lock.mode) == ("public.customers", "AccessExclusiveLock")
    assert lock.statement == add.index
    assert lock.released - lock.acquired >= add.seconds + update.seconds
