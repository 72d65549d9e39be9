"""PostgreSQL on this machine: started, taken over, recovered, refused."""

from __future__ import annotations

import os
import pwd
import signal
import socket
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from pathlib import Path

import psutil
import psycopg
import pytest

from infra.disk import DiskFullError
from infra.local import home as home_module
from infra.local import processes
from infra.local.errors import PortInUseError, ServerStartError
from infra.local.home import Home
from infra.local.postgres import PostgresCluster


def query(cluster, statement):
    with psycopg.connect(cluster.superuser_url().libpq(), autocommit=True) as connection:
        cursor = connection.execute(statement)
        return cursor.fetchall() if cursor.description else None


def start(folder, *, durable=False, **options):
    return PostgresCluster.start(folder, durable=durable, **options)


@pytest.fixture
def folder(tmp_path):
    """A folder for one cluster, whose server and data are gone afterwards."""
    path = tmp_path / "postgres"
    yield path
    data = Home.of(path).path / "data"
    if data.exists():
        start(path).remove()
    else:
        Home.of(path).remove(path)


@pytest.fixture(scope="module")
def pristine(tmp_path_factory):
    """Where the files of a new cluster lie, which no server runs over."""
    folder = tmp_path_factory.mktemp("pristine")
    start(folder).stop()
    home = Home.of(folder)
    (home.path / "data" / "postmaster.opts").unlink()  # copies have ports of their own
    yield home.path
    home.remove(folder)


@pytest.fixture
def one(folder, pristine):
    """A running cluster of the test's own; a copy takes a fifth of the time of making it."""
    home = Home.of(folder).path
    subprocess.run(["cp", "-a", pristine / "data", pristine / "superuser", home], check=True)
    return start(folder)


class TestStart:
    def test_server_is_postgresql_18_on_loopback_only(self, one):
        """The wheel's PostgreSQL 18 answers on 127.0.0.1 and listens nowhere else."""
        assert query(one, "SHOW server_version")[0][0].startswith("18.")
        sockets = psutil.Process(one.pid).net_connections("inet")
        listening = [each.laddr for each in sockets if each.status == psutil.CONN_LISTEN]
        assert listening == [("127.0.0.1", one.port)]

    def test_text_sorts_alike_on_every_machine(self, one):
        """The collation is PostgreSQL's own C.UTF-8, in UTF-8, whatever the system's locale."""
        assert (
            query(one, "SELECT datlocprovider, datlocale, pg_encoding_to_char(encoding) FROM pg_database")
            == [("b", "C.UTF-8", "UTF8")] * 3
        )

    def test_settings_reach_the_server(self, folder):
        """Settings given at the start are in force and beat `ALTER SYSTEM`."""
        cluster = start(folder, settings={"work_mem": "7MB"})
        query(cluster, "ALTER SYSTEM SET work_mem = '9MB'")
        cluster.stop()
        assert query(start(folder, settings={"work_mem": "7MB"}), "SHOW work_mem") == [("7MB",)]

    def test_running_server_is_taken_over(self, one, folder):
        """A second start finds the running server and leaves it alone."""
        again = start(folder)
        assert (again.pid, again.port) == (one.pid, one.port)

    def test_running_server_with_other_settings_is_restarted(self, one, folder):
        """A server that was started with other settings does not pass for one with these."""
        again = start(folder, settings={"work_mem": "7MB"})
        assert again.pid != one.pid
        assert query(again, "SHOW work_mem") == [("7MB",)]

    def test_port_is_kept_for_the_next_start(self, one, folder):
        """URLs stay valid: the next start listens where the last one did."""
        one.stop()
        assert start(folder).port == one.port

    def test_taken_port_is_refused_when_asked_for(self, folder):
        """An explicit port that something else holds is an error that names it."""
        with socket.create_server(("127.0.0.1", 0)) as other:
            port = other.getsockname()[1]
            with pytest.raises(PortInUseError, match=rf"port {port} is in use.*pid {os.getpid()}"):
                start(folder, port=port)

    def test_last_port_taken_meanwhile_is_replaced(self, one, folder):
        """When another program has taken the last port, the server moves."""
        one.stop()
        with socket.create_server(("127.0.0.1", one.port)):
            assert start(folder).port != one.port

    def test_clusters_run_side_by_side(self, one, tmp_path):
        """Nothing is global: two clusters have their own ports, passwords and data."""
        other = start(tmp_path / "other")
        try:
            query(one, "CREATE TABLE mine ()")
            assert query(other, "SELECT to_regclass('mine')") == [(None,)]
            assert one.superuser_url() != other.superuser_url()
        finally:
            other.remove()

    def test_damaged_data_is_refused_with_the_servers_reason(self, one, folder):
        """The error quotes what PostgreSQL said, and names the log."""
        one.stop()
        version = Home.of(folder).path / "data" / "PG_VERSION"
        version.write_text("9\n")
        with pytest.raises(ServerStartError, match="incompatible") as caught:
            start(folder)
        assert "postgres.log" in caught.value.hint
        version.write_text("18\n")


class TestAfterACrash:
    def test_committed_rows_survive_kill_9(self, folder):
        """Every process of the server is killed: the next start recovers what was committed."""
        one = start(folder, durable=True)
        query(one, "CREATE TABLE kept AS SELECT 42 AS answer")
        postmaster = psutil.Process(one.pid)
        for process in [postmaster, *postmaster.children()]:
            with suppress(psutil.NoSuchProcess):
                process.kill()
        assert query(start(folder, durable=True), "SELECT answer FROM kept") == [(42,)]

    def test_busy_backend_of_a_killed_postmaster_is_ended(self, one, folder):
        """A backend that did not notice its postmaster's death does not keep the next start out."""
        with psycopg.connect(one.superuser_url().libpq(), autocommit=True) as connection:
            backend = psutil.Process(connection.info.backend_pid)
            backend.suspend()
            os.kill(one.pid, signal.SIGKILL)
            assert query(start(folder), "SELECT 1") == [(1,)]
            assert not backend.is_running() or backend.status() == psutil.STATUS_ZOMBIE

    def test_pid_of_another_program_is_no_server(self, one, folder):
        """A stale pid file whose pid now belongs to something else is recognised as stale."""
        one.stop()
        pid_file = Home.of(folder).path / "data" / "postmaster.pid"
        with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as other:
            pid_file.write_text(f"{other.pid}\n{pid_file.parent}\n1\n{one.port}\n\n127.0.0.1\n\nready\n")
            assert query(start(folder), "SELECT 1") == [(1,)]
            assert other.poll() is None
            other.stdin.close()

    def test_interrupted_initdb_is_begun_again(self, folder):
        """Half a data folder, left by a kill, is not taken for a whole one."""
        new = Home.of(folder).path / "data.new"
        new.mkdir()
        (new / "PG_VERSION").write_text("18\n")
        assert query(start(folder), "SELECT 1") == [(1,)]


class TestStop:
    @pytest.mark.parametrize("mode", ["fast", "immediate"])
    def test_server_and_backends_are_gone(self, one, mode):
        """After a stop no process is left, open connections or not."""
        with psycopg.connect(one.superuser_url().libpq()) as connection:
            backend = connection.info.backend_pid
            one.stop(mode)
            deadline = time.monotonic() + 5
            while processes.is_running(backend) and time.monotonic() < deadline:
                time.sleep(0.01)
            assert not processes.is_running(one.pid)
            assert not processes.is_running(backend)

    def test_remove_leaves_nothing(self, folder):
        """The data and the folder are deleted, wherever they lie."""
        cluster = start(folder)
        where = Home.of(folder).path
        cluster.remove()
        assert not folder.exists()
        assert not where.exists()


class TestSecrecy:
    def test_password_is_in_no_process_list_and_no_repr(self, one):
        """The superuser's password is random, private to its file and shown nowhere."""
        path = one._home.path / "superuser"
        password = path.read_text()
        assert len(password) >= 24
        assert path.stat().st_mode & 0o777 == 0o600
        shown = (
            repr(one)
            + repr(one.superuser_url())
            + "".join(" ".join(processes.command_line(pid)) for pid in psutil.pids())
        )
        assert password not in shown

    def test_wrong_password_is_refused(self, one):
        """Loopback is no reason to trust: every connection needs the password."""
        with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
            psycopg.connect(one.superuser_url().replace(password="wrong").libpq())

    def test_permissions_of_foreign_folders_are_left_alone(self, tmp_path):
        """A folder below a private one works, and stays as private as it was."""
        private = tmp_path / "private"
        private.mkdir(mode=0o700)
        before = {path: path.stat().st_mode for path in (private, *private.parents)}
        cluster = start(private / "project" / ".bough" / "postgres")
        try:
            assert query(cluster, "SELECT 1") == [(1,)]
            assert {path: path.stat().st_mode for path in (private, *private.parents)} == before
        finally:
            cluster.remove()


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root: mounts a small disk, changes the user")
class TestAsRoot:
    @pytest.fixture
    def small_disk(self, monkeypatch):
        """A disk of 30 MB for servers' homes, where their account can reach it."""
        disk = Path("/var/tmp") / f"bough-disk-{os.getpid()}"
        disk.mkdir(mode=0o755)
        mounted = subprocess.run(
            ["mount", "-t", "tmpfs", "-o", "size=30m,mode=755", "tmpfs", disk],
            check=False,
            capture_output=True,
        )
        if mounted.returncode:
            disk.rmdir()
            pytest.skip("mounting is not allowed here")
        programs = home_module.postgres_programs()
        monkeypatch.setattr("infra.local.postgres.postgres_programs", lambda: programs)
        monkeypatch.setattr(home_module, "ROOT", disk)
        yield disk
        subprocess.run(["umount", disk], check=True)
        disk.rmdir()

    @pytest.fixture
    def folder_on_disk(self):
        """A folder whose home is not in memory."""
        with tempfile.TemporaryDirectory(dir="/var/tmp") as folder:
            yield Path(folder)

    def test_full_disk_is_said_and_loses_nothing(self, small_disk, folder_on_disk):
        """Making a cluster on a full disk is a clear error; what was on the disk is untouched."""
        earlier = small_disk / "earlier"
        earlier.write_text("data")
        with pytest.raises(DiskFullError, match="full") as caught:
            start(folder_on_disk)
        assert "free some space" in caught.value.hint
        assert earlier.read_text() == "data"
        assert not (Home.of(folder_on_disk).path / "data").exists()

    def test_server_runs_as_a_system_user(self, one):
        """PostgreSQL does not run as root, and its data is its own."""
        assert psutil.Process(one.pid).username() == "bough"
        assert pwd.getpwuid((one._home.path / "data").stat().st_uid).pw_name == "bough"

    def test_user_runs_it_straight_from_the_wheel(self, tmp_path_factory):
        """Who is not root gets a server of their own, with data in the folder that was asked for."""
        nobody = pwd.getpwnam("nobody")
        root = Path(__file__).parents[4]
        base = Path(sys.executable).resolve()
        if not all(part.stat().st_mode & 0o005 == 0o005 for part in (base, *base.parents, *root.parents)):
            pytest.skip("this Python or project is hidden from other users")
        folder = Path("/var/tmp") / f"bough-{os.getpid()}"
        folder.mkdir(mode=0o700)
        os.chown(folder, nobody.pw_uid, nobody.pw_gid)
        code = f"""if True:
            import sys; sys.path.insert(0, {str(root)!r}); from pathlib import Path
            import psutil; from infra.local.postgres import PostgresCluster
            cluster = PostgresCluster.start(Path({str(folder)!r}) / "postgres", durable=False)
            print(psutil.Process(cluster.pid).username(), (cluster.folder / "data" / "PG_VERSION").exists())
            cluster.remove()
            print(cluster.folder.exists())
        """
        done = subprocess.run(
            [sys.executable, "-c", code], user="nobody", group=nobody.pw_gid, extra_groups=[],
            check=False, capture_output=True, text=True, cwd="/",
        )  # fmt: skip
        folder.rmdir()
        assert (done.stdout, done.stderr) == ("nobody True\nFalse\n", "")
