"""What a database of a test's own costs."""

from __future__ import annotations

import time
from dataclasses import replace
from statistics import median, quantiles
from typing import TYPE_CHECKING

from infra.config import load_project
from infra.migrate import runner
from infra.testing.databases import quick_tablespace
from tests.benchmarks.table import Goal, Result

if TYPE_CHECKING:
    from pathlib import Path

    from tests.benchmarks.world import Place


def clones(root: Path, here: Place, *, runs: int) -> Result:
    """Copy a migrated database again and again, as the fixture `database` does."""
    makes, drops = [], []
    with quick_tablespace(here.world.cluster) as tablespace:
        world = replace(here.world, tablespace=tablespace)
        with world.new_database() as template:
            runner.apply(load_project(root), template.direct)
            for _ in range(runs):
                started = time.perf_counter()
                with world.new_database(template.name):
                    made = time.perf_counter()
                dropped = time.perf_counter()
                makes.append(1000 * (made - started))
                drops.append(1000 * (dropped - made))
    return Result(
        "A database for a test",
        f"Copying the migrated template {runs} times, and dropping the copy.",
        ("step", "median, ms", "p90, ms"),
        [
            (name, f"{median(times):.0f}", f"{quantiles(times, n=10)[-1]:.0f}")
            for name, times in (("make", makes), ("drop", drops))
        ],
        [Goal("ms until a test has its database", median(makes), 100)],
    )
