"""Many client processes on one pooler with few server connections."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal

import psycopg

if TYPE_CHECKING:
    from infra.testing.databases import Database

ROOT: Final = Path(__file__).parents[2]
CREATE: Final = """
    CREATE TABLE IF NOT EXISTS load (
        id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, note text, created_at timestamptz DEFAULT now()
    );
    TRUNCATE load;
    INSERT INTO load (note) SELECT n::text FROM generate_series(1, 100) n;
"""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What the clients saw, and what the table holds.

    Args:
        requests: Requests made.
        inserted: Inserts that were acknowledged.
        stored: Rows that are there besides the first ones.
        failures: How often which exception reached the client.
        seconds: From the first client's start to the last one's end, imports included.
    """

    requests: int
    inserted: int
    stored: int
    failures: Counter[str]
    seconds: float

    @property
    def failed(self) -> int:
        """How many requests failed."""
        return self.failures.total()


def run(database: Database, kind: Literal["ours", "seed"], *, processes: int, requests: int) -> Outcome:
    """Have `processes` clients make `requests` requests together and wait for them."""
    with psycopg.connect(database.direct.libpq(), autocommit=True) as connection:
        connection.execute(CREATE)
    pooled = database.pooled
    url = (
        pooled.libpq()
        if kind == "ours"
        else plain_url(pooled.asyncpg()[0].render_as_string(hide_password=False))
    )
    environment = {
        **os.environ,
        "DATABASE_URL": url,
        "PYTHONPATH": f"{ROOT}{os.pathsep}{Path(__file__).parent}",
    }
    started = time.monotonic()
    clients = [
        subprocess.Popen(
            [sys.executable, "-m", "tests.benchmarks.load_client", kind, str(requests // processes)],
            cwd=ROOT,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL if kind == "seed" else None,
            text=True,
        )
        for _ in range(processes)
    ]
    said = [json.loads(client.communicate()[0]) for client in clients]
    seconds = time.monotonic() - started
    with psycopg.connect(database.direct.libpq(), autocommit=True) as connection:
        row = connection.execute("SELECT count(*) - 100 FROM load").fetchone()
    assert row is not None
    return Outcome(
        requests=sum(one["requests"] for one in said),
        inserted=sum(one["inserted"] for one in said),
        stored=row[0],
        failures=sum((Counter(one["failures"]) for one in said), Counter()),
        seconds=seconds,
    )


def plain_url(url: str) -> str:
    """Return the URL as the seed documents write it."""
    return f"{url}?ssl=disable"
