"""PgBouncer in transaction mode, as Neon and Supabase run their poolers."""

from __future__ import annotations

import re
import secrets
import shutil
import subprocess
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote

import psycopg
from psycopg.rows import dict_row

from api.database.connection_url import PooledUrl
from infra.local import ports, processes
from infra.local.errors import PoolerMissingError, PortInUseError, start_error
from infra.local.home import Home
from infra.local.postgres import SUPERUSER

if TYPE_CHECKING:
    from collections.abc import Mapping

    from infra.local.postgres import PostgresCluster

#: Where Debian and Homebrew install it; the first is on root's PATH only.
_USUAL_FOLDERS: Final = ("/usr/sbin", "/usr/local/sbin", "/opt/homebrew/bin", "/usr/local/bin")
_ADMINISTRATOR: Final = "bough_pooler"
_CONFIGURATION: Final = "pgbouncer.ini"
#: Clients that one takes.
MAX_CLIENTS: Final = 1000
_PORT_HINT: Final = "stop what uses it, or start on another port"

#: Asks the server for a role's verifier. It runs as superuser in the clients' own databases, where
#: somebody may have changed the search path: every name in it is qualified, the operators too.
_ROLE_QUERY: Final = (
    "SELECT rolname, rolpassword FROM pg_catalog.pg_authid"
    " WHERE rolname OPERATOR(pg_catalog.=) $1 AND rolcanlogin AND NOT rolsuper"
    " AND (rolvaliduntil IS NULL OR rolvaliduntil OPERATOR(pg_catalog.>) pg_catalog.now())"
)
_RULES: Final = f"""\
host all {SUPERUSER} {ports.LOOPBACK}/32 reject
host all all {ports.LOOPBACK}/32 scram-sha-256
"""


@dataclass(frozen=True, slots=True)
class TlsFiles:
    """A PEM certificate chain and its key, for TLS between clients and the pooler."""

    certificate: Path
    key: Path


def find_pgbouncer() -> Path | None:
    """Return PgBouncer's path, or `None` where it is not installed."""
    found = shutil.which("pgbouncer") or shutil.which("pgbouncer", path=":".join(_USUAL_FOLDERS))
    return Path(found) if found else None


@dataclass(slots=True)
class Pooler:
    """One PgBouncer in front of one cluster, for every database of it."""

    folder: Path
    port: int
    pid: int
    _home: Home = field(repr=False)
    _program: Path = field(repr=False)
    _administrator_password: str = field(repr=False)
    _tls: bool = field(repr=False)

    @classmethod
    def start(
        cls,
        folder: Path,
        *,
        postgres: PostgresCluster,
        users: Mapping[str, str] | None,
        port: int | None = None,
        pool_size: int = 20,
        tls: TlsFiles | None = None,
    ) -> Pooler:
        """Return a pooler that accepts connections; one left over from a killed process is ended first.

        Args:
            folder: Holds the log and, unless run as root, the configuration (`home.py`).
            postgres: The cluster behind it.
            users: Roles that may connect, with their passwords: PgBouncer needs the plain password
                to log in to the server with SCRAM. They are kept in a file of mode 0600. With
                `None` every role may that can log in to the server and is no superuser.
            port: Without one the last port is used again, or a free one when that is taken.
            pool_size: Server connections for each pair of user and database.
            tls: Given, clients must use TLS.

        Raises:
            PoolerMissingError: PgBouncer is not installed.
            PortInUseError: Something else listens on `port`.
            ServerStartError: PgBouncer refused to start, with its reason.
            DiskFullError: The disk is full.
        """
        program = find_pgbouncer()
        if program is None:
            raise PoolerMissingError("PgBouncer is not installed", hint="apt-get install pgbouncer")
        if (left := running(folder)) is not None:
            processes.end(left, patience=1.0)
        if port is not None:
            ports.require_free(port, _PORT_HINT)
        home = Home.of(folder)
        last_port = _last_port(home)
        settings = _settings(home, program, pool_size)
        if tls:
            settings |= {
                "client_tls_sslmode": "require",
                "client_tls_cert_file": str(home.write_private("tls.crt", tls.certificate.read_text())),
                "client_tls_key_file": str(home.write_private("tls.key", tls.key.read_text())),
            }
        password = secrets.token_urlsafe(24)
        if users is None:
            users = {SUPERUSER: postgres.superuser_password()}
            settings |= {
                "auth_user": SUPERUSER,
                "auth_query": _ROLE_QUERY,
                # A file of rules is the one way to keep out a user who stands in the auth_file.
                "auth_type": "hba",
                "auth_hba_file": str(home.write_private("hba.conf", _RULES)),
            }
        home.write_private("users.txt", _user_list({**users, _ADMINISTRATOR: password}))
        attempts = 1 if port else 3
        for attempt in range(attempts):
            chosen = port or ports.free_port(last_port if attempt == 0 else None)
            home.write_private(_CONFIGURATION, _configuration(postgres, settings, chosen))
            pooler = cls(folder, chosen, 0, home, program, password, tls is not None)
            try:
                pooler._launch()
            except PortInUseError:
                # Between choosing and binding another process can take the port: choose again.
                if attempt + 1 == attempts:
                    raise
            else:
                break
        return pooler

    @property
    def home(self) -> Path:
        """Where its files lie."""
        return self._home.path

    def url(self, database: str, user: str, password: str) -> PooledUrl:
        """Return the pooled URL of a database for one of the users."""
        return PooledUrl.parse(
            f"postgresql://{quote(user, safe='')}:{quote(password, safe='')}@{ports.LOOPBACK}:{self.port}"
            f"/{quote(database, safe='')}?sslmode={'require' if self._tls else 'disable'}"
        )

    def console(self, command: str) -> list[dict[str, Any]]:
        """Run a command of PgBouncer's admin console (`SHOW POOLS`, `RECONNECT`); return its rows."""
        url = self.url("pgbouncer", _ADMINISTRATOR, self._administrator_password)
        with (
            psycopg.connect(url.libpq(), autocommit=True, connect_timeout=5) as connection,
            connection.cursor(row_factory=dict_row) as cursor,
        ):
            cursor.execute(command.encode())
            return cursor.fetchall() if cursor.description else []

    def stop(self) -> None:
        """End the pooler and all connections through it at once."""
        # From 1.23 on SIGTERM waits for the clients to leave: they are given a moment.
        processes.end(self.pid, patience=1.0)

    def restart(self) -> None:
        """End it at once and start it again on the same port: what clients see at a deploy of a pooler.

        Raises:
            PortInUseError, ServerStartError: As `start`; the pooler is down.
        """
        self.stop()
        self._launch()

    def remove(self) -> None:
        """Stop the pooler and delete its configuration and log."""
        self.stop()
        self._home.remove(self.folder)

    def _launch(self) -> None:
        """Start the program and return when it answers; raise what it said when it ends instead."""
        # It takes a pid file for a running instance when another process has got that pid since.
        (self._home.path / "pgbouncer.pid").unlink(missing_ok=True)
        log = self.folder / "pgbouncer.log"
        said_before = log.stat().st_size if log.exists() else 0
        command = [str(self._program), str(self._home.path / _CONFIGURATION)]
        self.pid = processes.spawn(command, cwd=self._home.path, log=log, account=self._home.account)
        deadline = time.monotonic() + 10.0
        while processes.is_running(self.pid) and time.monotonic() < deadline:
            try:
                self.console("SHOW VERSION")
            except psycopg.OperationalError:
                time.sleep(0.01)
            else:
                return
        self.stop()
        said = log.read_bytes()[said_before:].decode(errors="replace")
        if "in use" in said:
            raise ports.in_use(self.port, _PORT_HINT)
        raise start_error("PgBouncer", said, log)


def running(folder: Path) -> int | None:
    """Return the pid of the pooler that runs for the folder: its pid file alone may be stale."""
    home = Home.of(folder)
    try:
        pid = int((home.path / "pgbouncer.pid").read_text())
    except (FileNotFoundError, ValueError):
        return None
    return pid if str(home.path / _CONFIGURATION) in processes.command_line(pid) else None


def _settings(home: Home, program: Path, pool_size: int) -> dict[str, str]:
    settings = {
        "listen_addr": ports.LOOPBACK,
        "unix_socket_dir": "",
        "auth_type": "scram-sha-256",
        "auth_file": str(home.path / "users.txt"),
        "admin_users": _ADMINISTRATOR,
        "pidfile": str(home.path / "pgbouncer.pid"),
        "pool_mode": "transaction",
        "default_pool_size": str(pool_size),
        "max_client_conn": str(MAX_CLIENTS),
        # As at Neon: every other startup parameter is refused, so code that relies on one fails here.
        "ignore_startup_parameters": "extra_float_digits",
        "server_tls_sslmode": "disable",
        # A restarted server is tried again after 1 s instead of 15.
        "server_login_retry": "1",
    }
    if _version(program) >= (1, 21):
        # Off, the stricter case: code that holds here holds where it is on, not the other way round.
        settings["max_prepared_statements"] = "0"
    return settings


def _configuration(postgres: PostgresCluster, settings: Mapping[str, str], port: int) -> str:
    lines = [
        "[databases]",
        f"* = host={ports.LOOPBACK} port={postgres.port}",
        "[pgbouncer]",
        f"listen_port = {port}",
        *(f"{name} = {value}" for name, value in settings.items()),
    ]
    return "\n".join(lines) + "\n"


def _user_list(users: Mapping[str, str]) -> str:
    def quoted(text: str) -> str:
        return '"' + text.replace('"', '""') + '"'

    return "".join(f"{quoted(name)} {quoted(password)}\n" for name, password in users.items())


def _last_port(home: Home) -> int | None:
    path = home.path / _CONFIGURATION
    match = re.search(r"^listen_port = (\d+)$", path.read_text(), re.MULTILINE) if path.exists() else None
    return int(match[1]) if match else None


def _version(program: Path) -> tuple[int, ...]:
    command = [str(program), "--version"]
    said = subprocess.run(command, capture_output=True, text=True, check=True).stdout  # noqa: S603  no shell
    match = re.search(r"(\d+)\.(\d+)", said)
    return (int(match[1]), int(match[2])) if match else (0, 0)
