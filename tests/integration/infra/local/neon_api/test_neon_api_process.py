"""The control plane's process: what it survives, what it leaves behind."""

from __future__ import annotations

import datetime as dt
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import psycopg
import pytest

from infra.local import control_plane, lock_file, processes, servers
from infra.local.errors import ServerStartError
from infra.local.home import Home
from infra.local.own_folder import folder
from tests.support.neon_api import neon_api

pytestmark = pytest.mark.prove


def rows(uri, statement):
    with psycopg.connect(uri, autocommit=True) as connection:
        cursor = connection.execute(statement)
        return cursor.fetchall() if cursor.description else None


@pytest.fixture(scope="module")
def own(tmp_path_factory):
    """A control plane that tests of this module kill, with a project: it comes back for the next."""
    with neon_api(
        tmp_path_factory.mktemp("own"), "--limits", '{"branches": 2, "root_branches": 1}'
    ) as running:
        running.project_id = running.new_project()
        yield running


@pytest.fixture
def place(own):
    """The project's path."""
    return f"/projects/{own.project_id}"


@pytest.fixture
def uri(own, place):
    """The default branch's connection string."""
    query = {"database_name": "app", "role_name": "bough_owner"}
    return own.call("GET", f"{place}/connection_uri", **query)["uri"]


class TestLimits:
    def test_one_branch_too_many_is_refused_with_neons_code(self, own, place):
        """Root branches and all branches have limits of their own."""
        shape = {"branch": {"name": "shape", "init_source": "schema-only"}}
        refusal = own.call("POST", f"{place}/branches", shape, status=422)
        assert refusal["code"] == "ROOT_BRANCHES_LIMIT_EXCEEDED"
        made = own.new_branch(own.project_id, "last")["branch"]["id"]
        refusal = own.call("POST", f"{place}/branches", {"branch": {"name": "late"}}, status=422)
        assert refusal["code"] == "BRANCHES_LIMIT_EXCEEDED"
        own.done(own.call("DELETE", f"{place}/branches/{made}", hard_delete=True))


class TestLife:
    def test_killed_one_comes_back_on_its_ports(self, own, uri):
        """After kill -9 of it and of PostgreSQL the same URLs lead to the same data."""
        rows(uri, "CREATE TABLE survivor AS SELECT 7 AS i")
        base_url = own.upstream
        own.kill()
        for server in servers.running_below(folder(own.root) / "neon"):
            os.kill(server.pid, signal.SIGKILL)
        own.start()
        assert own.upstream == base_url
        assert rows(uri, "SELECT i FROM survivor") == [(7,)]

    def test_servers_that_a_killed_one_left_are_taken_over(self, own, place, uri):
        """PostgreSQL goes on while no control plane runs, and belongs to the next one."""
        backend = rows(uri, "SELECT pg_postmaster_start_time()")
        own.kill()
        own.start()
        assert own.call("GET", f"{place}/endpoints")["endpoints"][0]["current_state"] == "active"
        assert rows(uri, "SELECT pg_postmaster_start_time()") == backend

    def test_work_that_was_interrupted_is_finished(self, own, place):
        """A branch that was being copied at the kill is there after the next start, once."""
        body = {"branch": {"name": "interrupted"}, "endpoints": [{"type": "read_write"}]}
        made = own.call("POST", f"{place}/branches", body)
        own.kill()
        own.start()
        own.done(made)
        assert own.call("GET", f"{place}/branches/count", search="interrupted") == {"count": 1}
        assert rows(made["connection_uris"][0]["connection_uri"], "SELECT 1") == [(1,)]
        own.done(own.call("DELETE", f"{place}/branches/{made['branch']['id']}", hard_delete=True))

    def test_branch_that_expired_while_nothing_ran_is_deleted(self, own, place):
        """Its time passed, so it goes at the next start, data and all."""
        branch_id = own.new_branch(own.project_id, "forgotten")["branch"]["id"]
        at = (dt.datetime.now(dt.UTC) + dt.timedelta(seconds=0.3)).isoformat()
        own.call("PATCH", f"{place}/branches/{branch_id}", {"branch": {"expires_at": at}})
        own.stop()
        time.sleep(0.3)
        own.start()
        deadline = time.monotonic() + 20
        while (folder(own.root) / "neon" / "branches" / branch_id).exists():
            assert time.monotonic() < deadline
            time.sleep(0.02)
        own.call("GET", f"{place}/branches/{branch_id}", status=404)

    def test_end_in_order_leaves_no_server(self, own, uri):
        """SIGTERM ends every server first; what is known lies in files that only the user can read."""
        assert rows(uri, "SELECT 1") == [(1,)]
        own.stop()
        assert servers.running_below(folder(own.root) / "neon") == []
        state = folder(own.root) / "neon" / "state.json"
        assert state.stat().st_mode & 0o777 == 0o600
        own.start()

    def test_second_one_on_the_same_folder_is_refused(self, own):
        """The first goes on."""
        command = [sys.executable, "-m", "infra.local.neon_api", "--folder", str(folder(own.root))]
        second = subprocess.run(
            command, cwd=Path(__file__).parents[5], capture_output=True, text=True, timeout=60, check=False
        )
        assert (second.returncode, "another control plane" in second.stderr) == (1, True)
        assert lock_file.holder(folder(own.root) / "neon" / "lock") == own.process.pid

    def test_no_secret_is_logged(self, own, place):
        """Neither the key nor a password stands in the log."""
        password = own.call("GET", f"{place}/branches")["branches"][0]["id"]
        password = own.call("GET", f"{place}/branches/{password}/roles/bough_owner/reveal_password")[
            "password"
        ]
        log = (folder(own.root) / "neon.log").read_text()
        assert (password in log, own.api_key in log) == (False, False)

    def test_branch_that_cannot_come_back_keeps_no_other_from_it(self, own, place, uri):
        """Its server, which a killed control plane left, cannot be started again; it can be deleted."""
        made = own.new_branch(own.project_id, "broken", compute=True)
        at = folder(own.root) / "neon" / "branches" / made["branch"]["id"] / "postgres"
        own.kill()
        data = Home.of(at).path / "data"
        (data / "postgresql.auto.conf").write_text("no such line\n")
        (data / "postmaster.opts").write_text("started otherwise\n")
        own.start()
        assert rows(uri, "SELECT 1") == [(1,)]
        with pytest.raises(psycopg.OperationalError, match="did not start"):
            rows(made["connection_uris"][0]["connection_uri"], "SELECT 1")
        own.done(own.call("DELETE", f"{place}/branches/{made['branch']['id']}", hard_delete=True))


class TestFolder:
    def test_state_that_cannot_be_read_is_not_quoted(self, tmp_path):
        """Damaged, or another version's: it is said what to do, and no password."""
        own = folder(tmp_path) / "neon"
        own.mkdir()
        (own / "state.json").write_text('{"branches": {"b": {"roles": [{"password": "npg_secret"}]}}}')
        with pytest.raises(ServerStartError, match="is damaged, or of another version"):
            control_plane.ensure_running(tmp_path, announce=lambda _: None)
        assert "npg_secret" not in (own / "neon.log").read_text()

    def test_project_that_was_deleted_leaves_no_process(self, tmp_path):
        """Whoever deletes a project's folder has forgotten its control plane, which then ends by itself."""
        (tmp_path / "deleted").mkdir()
        with neon_api(tmp_path / "deleted") as running:
            running.new_project()
            own = folder(running.root) / "neon"
            left = servers.running_below(own)
            homes = {Home.of(mark.parent).path for mark in own.rglob("mark")}
            shutil.rmtree(running.root)
            assert running.process.wait(30) == 0
            assert left
            assert [server for server in left if processes.is_running(server.pid)] == []
            for home in homes:
                shutil.rmtree(home, ignore_errors=True)

    def test_moved_project_has_its_branches_and_a_copy_shares_none(self, tmp_path):
        """Wherever the data lies: a move takes it along, and what one copy does the other never sees."""
        (tmp_path / "old").mkdir()
        with neon_api(tmp_path / "old") as running:
            project_id = running.new_project()
            query = {"database_name": "app", "role_name": "bough_owner"}
            uri = running.call("GET", f"/projects/{project_id}/connection_uri", **query)["uri"]
            rows(uri, "CREATE TABLE kept AS SELECT 7 AS i")
            running.stop()
            running.root.rename(tmp_path / "new")
            running.root = tmp_path / "new"
            shutil.copytree(running.root, tmp_path / "copy")
            running.start()
            assert rows(uri, "SELECT i FROM kept") == [(7,)]
            own, copied = (folder(tmp_path / name) / "neon" / "branches" for name in ("new", "copy"))
            homes = [{Home.of(mark.parent).path for mark in each.rglob("mark")} for each in (own, copied)]
            assert homes[0].isdisjoint(homes[1])
            control_plane.delete(tmp_path / "copy")
            assert rows(uri, "SELECT i FROM kept") == [(7,)]
