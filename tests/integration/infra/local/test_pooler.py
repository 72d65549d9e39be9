"""PgBouncer on this machine: transaction mode, authentication, TLS, left-overs."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys

import psutil
import psycopg
import pytest
import trustme

from infra.local import pooler as pooler_module
from infra.local import processes
from infra.local.errors import PoolerMissingError, PortInUseError
from infra.local.home import Home
from infra.local.pooler import Pooler, TlsFiles, find_pgbouncer
from infra.local.postgres import SUPERUSER

# Every test here has a pooler of its own: they break it.


@pytest.fixture
def users(cluster):
    """The superuser, whom every cluster has."""
    return {SUPERUSER: (cluster._home.path / "superuser").read_text()}


@pytest.fixture
def folder(tmp_path):
    """A folder for one pooler, whose process and files are gone afterwards."""
    path = tmp_path / "pooler"
    yield path
    if (pid := pooler_module.running(path)) is not None:
        os.kill(pid, signal.SIGKILL)
    Home.of(path).remove(path)


@pytest.fixture
def one(cluster, folder, users):
    """A running pooler with a single server connection for each database."""
    return Pooler.start(folder, postgres=cluster, users=users, pool_size=1)


def connect(pooler, users, **changes):
    url = pooler.url("postgres", SUPERUSER, users[SUPERUSER]).replace(**changes)
    return psycopg.connect(url.libpq(), autocommit=True)


class TestStart:
    def test_clients_share_a_server_connection_between_transactions(self, one, users):
        """Two clients get answers from one server process: the pooler is in transaction mode."""
        with connect(one, users) as first, connect(one, users) as second:
            backends = {c.execute("SELECT pg_backend_pid()").fetchone() for c in (first, second, first)}
        assert len(backends) == 1

    def test_listens_on_loopback_only(self, one):
        """PgBouncer listens on 127.0.0.1 and nowhere else."""
        sockets = psutil.Process(one.pid).net_connections("inet")
        listening = [each.laddr for each in sockets if each.status == psutil.CONN_LISTEN]
        assert listening == [("127.0.0.1", one.port)]

    def test_wrong_password_and_unknown_user_are_refused(self, one, users):
        """Authentication is on."""
        with pytest.raises(psycopg.OperationalError, match="authentication failed"):
            connect(one, users, password="wrong")
        with pytest.raises(psycopg.OperationalError, match="authentication failed"):
            connect(one, users, user="nobody")

    def test_startup_parameters_are_refused(self, one, users):
        """As behind Neon's pooler, code that relies on a startup parameter fails."""
        url = one.url("postgres", SUPERUSER, users[SUPERUSER])
        with pytest.raises(psycopg.OperationalError, match="unsupported startup parameter"):
            psycopg.connect(url.libpq(), options="-c statement_timeout=5s")

    def test_missing_pgbouncer_is_an_error_with_the_command(self, cluster, folder, users, monkeypatch):
        """Without PgBouncer nothing pretends to be a pooler."""
        monkeypatch.setattr(pooler_module, "find_pgbouncer", lambda: None)
        with pytest.raises(PoolerMissingError) as caught:
            Pooler.start(folder, postgres=cluster, users=users)
        assert caught.value.hint == "apt-get install pgbouncer"

    def test_taken_port_is_refused_when_asked_for(self, cluster, folder, users):
        """An explicit port that something else holds is an error that names it."""
        with socket.create_server(("127.0.0.1", 0)) as other:
            port = other.getsockname()[1]
            with pytest.raises(PortInUseError, match=f"port {port} is in use"):
                Pooler.start(folder, postgres=cluster, users=users, port=port)

    def test_left_over_pooler_is_replaced(self, one, cluster, folder, users):
        """A pooler that outlived its starter is ended; the new one takes its port over."""
        again = Pooler.start(folder, postgres=cluster, users=users)
        assert not processes.is_running(one.pid)
        assert again.port == one.port
        with connect(again, users) as connection:
            assert connection.execute("SELECT 1").fetchone() == (1,)

    def test_pid_of_another_program_is_no_pooler(self, one, cluster, folder, users):
        """A stale pid file whose pid now belongs to something else harms neither."""
        os.kill(one.pid, signal.SIGKILL)
        with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as other:
            (Home.of(folder).path / "pgbouncer.pid").write_text(f"{other.pid}\n")
            again = Pooler.start(folder, postgres=cluster, users=users)
            assert processes.is_running(again.pid)
            assert other.poll() is None
            other.stdin.close()


class TestRestart:
    def test_port_stays_and_connections_end(self, one, users):
        """A restart is what a deploy of a pooler looks like: same address, all connections lost."""
        with connect(one, users) as connection:
            one.restart()
            with pytest.raises(psycopg.OperationalError):
                connection.execute("SELECT 1")
        with connect(one, users) as connection:
            assert connection.execute("SELECT 1").fetchone() == (1,)


class TestStop:
    def test_process_is_gone_with_clients_connected(self, one, users):
        """A connected client does not keep the pooler alive."""
        connection = connect(one, users)
        one.stop()
        assert not processes.is_running(one.pid)
        connection.close()


class TestTls:
    @pytest.fixture
    def authority(self):
        """A certificate authority for one test."""
        return trustme.CA()

    @pytest.fixture
    def encrypted(self, authority, cluster, folder, users, tmp_path):
        """A pooler with a certificate for 127.0.0.1."""
        certificate = authority.issue_cert("127.0.0.1")
        files = TlsFiles(tmp_path / "server.crt", tmp_path / "server.key")
        files.certificate.write_bytes(b"".join(blob.bytes() for blob in certificate.cert_chain_pems))
        files.key.write_bytes(certificate.private_key_pem.bytes())
        return Pooler.start(folder, postgres=cluster, users=users, tls=files)

    def test_verified_connection_works(self, encrypted, authority, users, tmp_path):
        """A client that trusts the authority verifies host and chain and gets its answer."""
        root = tmp_path / "root.crt"
        authority.cert_pem.write_to_path(str(root))
        url = encrypted.url("postgres", SUPERUSER, users[SUPERUSER])
        with psycopg.connect(url.libpq(), sslmode="verify-full", sslrootcert=str(root)) as connection:
            assert connection.pgconn.ssl_in_use

    def test_plain_connection_is_refused(self, encrypted, users):
        """Asked for TLS, the pooler takes nothing else."""
        url = encrypted.url("postgres", SUPERUSER, users[SUPERUSER])
        with pytest.raises(psycopg.OperationalError, match="SSL required"):
            psycopg.connect(url.libpq(), sslmode="disable")


class TestSecrecy:
    def test_passwords_are_in_private_files_only(self, one, users):
        """No repr, no URL's text and no process list shows a password; the user list is private."""
        home = one._home.path
        assert {
            path.name: path.stat().st_mode & 0o777 for path in home.glob("*.*") if path.suffix != ".log"
        } == {
            "pgbouncer.ini": 0o600,
            "pgbouncer.pid": 0o600,
            "users.txt": 0o600,
        }
        shown = repr(one) + str(one.url("postgres", SUPERUSER, users[SUPERUSER]))
        shown += "".join(" ".join(processes.command_line(pid)) for pid in psutil.pids())
        assert users[SUPERUSER] not in shown
        assert one._administrator_password not in shown


class TestFindPgbouncer:
    def test_found_outside_of_path(self, monkeypatch):
        """Debian's /usr/sbin is not on a user's PATH, and is looked into all the same."""
        monkeypatch.setenv("PATH", "/nowhere")
        assert find_pgbouncer() is not None
