"""Transfers by the thousand against several processes of the app, which are killed among them."""

from __future__ import annotations

import asyncio
import random
import subprocess
import sys
from collections import Counter
from dataclasses import dataclass, field
from itertools import cycle
from pathlib import Path
from typing import TYPE_CHECKING, Final
from uuid import uuid4

import httpx2
import psycopg

from infra.local import ports
from tests.support.credits import order

if TYPE_CHECKING:
    from collections.abc import Iterator
    from uuid import UUID

    from infra.testing.databases import Database
    from tests.support.people import Person

ROOT: Final = Path(__file__).parents[2]
#: Seconds for everything; a quiet machine needs a tenth.
_LIMIT: Final = 600
_PATIENT: Final = httpx2.Timeout(30)
#: Hangs up once it has sent its request.
_HASTY: Final = httpx2.Timeout(30, read=0.001)
_TERMINATE: Final = (
    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
    " WHERE usename = 'bough_app' AND datname = current_database()"
)


class Worker:
    """One process that serves the app, in this process's environment."""

    def __init__(self) -> None:
        self._port = ports.free_port()
        self.url = f"http://127.0.0.1:{self._port}"
        self.start()

    def start(self) -> None:
        """Start, at the same address each time."""
        self._process = subprocess.Popen(
            [sys.executable, "-m", "uvicorn", "api.app:app", "--no-access-log", "--port", str(self._port)],
            cwd=ROOT,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )

    async def wait_until_ready(self) -> None:
        """Wait until it listens."""
        while ports.is_free(self._port):  # noqa: ASYNC110  another process's state
            await asyncio.sleep(0.05)

    def kill(self) -> None:
        """Leave it no time to say so."""
        self._process.kill()
        self._process.wait()


@dataclass
class Storm:
    """What clients sent, and what they were answered.

    Args:
        payer: Owns all accounts.
        accounts: Between which credits move.
        total: How many transfers are asked for.
        made: Key of the row by the number of the transfer, of those that were acknowledged.
        refused: Numbers of the transfers that their account had not enough for.
        unanswered: Numbers of those that had no answer at first; each was sent again with its key.
        lost: Why there was none, and how often.
        replayed: How many were answered by the response of an earlier attempt.
    """

    payer: Person
    accounts: list[UUID]
    total: int
    made: dict[int, str] = field(default_factory=dict)
    refused: set[int] = field(default_factory=set)
    unanswered: set[int] = field(default_factory=set)
    lost: Counter[str] = field(default_factory=Counter)
    replayed: int = 0

    async def run(self, database: Database, *, processes: int, in_flight: int, disasters: int) -> None:
        """Send all transfers; kill in turn one process and all backends, and start the process again."""
        workers = [Worker() for _ in range(processes)]
        addresses = cycle([worker.url for worker in workers])
        numbers = iter(range(self.total))
        limits = httpx2.Limits(max_connections=in_flight)
        try:
            async with (
                asyncio.timeout(_LIMIT),
                httpx2.AsyncClient(limits=limits, headers=self.payer.headers) as client,
            ):
                await asyncio.gather(*(worker.wait_until_ready() for worker in workers))
                raging = asyncio.create_task(self._rage(workers, database, disasters))
                await asyncio.gather(*(self._send(client, addresses, numbers) for _ in range(in_flight)))
                await raging
        finally:
            for worker in workers:
                worker.kill()

    async def _rage(self, workers: list[Worker], database: Database, disasters: int) -> None:
        with psycopg.connect(database.superuser.libpq(), autocommit=True) as administrator:
            for number in range(disasters):
                while len(self.made) + len(self.refused) < self.total * (number + 1) / (disasters + 1):  # noqa: ASYNC110
                    await asyncio.sleep(0.005)
                if number % 2:
                    administrator.execute(_TERMINATE)
                else:
                    victim = workers[number // 2 % len(workers)]
                    victim.kill()
                    victim.start()

    async def _send(
        self, client: httpx2.AsyncClient, addresses: Iterator[str], numbers: Iterator[int]
    ) -> None:
        """Send one transfer after the other, each until it is answered; hang up on every tenth at first."""
        for number in numbers:
            source, target = random.sample(self.accounts, 2)
            body = order(source, target, random.randint(1, 60), memo=str(number))
            headers = {"Idempotency-Key": str(uuid4())}
            timeout = _PATIENT if number % 10 else _HASTY
            while True:
                url = f"{next(addresses)}/credits/transfers"
                try:
                    response = await client.post(url, json=body, headers=headers, timeout=timeout)
                except httpx2.TransportError as error:
                    self.lost[type(error).__name__] += 1
                else:
                    if self._is_final(response, number):
                        break
                self.unanswered.add(number)
                timeout = _PATIENT
                await asyncio.sleep(0.1)

    def _is_final(self, response: httpx2.Response, number: int) -> bool:
        """Note an answer; return whether the transfer need not be sent again."""
        if response.status_code == 201:
            self.made[number] = response.json()["id"]
            self.replayed += "idempotent-replayed" in response.headers
        elif response.status_code == 409:
            self.refused.add(number)
        else:
            assert response.status_code >= 500, response.text
            self.lost[response.json()["code"]] += 1
            return False
        return True
