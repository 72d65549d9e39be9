"""How long something may take, however many steps it has."""

from __future__ import annotations

import time
from typing import Final

#: Seconds that a request needs at least to be answered: one begun later would only look like a failure.
_LOOK: Final = 0.2


class Deadline:
    """A moment until which something must be done."""

    def __init__(self, seconds: float) -> None:
        """Begin to count."""
        self.seconds = seconds
        self._end = time.monotonic() + seconds

    def remaining(self) -> float:
        """Return the seconds left, never below 0."""
        return max(0.0, self._end - time.monotonic())

    def allows_look_after(self, pause: float) -> bool:
        """Return whether, after so many seconds, there is time for one more request."""
        return pause + _LOOK < self.remaining()
