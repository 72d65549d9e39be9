"""A process's output, line by line, as it is written."""

from __future__ import annotations

import asyncio
import contextlib
import os
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable
    from io import FileIO

#: A longer line is passed on in pieces; CloudWatch cuts events at 256 KiB.
_MAX_LINE: Final = 256 * 1024

#: How long output is awaited after the process ended, in seconds: a child of it may hold the pipe.
_PATIENCE: Final = 1.0


class LogPipe(asyncio.Protocol):
    """The reading end of a pipe.

    Not asyncio's own subprocess pipes: with those, waiting for the process also waits for whoever
    else holds the pipe.
    """

    def __init__(self, log: Callable[[str], None]) -> None:
        """Pass each line, without its end, to `log`."""
        self._log = log
        self._rest = b""
        self._transport: asyncio.BaseTransport | None = None
        self._at_end = asyncio.Event()
        self._reading: int | None = None

    async def writer(self) -> FileIO:
        """Open the pipe and return its writing end, to be closed once the process has it."""
        reading, writing = os.pipe()
        loop = asyncio.get_running_loop()
        self._reading = reading
        self._transport, _ = await loop.connect_read_pipe(lambda: self, os.fdopen(reading, "rb", 0))
        return os.fdopen(writing, "wb", 0)

    async def drained(self) -> None:
        """Wait until everything was read."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_PATIENCE):
                await self._at_end.wait()

    def catch_up(self) -> None:
        """Read what was written until now: a message on a socket may overtake it."""
        with contextlib.suppress(BlockingIOError, OSError):
            while self._reading is not None and (data := os.read(self._reading, _MAX_LINE)):
                self.data_received(data)

    def close(self) -> None:
        """Stop reading."""
        self._reading = None
        if self._transport is not None:
            self._transport.close()

    def data_received(self, data: bytes) -> None:
        """Pass on the lines that are complete."""
        *lines, self._rest = (self._rest + data).split(b"\n")
        for line in lines:
            self._pass_on(line)
        if len(self._rest) >= _MAX_LINE:
            self._pass_on(self._rest)
            self._rest = b""

    def connection_lost(self, exc: Exception | None) -> None:
        """Pass on a last line without an end."""
        del exc
        self._reading = None
        if self._rest:
            self._pass_on(self._rest)
        self._at_end.set()

    def _pass_on(self, line: bytes) -> None:
        self._log(line.decode(errors="replace").rstrip("\r"))
