"""Measure, print, and write `docs/reference/benchmarks.md`.

python -m tests.benchmarks [--only NAME...] [--quick]

With `--only` the report's other sections stay as they are.
"""

from __future__ import annotations

import argparse
import platform
import sys
import tempfile
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Final

import psutil
import psycopg

from tests.benchmarks import (
    artifacts,
    branches,
    corpus,
    databases,
    functions,
    load,
    migrations,
    packages,
    size,
)
from tests.benchmarks.table import Goal, Result
from tests.benchmarks.world import Place, place

if TYPE_CHECKING:
    from collections.abc import Callable

ROOT: Final = Path(__file__).parents[2]
REPORT: Final = ROOT / "docs" / "reference" / "benchmarks.md"
PACKAGES: Final = ("sqlalchemy", "asyncpg", "fastapi", "pydantic", "mangum", "awslambdaric")


def main() -> int:
    """Run what is asked for; the exit status is 1 when a goal is missed."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks", description=__doc__)
    sections = (
        *("load", "trips", "cold", "artifacts", "warm", "size"),
        *("databases", "branches", "migrations", "corpus"),
    )
    parser.add_argument("--only", nargs="+", choices=sections)
    parser.add_argument("--quick", action="store_true", help="fewer runs; the report is not written")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="bough-bench-") as temporary:
        folder = Path(temporary)
        with place(ROOT, folder) as here:
            results = list(_measure(folder, here, options.only, quick=options.quick))
            head = _head(here)
    if not options.quick:
        _report(head, results, keep_others=bool(options.only))
    return int(not all(goal.met for result in results for goal in result.goals))


def _report(head: str, results: list[Result], *, keep_others: bool) -> None:
    """Write the report anew, or replace the sections that were measured."""
    sections = {result.title: result.render() for result in results}
    if keep_others:
        head, *others = REPORT.read_text(encoding="utf-8").split("\n## ")
        kept = {text.partition("\n")[0]: f"## {text.rstrip()}\n" for text in others}
        sections = kept | sections
    REPORT.write_text("\n".join([head, *sections.values()]), encoding="utf-8")


def _measure(folder: Path, here: Place, only: list[str] | None, *, quick: bool) -> list[Result]:
    built = artifacts.build(ROOT, folder)
    benchmarks: dict[str, Callable[[], Result]] = {
        "trips": lambda: functions.round_trips(built, here),
        "cold": lambda: functions.cold_start(built, here, runs=3 if quick else 11),
        "artifacts": lambda: packages.cold_start(ROOT, folder / "packages", here, runs=3 if quick else 11),
        "warm": lambda: functions.warm_latency(built, here, requests=200 if quick else 1000),
        "load": lambda: _load(here, quick=quick),
        "size": lambda: size.run(here.world, ROOT, large=20_000 if quick else 1_000_000),
        "databases": lambda: databases.clones(ROOT, here, runs=10 if quick else 50),
        "branches": lambda: branches.run(ROOT, folder / "branches", quick=quick),
        "migrations": lambda: migrations.run(folder / "migrations", quick=quick),
        "corpus": lambda: corpus.run(here.world, folder / "corpus", quick=quick),
    }
    results = []
    for name, run in benchmarks.items():
        if not only or name in only:
            results.append(run())
            sys.stdout.write(results[-1].render() + "\n")
            sys.stdout.flush()
    return results


def _load(here: Place, *, quick: bool) -> Result:
    processes, requests = (4, 800) if quick else (16, 10_000)
    ours = load.run(here.database, "ours", processes=processes, requests=requests)
    seed = load.run(here.database, "seed", processes=processes, requests=requests)
    return Result(
        "Load through a transaction-mode pooler",
        f"{processes} client processes make {requests} requests, one at a time each, through PgBouncer "
        "with 5 server connections; every third inserts a row.",
        ("engine", "failed", "share", "acknowledged inserts", "stored", "most frequent failure"),
        [
            (
                name,
                str(outcome.failed),
                f"{100 * outcome.failed / outcome.requests:.1f} %",
                str(outcome.inserted),
                str(outcome.stored),
                next((kind for kind, _ in outcome.failures.most_common(1)), "none"),
            )
            for name, outcome in (("bough", ours), ("seed documents", seed))
        ],
        [Goal("failed requests of ours", ours.failed, 0)],
    )


def _head(here: Place) -> str:
    with psycopg.connect(here.database.direct.libpq()) as connection:
        postgres = connection.info.parameter_status("server_version")
    packages = ", ".join(f"{name} {version(name)}" for name in PACKAGES)
    return f"""# Benchmarks

Written by `make bench` on {datetime.now(UTC):%Y-%m-%d}; do not edit. Times differ between machines,
so goals are ratios of what was measured in one run; counts are exact.

Python {platform.python_version()} on {psutil.cpu_count()} cores, PostgreSQL {postgres}, \
PgBouncer in transaction mode, {packages}. All on loopback.
"""


if __name__ == "__main__":
    sys.exit(main())
