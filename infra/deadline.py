"""How long something may take, however many steps it has."""

from __future__ import annotations

import time


class Deadline:
    """A moment until which something must be done."""

    def __init__(self, seconds: float) -> None:
        """Begin to count."""
        self.seconds = seconds
        self._end = time.monotonic() + seconds

    def remaining(self) -> float:
        """Return the seconds left, never below 0."""
        return max(0.0, self._end - time.monotonic())
