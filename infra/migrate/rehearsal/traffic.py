"""Clients of a fork while it is upgraded: what they ask, how long they wait, and the errors that they see.

The load is open: requests are made when they are due, whether earlier ones were answered or not, as those
of the outside world are. So a table that is blocked shows as waiting, counted from when each was due, and
not as fewer requests.
"""

from __future__ import annotations

import asyncio
import random
import re
import threading
import time
from collections import Counter
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Self

import psycopg

from infra.migrate.rehearsal import traffic_statements
from infra.migrate.rehearsal.results import Check, Outcome, TrafficResult
from infra.migrate.rehearsal.traffic_statements import TrafficError, failure

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from api.database.connection_url import PooledUrl
    from infra.config_tables import MigrateSettings
    from infra.migrate.rehearsal.traffic_statements import Request

    AsyncConnection = psycopg.AsyncConnection[tuple[Any, ...]]

#: The check's name.
TRAFFIC: Final = "traffic"

#: Connections of the clients; requests that are due while all are busy wait for one, and that counts.
_CONNECTIONS: Final = 20

#: Seconds at the end for what still waits; the role's own timeouts end it sooner.
_PATIENCE: Final = 60.0

#: Errors that the check's detail names.
_SHOWN: Final = 5

#: Seconds that a request may wait before the upgrade. More, and the load itself is what clients wait for.
_MOST_USUAL: Final = 1.0

_FORM: Final = re.compile(r"(?P<rate>[1-9]\d*)/s(?::(?P<reads>\d{1,3})%reads)?")
_USUAL_READS: Final = 80


@dataclass(frozen=True, slots=True)
class Traffic:
    """A load as it is stated.

    Args:
        rate: Requests per second, evenly spaced.
        reads: Their share, from 0 to 1; of no account with a file.
        warm_up: Seconds of it before the upgrade, to compare with.
        file: Statements instead of those derived from the tables.
    """

    rate: float
    reads: float = 0.8
    warm_up: float = 3.0
    file: Path | None = None

    @classmethod
    def parse(cls, text: str, *, file: Path | None = None) -> Self:
        """Read `50/s` or `50/s:90%reads`.

        Raises:
            TrafficError: It is of another form, or states a share that the file's statements have already.
        """
        match = _FORM.fullmatch(text.strip().replace(" ", ""))
        reads = int(match["reads"] or _USUAL_READS) if match else 0
        if match is None or reads > 100:  # noqa: PLR2004  percent
            raise TrafficError(
                f"{text!r} is no load", hint="write requests per second: 50/s, or 50/s:90%reads"
            )
        if file is not None and match["reads"]:
            message = f"{text!r} states a share of reads, and {file.name} has statements of its own"
            raise TrafficError(message, hint=f"write {match['rate']}/s; the file may give each a weight")
        return cls(float(match["rate"]), reads / 100, file=file)

    def __str__(self) -> str:
        """Return the load for people, in the form that `parse` reads."""
        of = f" of {self.file.name}" if self.file else f":{self.reads:.0%}reads"
        return f"{self.rate:g}/s{of}"


class Running:
    """A load that runs from the making of this object's block to its end."""

    def __init__(self, database: PooledUrl, load: Traffic) -> None:
        """Start nothing yet; use `replay`."""
        self._database = database
        self._load = load
        self._thread = threading.Thread(target=self._run, name="traffic", daemon=True)
        self._warm = threading.Event()
        self._stopped = threading.Event()
        self._trouble: Exception | None = None
        self._measured_from = 0.0
        self._usual = self._longest = self._late = 0.0
        self._requests = 0
        self._errors: Counter[str] = Counter()
        self._errors_before: Counter[str] = Counter()

    def result(self) -> TrafficResult:
        """Return what the clients saw since the warm-up; complete once the block has ended."""
        return TrafficResult(
            str(self._load), self._requests, dict(self._errors), self._longest, self._usual, self._late
        )

    def start(self) -> None:
        """Make the load, and return when it has lasted for the warm-up.

        Raises:
            TrafficError: There is nothing to ask for, or the load fails or is not kept up with as it is.
        """
        self._thread.start()
        self._warm.wait()
        if self._trouble is not None:
            raise self._trouble

    def stop(self) -> None:
        """Make no more requests, and wait for the answers of those that were made."""
        self._stopped.set()
        self._thread.join()

    def _run(self) -> None:
        try:
            asyncio.run(self._clients(self._requests_to_make()))
        except psycopg.Error as error:
            self._trouble = TrafficError(f"the fork cannot be asked: {failure(error)}")
        except Exception as error:  # noqa: BLE001  raised by whoever waits for this thread
            self._trouble = error
            if self._warm.is_set():
                # Nobody waits for it any more, and what clients saw from then on is not known.
                self._errors[f"the load ended early: {type(error).__name__}"] += 1
        finally:
            self._warm.set()

    def _requests_to_make(self) -> Sequence[Request]:
        # Behind a pooler in transaction mode a statement that was prepared by name is another's.
        with psycopg.connect(self._database.libpq(), autocommit=True, prepare_threshold=None) as connection:
            if self._load.file:
                return traffic_statements.given(connection, self._load.file)
            return traffic_statements.derived(connection, self._load.reads)

    async def _clients(self, requests: Sequence[Request]) -> None:
        free: asyncio.Queue[AsyncConnection] = asyncio.Queue()
        asked: dict[asyncio.Task[None], float] = {}
        try:
            for _ in range(_CONNECTIONS):
                free.put_nowait(await self._connect())
            await self._ask_when_due(requests, free, asked)
            if asked:
                await asyncio.wait(list(asked), timeout=_PATIENCE)
        finally:
            unanswered = list(asked)
            for task in unanswered:
                task.cancel()
            await asyncio.gather(*unanswered, return_exceptions=True)
            while not free.empty():
                await free.get_nowait().close()

    async def _ask_when_due(
        self,
        requests: Sequence[Request],
        free: asyncio.Queue[AsyncConnection],
        asked: dict[asyncio.Task[None], float],
    ) -> None:
        """Make requests until it is stopped; keep in `asked` when each was due that is not answered."""
        chance = random.Random(0)  # noqa: S311  the same load each time
        weights = [request.weight for request in requests]
        begun = time.monotonic()
        number, due = 0, begun
        while not self._stopped.is_set():
            await asyncio.sleep(max(0.0, due - time.monotonic()))
            now = time.monotonic()
            if self._warm.is_set():
                self._late = max(self._late, now - due)
            elif now - begun >= self._load.warm_up:
                self._require_calm(now - min(asked.values(), default=due))
                self._measured_from = due
                self._warm.set()
            request = chance.choices(requests, weights)[0]
            task = asyncio.create_task(self._make(free, request, chance.choice(request.parameters), due))
            asked[task] = due
            task.add_done_callback(asked.pop)
            number += 1
            due = begun + number / self._load.rate

    def _require_calm(self, waiting: float) -> None:
        """Make sure that what clients will see comes from the upgrade and not from the load itself.

        Args:
            waiting: Seconds for which one of them waits at the moment, at most.

        Raises:
            TrafficError: They see errors or wait long already.
        """
        if self._errors_before:
            message, times = self._errors_before.most_common(1)[0]
            raise TrafficError(f"clients saw errors before the upgrade: {message} ({times} times)")
        longest = max(self._usual, waiting)
        if longest > _MOST_USUAL:
            raise TrafficError(
                f"before the upgrade clients waited for up to {longest:.1f} s: {self._load} is too much here",
                hint="state a smaller load",
            )

    async def _connect(self) -> AsyncConnection:
        return await psycopg.AsyncConnection.connect(
            self._database.libpq(), autocommit=True, prepare_threshold=None
        )

    async def _make(
        self, free: asyncio.Queue[AsyncConnection], request: Request, parameters: tuple[Any, ...], due: float
    ) -> None:
        connection, trouble = None, None
        try:
            connection = await free.get()
            if connection.closed:
                connection = await self._connect()
            await _ask(connection, request, parameters)
        except psycopg.Error as error:
            trouble = failure(error)
        except asyncio.CancelledError:
            trouble = f"no answer, {_PATIENCE:g} s after the upgrade"
        finally:
            if connection is not None:
                free.put_nowait(connection)
        self._count(due, time.monotonic() - due, trouble)

    def _count(self, due: float, wait: float, trouble: str | None) -> None:
        if not self._warm.is_set() or due < self._measured_from:
            self._usual = max(self._usual, wait)
            if trouble is not None:
                self._errors_before[trouble] += 1
            return
        self._requests += 1
        self._longest = max(self._longest, wait)
        if trouble is not None:
            self._errors[trouble] += 1


async def _ask(connection: AsyncConnection, request: Request, parameters: tuple[Any, ...]) -> None:
    if not request.writes:
        # All rows are here then; not every value of theirs can be read in Python.
        await connection.execute(request.statement, parameters or None)
        return
    async with connection.transaction(force_rollback=True):
        await connection.execute(request.statement, parameters or None)


def judge(seen: TrafficResult, settings: MigrateSettings) -> Check:
    """Say whether clients went on as usual: no error, no wait beyond `blocked_unsafe` more than before."""
    if seen.errors:
        errors = "; ".join(
            f"{times} times {message}" for message, times in list(seen.errors.items())[:_SHOWN]
        )
        return Check(TRAFFIC, Outcome.FAILED, errors)
    if seen.longest_wait - seen.usual_wait - seen.late >= settings.blocked_unsafe:
        detail = (
            f"a client waited for {seen.longest_wait:.1f} s, {seen.usual_wait:.1f} s before the upgrade;"
            f" `blocked_unsafe` is {settings.blocked_unsafe:g} s"
        )
        return Check(TRAFFIC, Outcome.FAILED, detail)
    return Check(TRAFFIC, Outcome.PASSED, f"{seen.requests} requests without an error")


@contextmanager
def replay(database: PooledUrl, load: Traffic) -> Iterator[Running]:
    """Have clients make a load for the length of the block, after a warm-up.

    Args:
        database: The fork through its pooler, as the application logs in: its role's timeouts count.
        load: Which.

    Raises:
        TrafficError: There is nothing to ask for; nothing runs.
    """
    running = Running(database, load)
    try:
        running.start()
        yield running
    finally:
        with suppress(RuntimeError):  # it was never started
            running.stop()
