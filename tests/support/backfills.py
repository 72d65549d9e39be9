"""Backfills of a test's own, run in this process or in one that can be killed."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from api.database.timeouts import Timeouts
from infra.migrate.backfill.definition import Definition
from infra.migrate.backfill.pace import Pace
from infra.migrate.backfill.run import run
from tests.support.histories import REPOSITORY, query, run_script

if TYPE_CHECKING:
    from infra.migrate.backfill.state import State
    from infra.testing.databases import Database

TIMEOUTS = Timeouts(statement=60, lock=0.3, idle_in_transaction=30)

#: Without the pauses that are for those who wait for answers.
FAST = Pace(pause=0, patience=0.02)

#: Rows that say whether they were changed, and a trigger that counts how often.
COUNTED = """
    CREATE TABLE things (
        id bigint PRIMARY KEY, done boolean NOT NULL DEFAULT false, times int NOT NULL DEFAULT 0
    );
    CREATE FUNCTION count_change() RETURNS trigger LANGUAGE plpgsql AS
        'BEGIN NEW.times := OLD.times + 1; RETURN NEW; END';
    CREATE TRIGGER count_change BEFORE UPDATE ON things FOR EACH ROW EXECUTE FUNCTION count_change();
    INSERT INTO things SELECT n * 3 FROM generate_series(1, {rows}) AS n;
    ANALYZE things;
"""

DONE = Definition("mark", "Mark all.", "things", "done = true", "NOT done")

_CHILD = """
import sys
from api.database.connection_url import DirectUrl
from tests.support.backfills import run_here_at
run_here_at(DirectUrl.parse(sys.stdin.readline().strip()), progress=lambda _: print("batch", flush=True))
"""


def run_here(database: Database, definition: Definition = DONE, **options: Any) -> State:
    return run_here_at(database.direct, definition, **options)


def run_here_at(url: Any, definition: Definition = DONE, **options: Any) -> State:
    given = {
        "timeouts": TIMEOUTS,
        "expected": None,
        "announce": lambda _: None,
        "progress": lambda _: None,
        "pace": FAST,
        "lock_wait": 10.0,
        **options,
    }
    return run(definition, url, **given)


def start_elsewhere(database: Database) -> subprocess.Popen[str]:
    """Run `DONE` in another process, which writes a line for each batch."""
    process = subprocess.Popen(
        [sys.executable, "-c", _CHILD],
        cwd=REPOSITORY,
        env={**os.environ, "PYTHONPATH": str(REPOSITORY)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdin is not None
    process.stdin.write(f"{database.direct.libpq()}\n")
    process.stdin.flush()
    return process


def defined(**changes: Any) -> Definition:
    """Return `DONE` with changes."""
    return replace(DONE, **changes)


def make(database: Database, rows: int) -> None:
    run_script(database.direct, COUNTED.format(rows=rows))


def times(database: Database) -> dict[int, int]:
    """Return how many rows were changed how often."""
    return dict(query(database.direct, "SELECT times, count(*) FROM things GROUP BY times"))
