"""Server processes: started apart from our terminal, found again by pid, ended for certain."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Final

import psutil

if TYPE_CHECKING:
    import pwd
    from collections.abc import Mapping, Sequence
    from pathlib import Path

#: Nothing of the user's shell reaches a server: PGDATA, PGOPTIONS or a locale would change it, and
#: messages must be in English to be understood.
ENVIRONMENT: Final = {"PATH": os.defpath, "LC_ALL": "C"}

_POLL: Final = 0.01

#: Kept until reaped: a dropped `Popen` of a server that outlives it would warn, and one that died
#: unreaped would stay a zombie that holds its pid.
_children: dict[int, subprocess.Popen[bytes]] = {}


def spawn(
    argv: Sequence[str],
    *,
    cwd: Path,
    log: Path,
    account: pwd.struct_passwd | None,
    environment: Mapping[str, str] | None = None,
) -> int:
    """Start a server in a session of its own, so that Ctrl-C reaches us and not it; return its pid.

    Args:
        argv: The program and its arguments.
        cwd: Its working folder.
        log: What it writes to stdout and stderr is added here.
        account: Whom it runs as, `None` for the current user.
        environment: Variables besides `ENVIRONMENT`.
    """
    for earlier in list(_children.values()):  # other threads start and end servers meanwhile
        earlier.poll()  # reaps those that somebody else ended
    with log.open("ab") as output:
        child = subprocess.Popen(  # noqa: S603  the program is ours and no shell is involved
            argv,
            cwd=cwd,
            env={**ENVIRONMENT, **(environment or {})},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            umask=0o077,
            user=account.pw_uid if account else None,
            group=account.pw_gid if account else None,
            extra_groups=[] if account else None,
        )
    _children[child.pid] = child
    return child.pid


def is_running(pid: int) -> bool:
    """Say whether the process exists and is more than a zombie."""
    if pid in _children and _children[pid].poll() is not None:
        return False
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def command_line(pid: int) -> list[str]:
    """Return a running process's arguments, empty when it is gone, a zombie or hidden from us."""
    try:
        return psutil.Process(pid).cmdline()
    except psutil.Error:
        return []


def end(pid: int, how: signal.Signals = signal.SIGTERM, *, patience: float = 10.0) -> None:
    """Signal the process, wait up to `patience` seconds, then kill it; return when it is gone."""
    for attempt in (how, signal.SIGKILL):
        if not is_running(pid):
            break
        with suppress(ProcessLookupError):
            os.kill(pid, attempt)
        deadline = time.monotonic() + patience
        while is_running(pid) and time.monotonic() < deadline:
            time.sleep(_POLL)
    child = _children.pop(pid, None)
    if child and not is_running(pid):
        child.wait()  # a zombie that nobody had asked about yet


def kill_left_in(folder: Path) -> None:
    """Kill the processes whose working folder is `folder`: backends whose postmaster was killed."""
    for process in psutil.process_iter():
        try:
            left = process.cwd() == str(folder)
        except psutil.Error:
            continue
        if left:
            end(process.pid, signal.SIGKILL)
