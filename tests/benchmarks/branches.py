"""What a branch on this machine costs: its copy, its wake, its port, its memory."""

from __future__ import annotations

import asyncio
import json
import sys
import time
from contextlib import AsyncExitStack, suppress
from statistics import median
from typing import TYPE_CHECKING, Final

import psutil

from infra.local import pooler, postgres
from tests.benchmarks.table import Goal, Result
from tests.support.branch_computes import DATABASE, OWNER, PASSWORD, child_branch, root_branch

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.branch_computes import Branch

#: Megabytes of data in the parent.
SIZES: Final = (20, 200, 1000)
IDLE_BRANCHES: Final = 20


def run(root: Path, folder: Path, *, quick: bool) -> Result:
    """Measure on branches below `folder`, which are gone afterwards."""
    return asyncio.run(_Measurement(root, folder).run(quick=quick))


class _Measurement:
    def __init__(self, root: Path, folder: Path) -> None:
        self._root = root
        self._folder = folder
        self._rows: list[tuple[str, ...]] = []
        self._goals: list[Goal] = []
        self._made = 0

    async def run(self, *, quick: bool) -> Result:
        async with root_branch(self._folder / "main") as main:
            await self._readiness(main, runs=3 if quick else 20)
            await self._forwarding(
                main, round_trips=1000 if quick else 20_000, megabytes=10 if quick else 100
            )
            await self._idle(main, branches=3 if quick else IDLE_BRANCHES)
            for size in SIZES[:1] if quick else SIZES:
                await self._copy_of(main, size)
        return Result(
            "Branches on this machine",
            "A branch is made by online copy, started, and asked through its pooler; then it is suspended "
            "and woken by a query. The parent of the larger copies serves a writer meanwhile.",
            ("what", "median", "worst"),
            self._rows,
            self._goals,
        )

    async def _readiness(self, main: Branch, *, runs: int) -> None:
        made, woken = [], []
        for _ in range(runs):
            started = time.perf_counter()
            async with child_branch(main, self._next_folder()) as branch:
                await branch.query("SELECT 1", port=branch.pooled)
                made.append(time.perf_counter() - started)
                await branch.compute.suspend()
                started = time.perf_counter()
                await branch.query("SELECT 1", port=branch.pooled)
                woken.append(time.perf_counter() - started)
        self._row("branch of an empty project, s", made)
        self._row("wake of a suspended endpoint, s", woken)
        self._goals += [
            Goal("s until an empty project's branch answers", median(made), 1.5),
            Goal("s until a suspended endpoint answers", median(woken), 0.5),
        ]

    async def _forwarding(self, main: Branch, *, round_trips: int, megabytes: int) -> None:
        private = main.compute.superuser_url(DATABASE).replace(user=OWNER, password=PASSWORD)
        urls = {"private": private.libpq(), "public": private.replace(port=main.direct).libpq()}
        asked = {"urls": urls, "round_trips": round_trips, "megabytes": megabytes}
        client = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "tests.benchmarks.branch_client", cwd=self._root,
            stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
        )  # fmt: skip
        said, _ = await client.communicate(json.dumps(asked).encode())
        figures: dict[str, dict[str, float]] = json.loads(said)
        for name, way in (("private", "straight to PostgreSQL"), ("public", "through the branch's port")):
            measured = figures[name]
            self._rows += [
                (f"round trip of SELECT 1 {way}, µs", f"{measured['round_trip_us']:.0f}", ""),
                (f"COPY {way}, MB/s", f"{measured['megabytes_per_s']:.0f}", ""),
            ]
        ratio = figures["public"]["round_trip_us"] / figures["private"]["round_trip_us"]
        self._goals.append(Goal("round trip through the port against straight", ratio, 3))

    async def _idle(self, main: Branch, *, branches: int) -> None:
        async with AsyncExitStack() as stack:
            folders = [self._next_folder() for _ in range(branches)]
            for folder in folders:
                branch = await stack.enter_async_context(child_branch(main, folder))
                await branch.query("SELECT 1", port=branch.pooled)
            await asyncio.sleep(1)
            pss = [_pss(folder) / 1e6 for folder in folders]
        self._rows.append(
            (f"memory of {branches} idle branches (PSS), MB", f"{sum(pss):.0f}", f"{max(pss):.0f} for one")
        )
        self._goals.append(Goal("GB that idle branches hold", sum(pss) / 1000, 1.5))

    async def _copy_of(self, main: Branch, megabytes: int) -> None:
        await main.query("DROP TABLE IF EXISTS filling, written")
        await main.query("CREATE TABLE written (id bigint GENERATED ALWAYS AS IDENTITY, at timestamptz)")
        await main.query(
            f"CREATE TABLE filling AS SELECT repeat('x', 1000) FROM generate_series(1, {megabytes * 935})"
        )
        waits: list[float] = []
        writing = asyncio.create_task(_write(main, waits))
        await asyncio.sleep(0.5)
        waits.clear()
        started = time.perf_counter()
        async with child_branch(main, self._next_folder()) as branch:
            await branch.query("SELECT 1", port=branch.pooled)
            took = time.perf_counter() - started
            writing.cancel()
            with suppress(asyncio.CancelledError):
                await writing
        self._rows += [
            (f"branch of a parent with {megabytes} MB, s", f"{took:.2f}", ""),
            (f"a write to it meanwhile ({len(waits)} of them), ms", f"{1000 * median(waits):.1f}",
             f"{1000 * max(waits):.0f}"),
        ]  # fmt: skip

    def _next_folder(self) -> Path:
        self._made += 1
        return self._folder / f"branch-{self._made}"

    def _row(self, what: str, times: list[float]) -> None:
        self._rows.append((what, f"{median(times):.2f}", f"{max(times):.2f}"))


async def _write(main: Branch, waits: list[float]) -> None:
    async with await main.connect(main.direct) as connection:
        while True:
            started = time.perf_counter()
            await connection.execute("INSERT INTO written (at) VALUES (now())")
            waits.append(time.perf_counter() - started)


def _pss(folder: Path) -> int:
    """Return the bytes of a branch's servers, each shared page counted once."""
    postmaster = psutil.Process(postgres.running(folder / "postgres") or 0)
    processes = [postmaster, *postmaster.children()]
    if (pid := pooler.running(folder / "pooler")) is not None:
        processes.append(psutil.Process(pid))
    return sum(int(process.memory_full_info().pss) for process in processes)
