"""The time of a measured run: what measuring itself takes does not count."""

from __future__ import annotations

import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator


class Clock:
    """Seconds since it was made, less the time in which it was paused."""

    def __init__(self) -> None:
        """Start at 0."""
        self._zero = time.monotonic()

    def now(self) -> float:
        """Return the seconds; of use to another thread only while nobody pauses."""
        return time.monotonic() - self._zero

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Stand still: a lock is not held longer because the server is asked about it over a slow line."""
        began = time.monotonic()
        try:
            yield
        finally:
            self._zero += time.monotonic() - began
