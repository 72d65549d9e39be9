"""`bough up` as a user runs it: a process of its own, in a project's folder."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Self

import psutil

from infra.local import control_plane, servers, world
from infra.local.ports import free_port
from infra.local.processes import command_line

if TYPE_CHECKING:
    from collections.abc import Callable

BOUGH = Path(sys.executable).parent / "bough"

#: Seconds for a start on a busy machine, packaging included.
PATIENCE = 180


REPOSITORY = Path(__file__).parents[2]


def copy_kit(root: Path) -> None:
    """Copy what of this repository is served."""
    for name in ("api", "migrations"):
        shutil.copytree(REPOSITORY / name, root / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "uv.lock", "README.md"):
        shutil.copy(REPOSITORY / name, root)


def remove(root: Path) -> None:
    """Delete a project and what its servers keep elsewhere."""
    control_plane.delete(root)
    shutil.rmtree(root)


def bough(root, *arguments):
    """Run a command to its end."""
    return subprocess.run([BOUGH, *arguments], cwd=root, capture_output=True, text=True, check=False)


class BoughUp:
    """One `bough up`; `with` waits until it serves, and ends it if the test has not."""

    def __init__(
        self, root: Path, *options: str, wait_for: str = "Ctrl-C stops everything", program: Path = BOUGH
    ) -> None:
        self.root = root
        self.port = free_port()
        self.log = root / f"up-{self.port}.log"
        self._options = options
        self._wait_for = wait_for
        self._program = program

    def __enter__(self) -> Self:
        begun = time.monotonic()
        with self.log.open("w") as log:
            command = [self._program, "up", "--port", str(self.port), *self._options]
            self.process = subprocess.Popen(
                command, cwd=self.root, stdout=log, stderr=log, start_new_session=True
            )
        self.wait_for(self._wait_for)
        self.seconds = time.monotonic() - begun
        return self

    def __exit__(self, *_: object) -> None:
        if self.process.poll() is None:
            self.end(signal.SIGTERM)
        world.down(self.root)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def said(self) -> str:
        return self.log.read_text()

    def wait_for(self, text: str, times: int = 1) -> None:
        """Wait until it has said something so often; fail as `wait_until`."""
        self.wait_until(lambda: self.said.count(text) >= times)

    def wait_until(self, condition: Callable[[], object]) -> None:
        """Wait until something is so; fail with all that it said when it ends instead."""
        deadline = time.monotonic() + PATIENCE
        while not condition():
            assert self.process.poll() is None, self.said
            assert time.monotonic() < deadline, self.said
            time.sleep(0.02)

    def status(self) -> dict:
        return json.loads(bough(self.root, "status", "-o", "json").stdout)

    def processes(self) -> list[psutil.Process]:
        """Return every process of the world: its own, its functions', the control plane and the servers."""
        pids = [self.process.pid, control_plane.find(self.root).pid, *(each.pid for each in self.servers())]
        roots = [psutil.Process(pid) for pid in pids]
        return list({one for root in roots for one in (root, *root.children(recursive=True))})

    def servers(self) -> list[servers.Server]:
        """Return PostgreSQL and PgBouncer of each running branch."""
        return servers.running_below(self.root / ".bough" / "neon")

    def environments(self) -> list[psutil.Process]:
        """Return the processes of the function's environments."""
        children = psutil.Process(self.process.pid).children(recursive=True)
        return [child for child in children if "awslambdaric" in command_line(child.pid)]

    def end(self, how: signal.Signals) -> int:
        """Send a signal as a terminal does, to the whole foreground group; return the exit code."""
        os.killpg(self.process.pid, how)
        return self.process.wait(timeout=60)


def alive(processes: list[psutil.Process], within: float = 5.0) -> list[psutil.Process]:
    """Return those that have not ended after `within` seconds."""

    def left() -> list[psutil.Process]:
        return [one for one in processes if one.is_running() and one.status() != psutil.STATUS_ZOMBIE]

    deadline = time.monotonic() + within
    while left() and time.monotonic() < deadline:
        time.sleep(0.02)
    return left()
