"""What one request asked of the database: counted where the driver is called, logged at the edge."""

from __future__ import annotations

from contextvars import ContextVar
from dataclasses import dataclass


@dataclass(slots=True)
class Statistics:
    """Counters of one request.

    Attributes:
        statements: Statements sent, transaction control included.
        round_trips: Messages sent and waited for, without those that open a connection.
        seconds: Time spent waiting for the database, connecting included.
        connections: Connections opened.
        pool_waits: Times that no connection of the pool was free.
    """

    statements: int = 0
    round_trips: int = 0
    seconds: float = 0.0
    connections: int = 0
    pool_waits: int = 0


#: The running request's counters; `None` where nobody counts (scripts, tests).
statistics: ContextVar[Statistics | None] = ContextVar("statistics", default=None)


def count(*, statements: int = 0, round_trips: int = 0, pool_waits: int = 0) -> None:
    """Add to the running request's counters, if anybody counts."""
    counters = statistics.get()
    if counters:
        counters.statements += statements
        counters.round_trips += round_trips
        counters.pool_waits += pool_waits
