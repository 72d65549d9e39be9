"""`bough up`, `down` and `status`, as a user types them."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
from contextlib import suppress
from pathlib import Path

import httpx2
import psutil
import psycopg
import pytest

from infra.aws.artifact import build_folder
from infra.config import load_project
from infra.local.processes import is_running
from tests.support.bough_up import REPOSITORY, BoughUp, alive, bough, copy_kit, remove


@pytest.fixture(scope="module")
def kit(tmp_path_factory):
    """A copy of this repository's app and migrations, served; nobody changes its state."""
    root = tmp_path_factory.mktemp("kit")
    copy_kit(root)
    with BoughUp(root) as running:
        yield running
    remove(root)


@pytest.fixture(scope="module")
def packaged_shop(tmp_path_factory):
    """A small project of somebody's, packaged once."""
    root = tmp_path_factory.mktemp("shop") / "shop"
    shutil.copytree(REPOSITORY / "tests" / "projects" / "plain_fastapi", root)
    build_folder(load_project(root), root / ".bough" / "artifact")
    return root


@pytest.fixture
def shop(packaged_shop, tmp_path):
    """A copy of it for one test."""
    root = tmp_path / "shop"
    shutil.copytree(packaged_shop, root)
    yield root
    remove(root)


def execute(up, statement):
    with psycopg.connect(up.status()["database_url_unpooled"], autocommit=True) as connection:
        cursor = connection.execute(statement)
        return cursor.fetchall() if cursor.description else None


class TestServing:
    def test_api_answers_over_a_migrated_database(self, kit):
        """The packaged app is ready: database reachable, timeouts in force, schema at its revision."""
        response = httpx2.get(f"{kit.url}/readyz", timeout=30)
        assert response.status_code == 200, response.text
        assert response.json()["schema"]["status"] == "ok"
        assert httpx2.get(f"{kit.url}/docs").status_code == 200

    def test_status_gives_urls_that_work(self, kit):
        """`-o json` holds the pooled URL of the application and the direct one of the owner."""
        status = kit.status()
        assert status["state"] == "running"
        assert status["api_url"] == kit.url
        assert status["handler"] == "api.handler.handler"
        assert (Path(status["artifact"]) / "api" / "build.py").exists()
        with psycopg.connect(status["database_url"]) as pooled:
            assert pooled.execute("SELECT current_user, current_setting('jit')").fetchone() == (
                "bough_app",
                "off",
            )
            assert (
                pooled.info.port != psycopg.conninfo.conninfo_to_dict(status["database_url_unpooled"])["port"]
            )
        with psycopg.connect(status["database_url_unpooled"]) as direct:
            assert direct.execute("SELECT current_user").fetchone() == ("bough_owner",)

    def test_status_table_hides_passwords(self, kit):
        """What is printed for people can be pasted anywhere; so can what `bough up` says."""
        done = bough(kit.root, "status")
        assert done.returncode == 0
        assert ":***@" in done.stdout
        secrets = json.loads((kit.root / ".bough" / "secrets.json").read_text())
        for secret in secrets.values():
            assert secret not in done.stdout + done.stderr + kit.said

    def test_second_up_is_refused(self, kit):
        """The refusal names the running one's pid and URL; the running one goes on."""
        done = bough(kit.root, "up", "--port", "1")
        assert done.returncode == 1
        assert f"error[WORLD_RUNNING]: the local world of {kit.root} runs already" in done.stderr
        assert f"(pid {kit.process.pid}, {kit.url})" in done.stderr
        assert httpx2.get(f"{kit.url}/healthz").status_code == 200


class TestEnding:
    def test_ctrl_c_leaves_no_process_and_the_next_start_is_quick(self, shop):
        """Everything ends, data stays, the port is free, and the second start takes under 5 s."""
        with BoughUp(shop) as first:
            assert httpx2.get(f"{first.url}/items/a").json() == {"name": "a", "size": 1}
            execute(first, "CREATE TABLE kept AS SELECT 42 AS answer")
            processes = first.processes()
            assert len(processes) > 8  # its own, a function's, PgBouncer's, PostgreSQL's
            assert first.end(signal.SIGINT) == 0
            assert alive(processes) == []
        assert bough(shop, "status").returncode == 1
        with BoughUp(shop) as second:
            assert second.seconds < 5
            assert execute(second, "SELECT answer FROM kept") == [(42,)]

    def test_down_ends_it_from_another_terminal(self, shop):
        """`bough down` returns when everything has ended; `--delete` deletes the data, running or not."""
        with BoughUp(shop) as up:
            processes = up.processes()
            done = bough(shop, "down")
            assert (done.returncode, done.stderr) == (0, "Stopped bough up\n")
            assert alive(processes, within=0) == []
            assert up.process.wait(timeout=5) == 0
        done = bough(shop, "down", "--delete")
        assert (done.returncode, done.stderr) == (0, "Nothing was running\n")
        assert not (shop / ".bough" / "postgres").exists()

    def test_ctrl_c_during_the_start_leaves_no_process(self, shop):
        """An impatient user leaves nothing behind either."""
        with BoughUp(shop, wait_for="Packaging") as up:
            before = {process.pid for process in psutil.Process(up.process.pid).children(recursive=True)}
            assert up.end(signal.SIGINT) in {0, 130}
            assert not any(map(is_running, before))
        assert json.loads(bough(shop, "status", "-o", "json").stdout) == {"state": "stopped"}


class TestAfterAKill:
    def test_start_works_after_kill_9_of_everything(self, shop):
        """Stale pid files, state and shared memory are no obstacle, and what was committed is there."""
        with BoughUp(shop) as killed:
            httpx2.get(f"{killed.url}/items/a")
            execute(killed, "CREATE TABLE kept AS SELECT 42 AS answer")
            processes = killed.processes()
            for process in processes:
                with suppress(psutil.NoSuchProcess):
                    process.kill()
            killed.process.wait()
            assert alive(processes) == []
            with BoughUp(shop) as up:
                assert httpx2.get(f"{up.url}/items/a").status_code == 200
                assert execute(up, "SELECT answer FROM kept") == [(42,)]

    def test_servers_of_a_killed_up_are_reported_and_used_again(self, shop):
        """`kill -9` of `bough up` alone: its functions end, status tells what runs, the next takes over."""
        with BoughUp(shop) as killed:
            httpx2.get(f"{killed.url}/items/a")
            functions = psutil.Process(killed.process.pid).children(recursive=True)
            functions = [process for process in functions if "awslambdaric" in process.cmdline()]
            assert functions
            postgres = killed.status()["pids"]["postgres"]
            os.kill(killed.process.pid, signal.SIGKILL)
            killed.process.wait()
            assert alive(functions) == []
            done = bough(shop, "status", "-o", "json")
            assert done.returncode == 1
            assert json.loads(done.stdout)["left_running"]["postgres"] == postgres
            with BoughUp(shop) as up:
                assert up.status()["pids"]["postgres"] == postgres
                assert httpx2.get(f"{up.url}/items/a").status_code == 200


class TestBadInput:
    def test_port_in_use_is_refused_before_anything_starts(self, shop):
        """The holder is named and the way out; no database has been made."""
        with socket.create_server(("127.0.0.1", 0)) as other:
            port = other.getsockname()[1]
            done = bough(shop, "up", "--port", str(port))
        assert done.returncode == 1
        assert f"error[PORT_IN_USE]: port {port} is in use by" in done.stderr
        assert f"(pid {os.getpid()})" in done.stderr
        assert "--port" in done.stderr
        assert not (shop / ".bough" / "postgres").exists()


class TestOptions:
    def test_fresh_deletes_the_local_data(self, shop):
        """`--fresh` is a new database, and only then."""
        with BoughUp(shop) as up:
            execute(up, "CREATE TABLE kept ()")
        with BoughUp(shop, "--fresh") as up:
            assert execute(up, "SELECT to_regclass('kept')") == [(None,)]

    def test_reload_serves_the_edited_file(self, shop):
        """With `--reload` a saved file is packaged and served; one that cannot be is reported."""
        source = shop / "shop" / "main.py"
        with BoughUp(shop, "--reload") as up:
            assert httpx2.get(f"{up.url}/items/a").json()["size"] == 1
            source.write_text(source.read_text().replace("size: int = 1", "size: int = 22"))
            up.wait_for("Packaged again")
            assert httpx2.get(f"{up.url}/items/a", timeout=30).json()["size"] == 22
