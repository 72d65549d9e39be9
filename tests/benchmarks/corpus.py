"""What a rehearsal predicts of migrations, beside what `apply` then does, on large tables."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass, replace
from statistics import median
from typing import TYPE_CHECKING, Final

from infra.config_tables import MigrateSettings
from infra.testing.databases import quick_tablespace
from tests.benchmarks.table import Goal, Result
from tests.support.corpus.running import Prediction, Run, copy_of, predict, shop_of, write
from tests.support.corpus.running import run as apply
from tests.support.corpus.whole import CORPUS
from tests.support.histories import empty_history

if TYPE_CHECKING:
    from pathlib import Path

    from infra.testing.databases import Database, World
    from tests.support.corpus.migration import Migration
    from tests.support.histories import History

ROWS: Final = 1_000_000
#: What takes next to no time, and all others are compared with.
INSTANT: Final = "add a nullable column"
#: Seconds from which on a ratio of two times says something.
_SLOW: Final = 0.05


@dataclass(frozen=True, slots=True)
class _Trial:
    migration: Migration
    predicted: Prediction
    real: Run

    @property
    def is_kept(self) -> bool:
        return self.predicted.run.certain() == self.real.certain()

    @property
    def is_expected(self) -> bool:
        return self.predicted.verdict is self.migration.verdict

    @property
    def ratio(self) -> float:
        return self.real.seconds / self.predicted.run.seconds


def run(world: World, folder: Path, *, quick: bool) -> Result:
    """Rehearse each migration of the corpus on one copy of a shop, and apply it to another."""
    rows = ROWS // 50 if quick else ROWS
    folder.mkdir()
    with ExitStack() as stack:
        empty = stack.enter_context(empty_history(folder))
        settings = MigrateSettings(large_table=rows // 10, blocked_care=600.0, blocked_unsafe=900.0)
        history = replace(empty, project=replace(empty.project, migrate=settings))
        tablespace = stack.enter_context(quick_tablespace(world.cluster))
        world = replace(world, tablespace=tablespace)
        template = stack.enter_context(shop_of(world, history, rows))
        _try(world, history, template, CORPUS[0])  # the first run of all is slower
        trials = [_try(world, history, template, each) for each in CORPUS if not each.fails]
    return _result(trials, rows)


def _try(world: World, history: History, template: Database, migration: Migration) -> _Trial:
    write(history, migration)
    with copy_of(world, template) as url:
        predicted = predict(history, url)
    with copy_of(world, template) as url:
        return _Trial(migration, predicted, apply(history, url))


def _result(trials: list[_Trial], rows: int) -> Result:
    instant = next(each for each in trials if each.migration.name == INSTANT)
    ratios = [each.ratio for each in trials if each.predicted.run.seconds >= _SLOW]
    how = (
        f"Each of {len(trials)} migrations is rehearsed on a copy of a database whose tables have {rows:,} "
        "rows, or a fifth of that, and applied to another copy. Times are those of its statements; a lock "
        "is the strongest on its relation."
    )
    if ratios:
        how += (
            f" Of the {len(ratios)} that take {1000 * _SLOW:.0f} ms or longer, applied / predicted is "
            f"{median(ratios):.2f} in the median, from {min(ratios):.2f} to {max(ratios):.2f}."
        )
    wrong = sum(not each.is_expected for each in trials)
    broken = sum(not each.is_kept for each in trials)
    return Result(
        "Migrations, predicted and applied",
        how,
        ("migration", "verdict", "locks", "rewrites", "times an instant ADD COLUMN", "applied / predicted"),
        [_row(each, instant) for each in trials],
        [
            Goal("verdicts other than a careful administrator's", wrong, 0),
            Goal("predictions that apply did not keep", broken, 0),
        ],
    )


def _row(trial: _Trial, instant: _Trial) -> tuple[str, ...]:
    locks = trial.predicted.run.locks
    return (
        trial.migration.name,
        trial.predicted.verdict.value,
        ", ".join(f"{name} {mode}" for name, mode in sorted(locks.items())),
        ", ".join(sorted(trial.predicted.run.rewrites)),
        f"{trial.predicted.run.seconds / instant.predicted.run.seconds:,.1f}",
        f"{trial.ratio:.2f}",
    )
