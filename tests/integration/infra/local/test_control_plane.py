"""The control plane as a process: one for each project, whoever asks for it and however it ended."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor

import psycopg
import pytest

from infra.http import HttpClient
from infra.local import control_plane, names, processes, servers
from infra.local.errors import PoolerMissingError, ServerStartError
from infra.local.home import Home
from infra.local.own_folder import folder


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    """A project whose control plane the tests of this module share, kill and start again."""
    root = tmp_path_factory.mktemp("project")
    yield root
    control_plane.stop(root)
    control_plane.delete(root)


@pytest.fixture
def running(root):
    return control_plane.ensure_running(root, announce=lambda _: None)


def kill(running):
    os.kill(running.pid, signal.SIGKILL)
    processes.end(running.pid)


def url_of_main(running):
    with HttpClient(running.base_url, running.api_key, service="it", announce=pytest.fail) as client:
        path = ("projects", running.project_id)
        (branch,) = client.request("GET", *path, "branches").json()["branches"]
        query = {"branch_id": branch["id"], "database_name": names.DATABASE, "role_name": names.OWNER}
        return client.request("GET", *path, "connection_uri", query=query).json()["uri"]


def ask(url, question="SELECT current_database(), current_user"):
    with psycopg.connect(url, connect_timeout=30) as connection:
        return connection.execute(question).fetchone()


class TestEnsureRunning:
    def test_ten_at_once_end_with_one(self, root):
        """Whoever asks, when nothing runs yet: one process, one project, and it is said once."""
        said = []
        with ThreadPoolExecutor(10) as pool:
            planes = list(
                pool.map(lambda _: control_plane.ensure_running(root, announce=said.append), range(10))
            )
        assert len(set(planes)) == 1
        assert said == ["Starting the control plane of this project's branches"]
        assert processes.command_line(planes[0].pid)[-2:] == ["--folder", str(folder(root))]
        assert planes[0].api_key not in repr(planes[0])
        assert planes[0].api_key not in " ".join(processes.command_line(planes[0].pid))

    def test_its_project_has_a_database_and_an_owner(self, running):
        """What the first start made through the API answers at the URL that the API gives."""
        assert control_plane.branches(running) == {names.MAIN: "active"}
        assert ask(url_of_main(running)) == (names.DATABASE, names.OWNER)

    def test_it_outlives_the_command_that_started_it(self, root, running):
        """A command that ends, and Ctrl-C in its terminal, end nothing."""
        control_plane.stop(root)
        code = (
            "import sys; from pathlib import Path; from infra.local import control_plane\n"
            "print(control_plane.ensure_running(Path(sys.argv[1]), announce=print).pid)"
        )
        done = subprocess.run([sys.executable, "-c", code, root], capture_output=True, text=True, check=True)
        again = control_plane.find(root)
        assert int(done.stdout.splitlines()[-1]) == again.pid
        assert os.getsid(again.pid) == again.pid
        assert (again.project_id, again.base_url) == (running.project_id, running.base_url)

    def test_killed_one_is_started_again_and_takes_over_its_servers(self, root, running):
        """`kill -9`: same project, same address, same URL, and PostgreSQL did not even end."""
        url = url_of_main(running)
        started_at = ask(url, "SELECT pg_postmaster_start_time()")
        kill(running)
        assert control_plane.find(root) is None
        assert {server.name for server in control_plane.left_running(root)} >= {"postgres"}
        again = control_plane.ensure_running(root, announce=lambda _: None)
        assert again.pid != running.pid
        assert (again.project_id, again.base_url) == (running.project_id, running.base_url)
        assert url_of_main(again) == url
        assert ask(url, "SELECT pg_postmaster_start_time()") == started_at

    def test_one_that_is_ending_is_followed_by_another(self, root, running):
        """Who comes while it ends waits, and gets one that stays."""
        os.kill(running.pid, signal.SIGTERM)
        while control_plane.find(root):
            time.sleep(0.01)
        again = control_plane.ensure_running(root, announce=lambda _: None)
        assert again.pid != running.pid
        assert control_plane.find(root) == again

    def test_start_that_was_killed_half_way_is_finished(self, root, running):
        """The project that it had made is taken, its branch awaited and provisioned; there is no second."""
        (root / ".bough" / "neon" / "project.json").unlink()
        assert control_plane.find(root) is None
        assert control_plane.ensure_running(root, announce=pytest.fail) == running

    def test_start_that_fails_says_why(self, tmp_path):
        """In the control plane's own words, with the way to the rest of them."""
        (folder(tmp_path) / "neon").mkdir()
        (tmp_path / ".bough" / "neon" / "state.json").mkdir()
        with pytest.raises(ServerStartError, match=r"the control plane did not start: .*state\.json") as it:
            control_plane.ensure_running(tmp_path, announce=lambda _: None)
        assert it.value.hint.endswith("neon.log")

    def test_first_branch_that_cannot_be_made_leaves_nothing_in_the_way(self, tmp_path):
        """The reason is told at once; when it is gone, the next start succeeds."""
        (folder(tmp_path) / "neon").mkdir()
        obstacle = tmp_path / ".bough" / "neon" / "branches"
        obstacle.touch()
        try:
            with pytest.raises(ServerStartError, match=r"the first branch did not start: .*Error"):
                control_plane.ensure_running(tmp_path, announce=lambda _: None)
            obstacle.unlink()
            running = control_plane.ensure_running(tmp_path, announce=pytest.fail)
            assert control_plane.branches(running) == {names.MAIN: "active"}
        finally:
            control_plane.stop(tmp_path)
            control_plane.delete(tmp_path)

    def test_without_pgbouncer_one_sentence_says_what_is_not_covered(self, tmp_path, monkeypatch):
        """Where nobody reads it, in CI, nothing starts."""
        monkeypatch.setattr("infra.local.pooler.find_pgbouncer", lambda: None)
        monkeypatch.setattr(control_plane, "_started", lambda _: pytest.fail("was started"))
        monkeypatch.setenv("CI", "true")
        with pytest.raises(PoolerMissingError):
            control_plane.ensure_running(tmp_path, announce=pytest.fail)
        monkeypatch.setenv("CI", "0")
        said = []
        with pytest.raises(pytest.fail.Exception, match="was started"):
            control_plane.ensure_running(tmp_path, announce=said.append)
        assert "not covered" in said[0]


class TestFind:
    def test_stale_address_counts_for_nothing(self, root, running):
        """Of a killed one, or of one that is still starting: that port may be anybody's by now."""
        address = folder(root) / "neon" / "address.json"
        written = address.read_text()
        try:
            address.write_text(json.dumps({**json.loads(written), "pid": os.getpid()}))
            assert control_plane.find(root) is None
        finally:
            address.write_text(written)
        assert control_plane.find(root) == running

    def test_nothing_is_made_by_looking(self, tmp_path):
        """Asking leaves no file in the project."""
        assert control_plane.find(tmp_path) is None
        assert control_plane.left_running(tmp_path) == []
        assert control_plane.stop(tmp_path) == []
        control_plane.delete(tmp_path)
        assert list(tmp_path.iterdir()) == []


class TestStop:
    def test_servers_of_a_killed_one_end_too(self, root, running):
        """Nothing runs afterwards, and what was committed is there at the next start."""
        with psycopg.connect(url_of_main(running)) as connection:
            connection.execute("CREATE TABLE kept AS SELECT 42 AS answer")
        kill(running)
        left = control_plane.left_running(root)
        ended = control_plane.stop(root)
        assert sorted(ended) == sorted(map(str, left))
        assert not any(processes.is_running(server.pid) for server in left)
        assert control_plane.stop(root) == []
        again = control_plane.ensure_running(root, announce=lambda _: None)
        assert ask(url_of_main(again), "SELECT answer FROM kept") == (42,)
        assert control_plane.stop(root) == ["control plane"]
        assert control_plane.left_running(root) == []


class TestDelete:
    @pytest.mark.skipif(os.geteuid() != 0, reason="as a user, data is copied with the folder")
    def test_copy_of_a_folder_without_its_data_is_refused(self, root, running):
        """As root data lies outside of it: nobody waits for a branch that cannot come."""
        control_plane.stop(root)
        copy = shutil.copytree(root, root.with_name("copy"))
        with pytest.raises(
            ServerStartError, match=r"the data of the branches in .*copy.* is not there"
        ) as it:
            control_plane.ensure_running(copy, announce=lambda _: None)
        assert "bough down --delete" in it.value.hint
        control_plane.delete(copy)
        assert control_plane.ensure_running(root, announce=lambda _: None).project_id == running.project_id
        control_plane.stop(root)

    def test_what_another_command_started_meanwhile_ends(self, tmp_path):
        """`bough down --delete` beside a command that starts: nothing runs over data that is gone."""
        running = control_plane.ensure_running(tmp_path, announce=lambda _: None)
        ran = servers.running_below(folder(tmp_path) / "neon")
        control_plane.delete(tmp_path)
        assert not any(processes.is_running(pid) for pid in (running.pid, *(each.pid for each in ran)))
        assert not (folder(tmp_path) / "neon").exists()

    def test_all_data_is_gone_wherever_it_was(self, root):
        """As root it lies outside of the project's folder."""
        homes = [Home.of(mark.parent).path for mark in (root / ".bough" / "neon").rglob("mark")]
        assert homes or os.geteuid() != 0
        control_plane.delete(root)
        assert not (root / ".bough" / "neon").exists()
        assert not any(home.exists() for home in homes)
        assert control_plane.find(root) is None
