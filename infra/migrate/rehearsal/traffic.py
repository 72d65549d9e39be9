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
from infra.migrate.rehearsal.results import TrafficResult
from infra.migrate.rehearsal.traffic_statements import TrafficError, failure

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from api.database.connection_url import PooledUrl
    from infra.migrate.rehearsal.traffic_statements import Request

    AsyncConnection = psycopg.AsyncConnection[tuple[Any, ...]]

#: Connections of the clients; requests that are due while all are busy wait for one, and that counts.
_CONNECTIONS: Final = 20

#: Seconds at the end for what still waits; the role's own timeouts end it sooner.
_PATIENCE: Final = 60.0

_FORM: Final = re.compile(r"(?P<rate>\d+(?:\.\d+)?)/s(?::(?P<reads>\d{1,3})%reads)?")


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
            TrafficError: It is of another form, or asks for none.
        """
        match = _FORM.fullmatch(text.strip().replace(" ", ""))
        reads = int(match["reads"] or 80) if match else 0
        if match is None or not float(match["rate"]) or reads > 100:  # noqa: PLR2004  percent
            raise TrafficError(
                f"{text!r} is no load", hint="write requests per second: 50/s, or 50/s:90%reads"
            )
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
        self._usual = self._longest = 0.0
        self._requests = 0
        self._errors: Counter[str] = Counter()

    def result(self) -> TrafficResult:
        """Return what the clients saw since the warm-up; complete once the block has ended.

        Raises:
            TrafficError: The clients ended early.
        """
        if self._trouble is not None:
            raise self._trouble
        return TrafficResult(str(self._load), self._requests, dict(self._errors), self._longest, self._usual)

    def start(self) -> None:
        """Make the load, and return when it has lasted for the warm-up.

        Raises:
            TrafficError: There is nothing to ask for.
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
        for connection in await asyncio.gather(*(self._connect() for _ in range(_CONNECTIONS))):
            free.put_nowait(connection)
        chance = random.Random(0)  # noqa: S311  the same load each time
        weights = [request.weight for request in requests]
        begun = time.monotonic()
        number, due, tasks = 0, begun, set[asyncio.Task[None]]()
        while not self._stopped.is_set():
            await asyncio.sleep(max(0.0, due - time.monotonic()))
            if not self._warm.is_set() and due - begun >= self._load.warm_up:
                self._measured_from = due
                self._warm.set()
            request = chance.choices(requests, weights)[0]
            task = asyncio.create_task(self._make(free, request, chance.choice(request.parameters), due))
            tasks.add(task)
            task.add_done_callback(tasks.discard)
            number += 1
            due = begun + number / self._load.rate
        if tasks:
            _, unanswered = await asyncio.wait(tasks, timeout=_PATIENCE)
            if unanswered:
                self._errors["no answer"] = len(unanswered)
        while not free.empty():
            await free.get_nowait().close()

    async def _connect(self) -> AsyncConnection:
        return await psycopg.AsyncConnection.connect(
            self._database.libpq(), autocommit=True, prepare_threshold=None
        )

    async def _make(
        self, free: asyncio.Queue[AsyncConnection], request: Request, parameters: tuple[Any, ...], due: float
    ) -> None:
        connection = await free.get()
        trouble = None
        try:
            if connection.closed:
                connection = await self._connect()
            await _ask(connection, request, parameters)
        except psycopg.Error as error:
            trouble = failure(error)
        finally:
            free.put_nowait(connection)
        self._count(due, time.monotonic() - due, trouble)

    def _count(self, due: float, wait: float, trouble: str | None) -> None:
        if not self._warm.is_set() or due < self._measured_from:
            self._usual = max(self._usual, wait)
            return
        self._requests += 1
        self._longest = max(self._longest, wait)
        if trouble is not None:
            self._errors[trouble] += 1


async def _ask(connection: AsyncConnection, request: Request, parameters: tuple[Any, ...]) -> None:
    if not request.writes:
        await (await connection.execute(request.statement, parameters or None)).fetchall()
        return
    async with connection.transaction(force_rollback=True):
        await connection.execute(request.statement, parameters or None)


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
