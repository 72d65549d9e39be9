"""Cold start, warm latency and round trips of functions under AWS's runtime client."""

from __future__ import annotations

import asyncio
import json
import secrets
import statistics
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import event

from api.database.engine import make_engine
from api.database.session import read
from api.posts.repository import posts
from tests.benchmarks.load import plain_url
from tests.benchmarks.runtime import FunctionProcess
from tests.benchmarks.table import Goal, Result
from tests.support.tcp_proxy import TcpProxy

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from api.database.connection_url import ConnectionUrl
    from tests.benchmarks.artifacts import Artifacts
    from tests.benchmarks.world import Place

LIST: Final = "/posts?limit=20"
#: Requests to one function before the next one's turn: with fewer, caches that are cold are measured.
TURN: Final = 50
#: What the baseline connects to: through the pooler a second process of it fails.
PAST: Final = "past the pooler, through which it fails"


@dataclass(frozen=True, slots=True)
class Candidate:
    """One function to measure."""

    name: str
    folder: Path
    handler: str
    url: ConnectionUrl
    environment: Callable[[ConnectionUrl], dict[str, str]]

    def process(self, artifacts: Artifacts, port: int | None = None) -> FunctionProcess:
        """Make its process, connected by way of `port`."""
        url = self.url.replace(port=port) if port else self.url
        return FunctionProcess(self.folder, artifacts.runtime, self.handler, self.environment(url))


def cold_start(artifacts: Artifacts, place: Place, runs: int) -> Result:
    """Start each function anew, in turn, and ask it for a list."""
    candidates = [
        _ours(artifacts, place),
        _imports(artifacts, place),
        _bare(artifacts, place),
        _seed(artifacts, place, artifacts.seed, "seed app, with .pyc"),
        _seed(artifacts, place, artifacts.seed_source, "seed app, without .pyc"),
    ]
    taken: dict[str, list[tuple[float, float]]] = {one.name: [] for one in candidates}
    for number in range(runs + 1):
        for one in candidates:
            with one.process(artifacts) as function:
                _, seconds = function.get(LIST)
                if number:  # the first round fills the disk cache
                    taken[one.name].append((function.init_seconds, seconds))
    medians = {
        name: (
            statistics.median(a for a, _ in each),
            statistics.median(b for _, b in each),
            statistics.median(map(sum, each)),
        )
        for name, each in taken.items()
    }
    totals = {name: total for name, (_, _, total) in medians.items()}
    ours, imports, _, _, source = totals.values()
    return Result(
        "Cold start",
        f"Process start to the answer of the first request (`GET {LIST}`), median of {runs} runs each, in "
        "turn, on a read-only artifact and no other package. The imports-only handler answers at once. "
        f"The seed app is connected {PAST}.",
        ("function", "init, ms", "first request, ms", "both, ms", "in terms of the imports"),
        [
            (
                name,
                f"{init * 1000:.0f}",
                f"{first * 1000:.0f}",
                f"{total * 1000:.0f}",
                f"{total / imports:.2f}",
            )
            for name, (init, first, total) in medians.items()
        ],
        [
            Goal(
                "our artifact in terms of a handler that only imports the same libraries",
                ours / imports,
                1.25,
            ),
            Goal("our artifact in terms of the seed app packaged without .pyc", ours / source, 0.45),
        ],
    )


def warm_latency(artifacts: Artifacts, place: Place, requests: int) -> Result:
    """Ask warm functions for a list, in turn."""
    candidates = [
        _ours(artifacts, place),
        _bare(artifacts, place),
        _seed(artifacts, place, artifacts.seed, "seed app"),
        _seed(artifacts, place, artifacts.seed, 'seed app, lifespan="off"', "handler_without_lifespan"),
    ]
    processes = [one.process(artifacts) for one in candidates]
    taken: list[list[float]] = [[] for _ in processes]
    try:
        for process in processes:
            process.__enter__()
        for turn in range(requests // TURN + 1):
            for process, seconds in zip(processes, taken, strict=True):
                for _ in range(TURN):
                    body, needed = process.get(LIST)
                    assert len(body["items"] if isinstance(body, dict) else body) >= 20
                    if turn:
                        seconds.append(needed)
    finally:
        for process in processes:
            process.__exit__(None, None, None)
    quantiles = [statistics.quantiles(seconds, n=100) for seconds in taken]
    turns = [[statistics.median(turn) for turn in batched(seconds)] for seconds in taken]
    ratios = [
        statistics.median(one / bare for one, bare in zip(each, turns[1], strict=True)) for each in turns
    ]
    return Result(
        "Warm latency of a list of 20",
        f"`GET {LIST}`, {requests} requests each, in turns of {TURN}, at the Runtime API; the last column is "
        "the median of the turns' ratios. The bare handler sends the same statement and builds its JSON from "
        f"the rows. The seed app is connected {PAST}.",
        ("function", "p50, ms", "p99, ms", "in terms of bare asyncpg"),
        [
            (one.name, f"{q[49] * 1000:.2f}", f"{q[98] * 1000:.2f}", f"{ratio:.2f}")
            for one, q, ratio in zip(candidates, quantiles, ratios, strict=True)
        ],
        [Goal("p50 of our list in terms of bare asyncpg's", ratios[0], 2.0)],
    )


def round_trips(artifacts: Artifacts, place: Place) -> Result:
    """Count round trips to the database with a proxy before it."""
    candidates = [
        _ours(artifacts, place),
        _bare(artifacts, place),
        _seed(artifacts, place, artifacts.seed, "seed app"),
        _seed(artifacts, place, artifacts.seed, 'seed app, lifespan="off"', "handler_without_lifespan"),
    ]
    counts = []
    for one in candidates:
        with TcpProxy(one.url.port) as proxy, one.process(artifacts, proxy.port) as function:
            function.get(LIST)
            first = proxy.round_trips
            proxy.reset()
            function.get(LIST)
            counts.append((first, proxy.round_trips))
    (ours_first, ours_warm), (bare_first, _), *_ = counts
    return Result(
        "Round trips to the database",
        f"For `GET {LIST}`, one statement, counted by a TCP proxy before the pooler, `sslmode=disable`, "
        f"scram-sha-256. The seed app is connected {PAST}.",
        ("function", "first request", "each warm request"),
        [(one.name, str(first), str(warm)) for one, (first, warm) in zip(candidates, counts, strict=True)],
        [
            Goal("round trips that our first request adds to bare asyncpg's", ours_first - bare_first, 0),
            Goal("round trips of our warm request", ours_warm, 2),
        ],
    )


def _ours(artifacts: Artifacts, place: Place) -> Candidate:
    return Candidate("bough", artifacts.ours, "api.handler.handler", place.database.pooled, variables)


def variables(url: ConnectionUrl) -> dict[str, str]:
    """Return what our function needs."""
    secret = secrets.token_hex(32)
    return {"DATABASE_URL": url.libpq(), "BOUGH_ENVIRONMENT": "production", "AUTH_SECRET": secret}


def _imports(artifacts: Artifacts, place: Place) -> Candidate:
    return Candidate(
        "the same imports, no work",
        artifacts.imports,
        "imports_only.handler",
        place.database.pooled,
        lambda _: {},
    )


def _bare(artifacts: Artifacts, place: Place) -> Candidate:
    statement = json.dumps(asyncio.run(_list_statement(place.database.pooled)))

    def environment(url: ConnectionUrl) -> dict[str, str]:
        return {"DATABASE_URL": url.libpq(), "STATEMENT": statement}

    return Candidate(
        "bare asyncpg", artifacts.bare, "bare_asyncpg.handler", place.database.pooled, environment
    )


def _seed(artifacts: Artifacts, place: Place, folder: Path, name: str, handler: str = "handler") -> Candidate:
    def environment(url: ConnectionUrl) -> dict[str, str]:
        return {"DATABASE_URL": plain_url(url.asyncpg()[0].render_as_string(hide_password=False))}

    assert folder in {artifacts.seed, artifacts.seed_source}
    return Candidate(name, folder, f"seed_app.main.{handler}", place.application_direct, environment)


def batched(seconds: list[float]) -> list[list[float]]:
    """Return the turns, one after the other."""
    return [seconds[first : first + TURN] for first in range(0, len(seconds), TURN)]


async def _list_statement(url: ConnectionUrl) -> tuple[str, list[Any]]:
    """Return what our list sends to the database."""
    sent: list[tuple[str, list[Any]]] = []

    def keep(_: Any, __: Any, statement: str, parameters: Any, *___: Any) -> None:
        sent.append((statement, list(parameters)))

    engine = make_engine(url)
    event.listen(engine.sync_engine, "before_cursor_execute", keep)
    async with read(engine) as session:
        await posts.published(session)
    await engine.dispose()
    (only,) = sent
    return only
