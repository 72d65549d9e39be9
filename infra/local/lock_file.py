"""Locks that the system releases however their holder ends.

So none of them can be stale, as a pid file can.
"""

from __future__ import annotations

import fcntl
import os
import time
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

import psutil

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@contextmanager
def held(path: Path) -> Iterator[None]:
    """Hold the lock for the length of the block; `holder` then returns this process's pid.

    Raises:
        BlockingIOError: Another process holds it, or another part of this one does.
    """
    with path.open("a+") as lock:
        for attempt in reversed(range(20)):
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                if not attempt:
                    raise
                time.sleep(0.01)  # whoever asks for the holder has it for a moment
            else:
                break
        lock.truncate(0)
        lock.write(f"{os.getpid()}\n")
        lock.flush()
        yield


@contextmanager
def waited_for(path: Path) -> Iterator[None]:
    """Hold the lock for the length of the block, as soon as nobody else does."""
    with path.open("a+") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def holder(path: Path) -> int | None:
    """Return the pid of the process that is in the block of `held`, `None` when none is."""
    try:
        lock = path.open("r")
    except FileNotFoundError:
        return None
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            pass
        else:
            return None
        # Its holder writes the pid right after it took the lock: what a killed one wrote may still
        # stand there, and that pid may be anybody's by now.
        for _attempt in range(100):
            lock.seek(0)
            with suppress(ValueError, psutil.Error):
                pid = int(lock.read())
                if any(file.path == os.path.realpath(path) for file in psutil.Process(pid).open_files()):
                    return pid
            time.sleep(0.01)
    return None
