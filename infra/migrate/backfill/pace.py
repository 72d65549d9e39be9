"""How fast a backfill may go: the size of its batches, and the rests between them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

#: Seconds that a batch is to take: as long as a writer waits, at worst, for a row that is being changed.
TARGET: Final = 0.2

#: Seconds of pause for each second of a batch: the server has the rest for those who wait for answers.
PAUSE: Final = 0.5

#: Rows of a run's first batch, and of any.
FIRST: Final = 500
SMALLEST: Final = 10
LARGEST: Final = 50_000


@dataclass(frozen=True, slots=True)
class Pace:
    """How fast a run may go.

    Args:
        rate: Rows a second that it goes through at most; `None` for as many as `pause` lets it.
        target: Seconds that a batch is to take.
        pause: Seconds of pause for each second of a batch.
        patience: Seconds between two looks at a server that is busy, or at rows that others hold.
    """

    rate: float | None = None
    target: float = TARGET
    pause: float = PAUSE
    patience: float = 1.0

    @property
    def first_size(self) -> int:
        """How many rows the first batch has."""
        return FIRST if self.rate is None else int(min(max(self.rate, SMALLEST), FIRST))

    def next_size(self, size: int, seconds: float) -> int:
        """Return how many rows the batch after one of `size` rows and so many seconds has."""
        wanted = size * self.target / max(seconds, 0.001)
        # At most twice or half as many: one slow batch says little.
        limited = min(max(wanted, size / 2), size * 2)
        if self.rate is not None:
            limited = min(limited, self.rate)
        return int(min(max(limited, SMALLEST), LARGEST))

    def rest(self, rows: int, seconds: float) -> float:
        """Return for how many seconds to pause after a batch."""
        by_rate = rows / self.rate - seconds if self.rate is not None else 0.0
        return max(seconds * self.pause, by_rate, 0.0)
