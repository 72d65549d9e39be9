"""Ctrl-C, `bough down` and a closed terminal end a command in order, and only once."""

from __future__ import annotations

import asyncio
import signal
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any, Final, Self

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterator
    from types import FrameType

_ENDING: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class EndingSignals:
    """Turns the first such signal into `KeyboardInterrupt` while the `with` block runs.

    Later ones are ignored: they would cut the ending short and leave processes behind.
    """

    def __init__(self) -> None:
        """Listen only inside the block."""
        self._act: Callable[[], object] = self._interrupt
        self._received = False

    def __enter__(self) -> Self:
        """Take the signals over."""
        self._before = {each: signal.signal(each, self._receive) for each in _ENDING}
        return self

    def __exit__(self, *_: object) -> None:
        """Give them back."""
        for each, handler in self._before.items():
            signal.signal(each, handler)

    @contextmanager
    def held_back(self) -> Iterator[None]:
        """Raise at the end of this block: a process that it starts is known by then, and can be ended."""
        self._act = _wait
        try:
            yield
        finally:
            self._act = self._interrupt
            if self._received:
                # Also in place of an error: Ctrl-C reaches child processes as well, which then fail.
                self._interrupt()

    def run(self, work: Coroutine[Any, Any, None]) -> None:
        """Run `work` in an event loop until it ends; a signal cancels it and raises nothing.

        Afterwards signals do nothing: the command is about to end.
        """
        try:
            asyncio.run(self._until_cancelled(work))
        finally:
            self._act = _wait

    async def _until_cancelled(self, work: Coroutine[Any, Any, None]) -> None:
        loop, task = asyncio.get_running_loop(), asyncio.create_task(work)
        self._act = lambda: loop.call_soon_threadsafe(task.cancel)
        with suppress(asyncio.CancelledError):
            await task

    def _receive(self, _signal: int, _frame: FrameType | None) -> None:
        for each in _ENDING:
            signal.signal(each, signal.SIG_IGN)
        self._received = True
        self._act()

    def _interrupt(self) -> None:
        raise KeyboardInterrupt


def _wait() -> None:
    """Leave it to the end of what goes on."""
