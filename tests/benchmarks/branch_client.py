"""A client of two URLs, in a process of its own: what a round trip and a megabyte cost on each.

Reads `{"urls": {name: url}, "round_trips": n, "megabytes": n}` from stdin, writes
`{name: {"round_trip_us": …, "megabytes_per_s": …}}`.
"""

from __future__ import annotations

import asyncio
import io
import json
import sys
import time
from statistics import median
from typing import Any, Final

import asyncpg

_MEGABYTE: Final = b"x" * 1023 + b"\n"


async def main() -> None:
    """Measure on all URLs by turns, so that a busy moment of the machine meets them alike."""
    asked = json.load(sys.stdin)
    connections = {name: await asyncpg.connect(url) for name, url in asked["urls"].items()}
    times: dict[str, list[float]] = {name: [] for name in connections}
    for _ in range(asked["round_trips"] // 100):
        for name, connection in connections.items():
            for _ in range(100):
                started = time.perf_counter()
                await connection.execute("SELECT 1")
                times[name].append(time.perf_counter() - started)
    rates: dict[str, list[float]] = {name: [] for name in connections}
    for _ in range(3):
        for name, connection in connections.items():
            rates[name].append(await _copy(connection, asked["megabytes"]))
    answer = {
        name: {"round_trip_us": 1e6 * median(times[name]), "megabytes_per_s": max(rates[name])}
        for name in connections
    }
    sys.stdout.write(json.dumps(answer))


async def _copy(connection: Any, megabytes: int) -> float:
    """Return the megabytes per second of a COPY into a table."""
    await connection.execute("CREATE TEMPORARY TABLE copied (line text)")
    started = time.perf_counter()
    await connection.copy_to_table("copied", source=io.BytesIO(_MEGABYTE * 1024 * megabytes))
    rate = megabytes / (time.perf_counter() - started)
    await connection.execute("DROP TABLE copied")
    return rate


if __name__ == "__main__":
    asyncio.run(main())
