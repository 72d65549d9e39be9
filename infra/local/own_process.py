"""A process of the project that outlives the command that needed it first: started, found again, ended.

It is a module that is run with `--folder <project>/.bough`. In a folder of its own there it

- holds `lock` (`infra.local.lock_file.held`) from before it touches anything else until all that it
  started has ended: the lock says whether one runs, whatever else lies there;
- writes `address.json`, `{"base_url": "http://127.0.0.1:<port>…", "pid": <its own>}`, once it answers;
- ends in order at SIGTERM.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import sys
import time
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from infra.local import lock_file, ports, processes
from infra.local.errors import ServerStartError, start_error

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

#: Seconds: for a start on a busy machine; for an answer; until it is looked again.
_START_PATIENCE: Final = 60.0
_ANSWER_PATIENCE: Final = 10.0
_POLL: Final = 0.02


@dataclass(frozen=True, slots=True)
class Address:
    """Where it answers.

    Args:
        base_url: What requests are sent to.
        pid: Of the process.
    """

    base_url: str
    pid: int


@dataclass(frozen=True, slots=True)
class OwnProcess:
    """One kind of process of a project; at most one of each runs.

    Args:
        root: The project's folder.
        name: Of its folder below `.bough/`, and of its log.
        module: What is run.
        title: What messages call it.
        options: More arguments of the module, for a start.
    """

    root: Path
    name: str
    module: str
    title: str
    options: tuple[str, ...] = ()

    @property
    def folder(self) -> Path:
        """Where it keeps its own."""
        return self.root / ".bough" / self.name

    @property
    def log(self) -> Path:
        """What it says."""
        return self.folder / f"{self.name}.log"

    @contextmanager
    def starting(self) -> Iterator[None]:
        """Be the only one who starts or ends it; the lock lies outside of what may be deleted."""
        with lock_file.waited_for(self.root / ".bough" / f"{self.name}.lock"):
            yield

    def pid(self) -> int | None:
        """Return the pid of the one that runs, also while it starts or ends."""
        return lock_file.holder(self.folder / "lock")

    def address(self) -> Address | None:
        """Return where the running one answers; `None` also while it starts or ends."""
        pid = self.pid()
        if pid is None:
            return None
        with suppress(FileNotFoundError):
            document = json.loads((self.folder / "address.json").read_text())
            # What its predecessor wrote may still lie there, and that port be anybody's by now.
            if document["pid"] == pid and _answers(document["base_url"]):
                return Address(document["base_url"], pid)
        return None

    def start(self) -> Address:
        """Start it, unless one starts already, and return its address once it answers.

        Raises:
            ServerStartError: It ended, or does not answer; the message quotes what it said.
            DiskFullError: The disk is full.
        """
        self.folder.mkdir(mode=0o700, exist_ok=True)
        said_before = self.log.stat().st_size if self.log.exists() else 0
        pid: int | None = None
        deadline = time.monotonic() + _START_PATIENCE
        while time.monotonic() < deadline:
            if (address := self.address()) is not None:
                return address
            if self.pid() is None:
                # None starts, and one that was ending has ended.
                if pid is None:
                    pid = self._spawn()
                elif not processes.is_running(pid):
                    said = self.log.read_bytes()[said_before:].decode(errors="replace")
                    raise start_error(self.title, said, self.log)
            time.sleep(_POLL)
        raise ServerStartError(
            f"{self.title} did not answer within {_START_PATIENCE:.0f} s",
            hint=f"end it with `bough down`; the whole story is in {self.log}",
        )

    def end(self, patience: float) -> bool:
        """End the one that runs, killed after `patience` seconds; return whether there was one."""
        if (pid := self.pid()) is None:
            return False
        processes.end(pid, signal.SIGTERM, patience=patience)
        return True

    def _spawn(self) -> int:
        # -P: a folder of the user's that is called `infra` is not ours.
        folder = str(self.folder.parent.resolve())
        command = [sys.executable, "-P", "-m", self.module, "--folder", folder, *self.options]
        path = {"PATH": os.environ.get("PATH", os.defpath)}  # where PgBouncer may be
        return processes.spawn(command, cwd=self.folder, log=self.log, account=None, environment=path)


def _answers(base_url: str) -> bool:
    """Say whether it takes connections: while it ends it holds the lock, but takes none."""
    port = urlsplit(base_url).port
    with suppress(OSError), socket.create_connection((ports.LOOPBACK, port), timeout=_ANSWER_PATIENCE):
        return True
    return False
