"""A backfill of a large table while others write to it."""

from __future__ import annotations

import random
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import psycopg
import pytest

from infra.migrate.backfill.pace import Pace
from tests.support.backfills import COUNTED, run_here
from tests.support.histories import query, run_script

if TYPE_CHECKING:
    from infra.testing.databases import Database

ROWS = 1_000_000
WRITERS = 4


def write(url: str, ended: threading.Event, seed: int) -> tuple[int, float]:
    """Change two rows at a time, in any order; return how often, and the longest wait."""
    pick, count, longest = random.Random(seed), 0, 0.0
    with psycopg.connect(url, autocommit=True) as connection:
        while not ended.is_set():
            began = time.perf_counter()
            with connection.transaction():
                # Of each writer's own: two of them could bring each other into a deadlock.
                for _ in range(2):
                    number = 3 * (pick.randrange(ROWS // WRITERS) * WRITERS + seed + 1)
                    connection.execute("UPDATE things SET done = done WHERE id = %s", (number,))
            longest = max(longest, time.perf_counter() - began)
            count += 1
    return count, longest


class TestUnderLoad:
    """`run` among writers."""

    @pytest.mark.prove
    def test_no_writer_fails_or_waits_long(self, empty_database: Database, record_property) -> None:
        """A million rows: all are changed, and nobody waited longer than a few batches."""
        run_script(empty_database.direct, COUNTED.format(rows=ROWS))
        ended = threading.Event()
        with ThreadPoolExecutor(WRITERS) as threads:
            writers = [
                threads.submit(write, empty_database.direct.libpq(), ended, seed) for seed in range(WRITERS)
            ]
            began = time.perf_counter()
            try:
                state = run_here(empty_database, pace=Pace())
            finally:
                ended.set()
            seconds = time.perf_counter() - began
            results = [writer.result() for writer in writers]
        assert state.changed == ROWS
        assert query(empty_database.direct, "SELECT count(*) FROM things WHERE NOT done") == [(0,)]
        assert min(count for count, _ in results) > 0
        found = {
            "seconds": round(seconds, 1),
            "writes": sum(count for count, _ in results),
            "longest wait": round(max(longest for _, longest in results), 3),
            "passes": state.position.pass_,
        }
        record_property("backfill", found)
        print(found)  # noqa: T201  a proof says what it measured
