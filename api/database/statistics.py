"""What one request asked of the database: counted where the driver is called, logged at the edge."""

from __future__ import annotations

from contextvars import ContextVar
from dataclasses import dataclass


@dataclass(slots=True)
class Statistics:
    """Counters of one request.

    Attributes:
        statements: Statements sent, transaction control included.
        seconds: Time spent waiting for the database, connecting included.
        connections: Connections opened.
    """

    statements: int = 0
    seconds: float = 0.0
    connections: int = 0


#: The running request's counters; `None` where nobody counts (scripts, tests).
statistics: ContextVar[Statistics | None] = ContextVar("statistics", default=None)


def count_statement() -> None:
    """Count one statement of the running request, if anybody counts."""
    counters = statistics.get()
    if counters:
        counters.statements += 1
