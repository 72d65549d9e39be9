"""Loads of HTTP requests: as many as are answered, and a steady one whatever is answered."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import httpx2

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    #: Makes the n-th request.
    Make = Callable[[int], Awaitable[httpx2.Response]]


@dataclass(slots=True)
class Seen:
    """What clients saw.

    Args:
        requests: How many were answered or failed.
        failures: How often which status, or exception, that is no success.
        waits: Seconds of each, from when it was due.
    """

    requests: int = 0
    failures: Counter[str] = field(default_factory=Counter)
    waits: list[float] = field(default_factory=list)

    async def take(self, request: Awaitable[httpx2.Response], due: float) -> None:
        """Wait for one answer and count it."""
        try:
            response = await request
            failure = None if response.is_success else str(response.status_code)
        except httpx2.HTTPError as error:
            failure = type(error).__name__
        self.requests += 1
        self.waits.append(time.monotonic() - due)
        if failure:
            self.failures[failure] += 1

    def quantile(self, share: float) -> float:
        """Return the wait that this share of the requests kept below, in seconds."""
        return sorted(self.waits)[min(int(share * len(self.waits)), len(self.waits) - 1)]


async def saturation(make: Make, *, clients: int, seconds: float) -> float:
    """Return how many requests per second are answered while each client asks as soon as it was answered."""
    seen = Seen()
    begun = time.monotonic()

    async def ask(first: int) -> None:
        number = first
        while time.monotonic() - begun < seconds:
            await seen.take(make(number), time.monotonic())
            number += clients

    await asyncio.gather(*(ask(first) for first in range(clients)))
    assert not seen.failures, seen.failures
    return seen.requests / (time.monotonic() - begun)


async def steady(make: Make, *, rate: float, until: asyncio.Event) -> Seen:
    """Make `rate` requests per second, each when it is due, until the event; then wait for the answers."""
    seen = Seen()
    begun = due = time.monotonic()
    number = 0
    async with asyncio.TaskGroup() as asked:
        while not until.is_set():
            await asyncio.sleep(max(0.0, due - time.monotonic()))
            asked.create_task(seen.take(make(number), due))
            number += 1
            due = begun + number / rate
    return seen
