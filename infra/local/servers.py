"""The servers whose files lie below a folder, found without the process that started them."""

from __future__ import annotations

import os
import shutil
import signal
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

import psutil

from infra.local import processes
from infra.local.home import Home

if TYPE_CHECKING:
    from collections.abc import Iterator


#: What PostgreSQL and PgBouncer are run by; an editor that has the folder's log open is not ended.
_PROGRAMS: Final = {"postgres", "pgbouncer", "initdb", "pg_basebackup", "pg_dump"}


@dataclass(frozen=True, slots=True)
class Server:
    """A running server process.

    Args:
        name: Of its program: `postgres`, `pgbouncer`.
        pid: Its own.
    """

    name: str
    pid: int

    def __str__(self) -> str:
        """Return `postgres (pid 12)`."""
        return f"{self.name} (pid {self.pid})"


def running_below(folder: Path) -> list[Server]:
    """Return the server programs that were started with a file of the folder's on their command line."""
    places = tuple(f"{place}{os.sep}" for place in (folder.resolve(), *_homes(folder)))
    found = []
    for process in psutil.process_iter():
        program, *arguments = processes.command_line(process.pid) or [""]
        name = Path(program).name
        if name in _PROGRAMS and any(place in argument for argument in arguments for place in places):
            found.append(Server(name, process.pid))
    return found


def data_is_missing(folder: Path) -> bool:
    """Say whether the servers below the folder have lost their data.

    As root it lies elsewhere: a folder that was copied, or restored from a cache, comes without it.
    """
    homes = list(_homes(folder))
    return bool(homes) and not any((home / "data").exists() for home in homes)


def remove_below(folder: Path) -> None:
    """Delete the folder with the files of all servers below it; those that still run are ended at once."""
    if not folder.exists():
        return
    for server in running_below(folder):
        # Killed outright, PostgreSQL would leave its shared memory behind.
        processes.end(server.pid, signal.SIGQUIT if server.name == "postgres" else signal.SIGKILL)
    for home in list(_homes(folder)):
        shutil.rmtree(home, ignore_errors=True)
    shutil.rmtree(folder)


def _homes(folder: Path) -> Iterator[Path]:
    """Yield the folders elsewhere that servers below this one keep their files in."""
    if os.geteuid() == 0:
        for mark in folder.rglob("mark"):
            yield Home.of(mark.parent).path
