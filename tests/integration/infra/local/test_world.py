"""One world per project: who holds it, what it leaves, what it says."""

from __future__ import annotations

import fcntl
import json
import os
import resource
import socket
import subprocess
import sys
import time

import psycopg
import pytest

from api.database.connection_url import DirectUrl, PooledUrl
from infra.branches.errors import BranchNotFoundError
from infra.branches.identity import BranchIdentity, read
from infra.branches.provider import BranchSpec
from infra.context import ProviderName
from infra.local import control_plane, processes, world
from infra.local.errors import PortInUseError, WorldRunningError
from infra.local.own_folder import folder, read_secrets
from infra.local.ports import free_port

HOLDER = """if True:
    import sys, time
    from pathlib import Path
    from infra.local import world
    with world.hold(Path(sys.argv[1]), int(sys.argv[2])):
        print("held", flush=True)
        time.sleep(60)
"""


def state(port=8000):
    return world.State(
        pid=os.getpid(),
        api_url=f"http://127.0.0.1:{port}",
        branch="main",
        database_url=PooledUrl.parse("postgresql://app:app-secret@127.0.0.1:1/app"),
        database_url_unpooled=DirectUrl.parse("postgresql://owner:owner-secret@127.0.0.1:2/app"),
        artifact="/artifact",
        handler="api.handler.handler",
    )


@pytest.fixture
def root(tmp_path):
    """A project's folder, with nothing left running in it afterwards."""
    yield tmp_path
    world.down(tmp_path)
    control_plane.delete(tmp_path)


@pytest.fixture(scope="module")
def kept(tmp_path_factory):
    """A project whose local branches the tests share: to make a cluster takes longer than to start it."""
    root = tmp_path_factory.mktemp("kept")
    yield root
    world.down(root)
    control_plane.delete(root)


@pytest.fixture
def holder(root):
    """Another process that holds the project."""
    command = [sys.executable, "-c", HOLDER, root, str(free_port())]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout.readline() == "held\n"
        yield process
        process.kill()


class TestHold:
    def test_second_world_is_refused_with_the_first_ones_pid(self, root, holder):
        """Two worlds of one project would fight over its data."""
        with pytest.raises(WorldRunningError, match=f"pid {holder.pid}, still starting"), world.hold(root, 1):
            pass
        world.write_state(root, state(port=8017))
        with pytest.raises(WorldRunningError, match=r"http://127\.0\.0\.1:8017"), world.hold(root, 1):
            pass

    def test_killed_holder_holds_nothing(self, root, holder):
        """After `kill -9` of a world the next one starts, and its state no longer counts."""
        world.write_state(root, state())
        assert world.read_state(root) == state()
        holder.kill()
        holder.wait()
        assert world.read_state(root) is None
        with world.hold(root, free_port()):
            pass

    def test_pid_that_a_killed_holder_wrote_is_never_signalled(self, root):
        """Between taking the lock and writing its pid a world is not mistaken for its predecessor."""
        with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as bystander:
            (root / ".bough").mkdir()
            lock_file = root / ".bough" / "up.lock"
            lock_file.write_text(f"{bystander.pid}\n")
            with lock_file.open("r+") as lock:
                fcntl.flock(lock, fcntl.LOCK_EX)
                world.down(root)
            time.sleep(0.05)
            assert bystander.poll() is None
            bystander.stdin.close()

    def test_taken_port_is_refused_and_the_project_released(self, root):
        """The port is looked at before anything starts, and the refusal leaves no lock behind."""
        with socket.create_server(("127.0.0.1", 0)) as other:
            port = other.getsockname()[1]
            with (
                pytest.raises(
                    PortInUseError, match=rf"port {port} is in use by .+ \(pid {os.getpid()}\)"
                ) as it,
                world.hold(root, port),
            ):
                pass
        assert "--port" in it.value.hint
        assert sorted(path.name for path in (root / ".bough").iterdir()) == [".gitignore", "up.lock"]
        with world.hold(root, port):
            pass


class TestState:
    def test_passwords_are_in_a_private_file_only(self, root):
        """The state's file is for this user; its repr is for anybody."""
        with world.hold(root, free_port()):
            world.write_state(root, state())
            path = root / ".bough" / "state.json"
            assert path.stat().st_mode & 0o777 == 0o600
            assert json.loads(path.read_text())["database_url"].startswith("postgresql://app:app-secret@")
        assert "secret" not in repr(state())
        assert not path.exists()

    def test_nothing_is_made_by_looking(self, root):
        """Asking for a world's state leaves no file in the project."""
        assert world.read_state(root) is None
        assert list(root.iterdir()) == []


class TestFolder:
    def test_git_ignores_it_though_the_first_write_failed(self, root):
        """A file that a full disk left empty would be taken for done, and git would see the secrets."""
        limits = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (0, limits[1]))
        try:
            with pytest.raises(OSError, match="File too large"):
                folder(root)
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        assert (folder(root) / ".gitignore").read_text() == "*\n"


class TestSecrets:
    def test_made_once_and_kept_private(self, root):
        """Passwords survive a restart, and only this user can read them."""
        first = read_secrets(root)
        assert read_secrets(root) == first
        assert (root / ".bough" / "secrets.json").stat().st_mode & 0o777 == 0o600
        assert len(first.auth_secret) == 64
        assert len(first.neon_api_key) > 40
        assert first.auth_secret not in repr(first)
        assert (root / ".bough" / ".gitignore").read_text() == "*\n"


class TestDatabases:
    def test_both_urls_lead_to_the_same_database(self, kept):
        """The owner migrates past the pooler, the application works through it; both end with the block."""
        with world.databases(kept, fresh=False, announce=lambda _: None) as databases:
            with psycopg.connect(databases.database_url_unpooled.libpq()) as connection:
                connection.execute("CREATE TABLE kept AS SELECT current_user::text AS by")
            with psycopg.connect(databases.database_url.libpq()) as connection:
                assert connection.execute("SELECT by, current_user FROM kept").fetchone() == (
                    "bough_owner",
                    "bough_app",
                )
                assert connection.execute("SHOW statement_timeout").fetchone() == ("30s",)
        assert databases.branch.name == "main"
        assert control_plane.find(kept) is None
        assert control_plane.left_running(kept) == []
        with world.databases(kept, branch=databases.branch.id, fresh=False, announce=lambda _: None) as again:
            assert again.database_url == databases.database_url
            with psycopg.connect(again.database_url.libpq()) as connection:
                assert connection.execute("SELECT count(*) FROM kept").fetchone() == (1,)

    def test_control_plane_that_ran_before_goes_on(self, kept):
        """A world on a branch comes and goes, and others need not know; one that is not there is named."""
        running = control_plane.ensure_running(kept, announce=lambda _: None)
        with control_plane.provider(running, pytest.fail) as provider:
            provider.create(BranchSpec(name="pr-1"))
        with world.databases(kept, branch="pr-1", fresh=False, announce=pytest.fail) as databases:
            assert databases.control_plane == running
            with psycopg.connect(databases.database_url.libpq()) as connection:
                assert read(connection) == BranchIdentity.of(ProviderName.LOCAL, databases.branch)
        assert control_plane.find(kept) == running
        assert control_plane.branches(running) == {"main": "active", "pr-1": "active"}
        with (
            pytest.raises(BranchNotFoundError, match="mian"),
            world.databases(kept, branch="mian", fresh=False, announce=pytest.fail),
        ):
            pass
        assert control_plane.find(kept) == running


class TestDown:
    def test_what_a_killed_world_left_is_ended(self, kept):
        """`kill -9` of it leaves the control plane, which is found by its lock and stopped."""
        world.down(kept)
        code = """if True:
            import os, signal, sys
            from pathlib import Path
            from infra.local import world
            with world.hold(Path(sys.argv[1]), int(sys.argv[2])):
                with world.databases(Path(sys.argv[1]), fresh=False, announce=print):
                    os.kill(os.getpid(), signal.SIGKILL)
        """
        subprocess.run([sys.executable, "-c", code, kept, str(free_port())], check=False)
        left = control_plane.find(kept)
        assert world.down(kept) == ["control plane"]
        assert not processes.is_running(left.pid)
        assert control_plane.left_running(kept) == []
        assert world.down(kept) == []
