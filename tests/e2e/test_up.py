"""`bough up`, `down` and `status`, as a user types them."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import signal
import socket
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import httpx2
import psutil
import psycopg
import pytest

from infra.local import control_plane, world
from tests.support.bough_up import BoughUp, alive, bough, copy_kit, remove

#: A route that imports a module of its project only when it is told to.
WAITING_ROUTE = """

@application.get("/late")
def late(folder: str) -> int:
    import time
    from pathlib import Path

    Path(folder, "begun").touch()
    while not Path(folder, "go").exists():
        time.sleep(0.02)
    from shop.late import VERSION

    return VERSION
"""

#: Of a page that may call the API, as a variable of the shell says.
ORIGIN = "http://localhost:5173"


@pytest.fixture(scope="module")
def kit(tmp_path_factory):
    """A copy of this repository's app and migrations, served; nobody changes its state."""
    root = tmp_path_factory.mktemp("kit")
    copy_kit(root)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("BOUGH_CORS_ORIGINS", ORIGIN)
        with BoughUp(root, "--env", "BOUGH_CORS_ORIGINS") as running:
            yield running
    remove(root)


def execute(up, statement):
    url = world.read_state(up.root).database_url_unpooled
    with psycopg.connect(url.libpq(), autocommit=True) as connection:
        cursor = connection.execute(statement)
        return cursor.fetchall() if cursor.description else None


class TestServing:
    def test_api_answers_over_a_migrated_database(self, kit):
        """The packaged app is ready: database reachable, timeouts in force, schema at its revision."""
        response = httpx2.get(f"{kit.url}/readyz", timeout=30)
        assert response.status_code == 200, response.text
        assert response.json()["schema"]["status"] == "ok"
        assert httpx2.get(f"{kit.url}/docs").status_code == 200

    def test_database_knows_which_code_is_live(self, kit):
        """The artifact, with all its revisions."""
        ((head, revisions, artifact),) = execute(kit, "SELECT head, revisions, artifact FROM bough_release")
        assert head in revisions
        assert artifact == kit.status()["artifact"]

    def test_variable_of_the_shell_reaches_the_function(self, kit):
        """The one that was named."""
        response = httpx2.get(f"{kit.url}/healthz", headers={"Origin": ORIGIN})
        assert response.headers["access-control-allow-origin"] == ORIGIN

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

    def test_status_as_variables_is_what_other_tools_read(self, kit):
        """`-o env` points Neon's own tools at this machine, and migrations at the branch."""
        lines = bough(kit.root, "status", "-o", "env").stdout.splitlines()
        variables = {
            name: "".join(shlex.split(value)) for name, _, value in (x.partition("=") for x in lines)
        }
        status = kit.status()
        assert variables == {
            "NEON_API_HOST": status["control_plane"]["base_url"],
            "NEON_API_KEY": status["control_plane"]["api_key"],
            "NEON_PROJECT_ID": status["control_plane"]["project_id"],
            "DATABASE_URL": status["database_url"],
            "DATABASE_URL_UNPOOLED": status["database_url_unpooled"],
        }

    def test_status_table_hides_passwords(self, kit):
        """What is printed for people can be pasted anywhere; so can what `bough up` says."""
        done = bough(kit.root, "status")
        assert done.returncode == 0
        assert ":***@" in done.stdout
        assert re.search(r"^branches +main \(active\)$", done.stdout, re.MULTILINE)
        secrets = json.loads((kit.root / ".bough" / "secrets.json").read_text())
        urls = kit.status()["database_url"], kit.status()["database_url_unpooled"]
        passwords = [psycopg.conninfo.conninfo_to_dict(url)["password"] for url in urls]
        for secret in (*secrets.values(), *passwords):
            assert secret not in done.stdout + done.stderr + kit.said

    def test_second_up_is_refused(self, kit):
        """The refusal names the running one's pid and URL; the running one goes on."""
        done = bough(kit.root, "up", "--port", "1")
        assert done.returncode == 1
        assert f"error[WORLD_RUNNING]: the local world of {kit.root} runs already" in done.stderr
        assert f"(pid {kit.process.pid}, {kit.url})" in done.stderr
        assert httpx2.get(f"{kit.url}/healthz").status_code == 200


class TestServers:
    def test_killed_servers_are_started_again(self, kit):
        """PostgreSQL, PgBouncer and the control plane: the API works on at the same URLs."""
        before = kit.status()
        for server in kit.servers():
            os.kill(server.pid, signal.SIGKILL)
        response = httpx2.get(f"{kit.url}/readyz", timeout=30)
        assert response.status_code == 200, response.text

        pid = before["control_plane"]["pid"]
        os.kill(pid, signal.SIGKILL)
        kit.wait_for(f"the control plane (pid {pid}) ended by itself; starting it again")
        kit.wait_for("The control plane runs again")
        response = httpx2.get(f"{kit.url}/readyz", timeout=30)
        assert response.status_code == 200, response.text
        after = kit.status()
        assert after["control_plane"]["pid"] != pid
        for name in ("database_url", "database_url_unpooled", "branches"):
            assert after[name] == before[name]


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

    @pytest.mark.prove
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
        assert not (shop / ".bough" / "neon").exists()

    @pytest.mark.prove
    @pytest.mark.parametrize(
        ("sign", "code"),
        [
            pytest.param("neon/lock", 130, id="the control plane starts"),
            pytest.param(".runtime-*", 0, id="the function host starts"),
        ],
    )
    def test_ctrl_c_during_the_start_leaves_no_process(self, shop, sign, code):
        """An impatient user leaves nothing behind either, and reads no traceback."""
        own = shop / ".bough"
        shutil.rmtree(next(own.glob("runtime-*")))
        with BoughUp(shop, wait_for="Starting") as up:
            up.wait_until(lambda: any(own.glob(sign)))
            before = psutil.Process(up.process.pid).children(recursive=True)
            assert up.end(signal.SIGINT) == code
            assert alive(before, within=0) == []
            assert up.servers() == []
            assert "Traceback" not in up.said
        assert json.loads(bough(shop, "status", "-o", "json").stdout) == {"state": "stopped"}


class TestAfterAKill:
    @pytest.mark.prove
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

    @pytest.mark.prove
    def test_servers_of_a_killed_up_are_reported_and_used_again(self, shop):
        """`kill -9` of `bough up` alone: its functions end, status tells what runs, the next uses it."""
        with BoughUp(shop) as killed:
            httpx2.get(f"{killed.url}/items/a")
            assert (functions := killed.environments())
            servers = killed.servers()
            plane = control_plane.find(shop)
            os.kill(killed.process.pid, signal.SIGKILL)
            killed.process.wait()
            assert alive(functions) == []
            done = bough(shop, "status", "-o", "json")
            assert done.returncode == 1
            assert json.loads(done.stdout)["control_plane"]["pid"] == plane.pid
            with BoughUp(shop) as up:
                assert control_plane.find(shop) == plane
                assert up.servers() == servers
                assert httpx2.get(f"{up.url}/items/a").status_code == 200


class TestBadInput:
    def test_variable_that_is_not_set_is_refused(self, shop):
        """Before anything starts; the application would only miss it later."""
        done = bough(shop, "up", "--env", "PATH", "--env", "PAYMENTS_KEY")
        assert done.returncode == 2
        assert "not set in this shell: PAYMENTS_KEY" in done.stderr

    def test_port_in_use_is_refused_before_anything_starts(self, shop):
        """The holder is named and the way out; no database has been made."""
        with socket.create_server(("127.0.0.1", 0)) as other:
            port = other.getsockname()[1]
            done = bough(shop, "up", "--port", str(port))
        assert done.returncode == 1
        assert f"error[PORT_IN_USE]: port {port} is in use by" in done.stderr
        assert all(part in done.stderr for part in (f"(pid {os.getpid()})", "--port"))
        assert not (shop / ".bough" / "neon").exists()


class TestOptions:
    @pytest.mark.prove
    def test_fresh_deletes_the_local_data(self, shop):
        """`--fresh` is a new database; that data stays otherwise is shown above."""
        with (
            world.databases(shop, fresh=False, announce=lambda _: None) as databases,
            psycopg.connect(databases.database_url_unpooled.libpq()) as connection,
        ):
            connection.execute("CREATE TABLE kept ()")
        with BoughUp(shop, "--fresh") as up:
            assert execute(up, "SELECT to_regclass('kept')") == [(None,)]

    @pytest.mark.prove
    def test_reload_serves_what_was_saved_and_leaves_what_runs_alone(self, shop, tmp_path):
        """With `--reload` later requests meet the new code; one under way imports the old, however late."""
        late = shop / "shop" / "late.py"
        with BoughUp(shop, "--reload") as up, ThreadPoolExecutor() as pool:
            late.write_text("VERSION = 1")
            with (shop / "shop" / "main.py").open("a") as source:
                source.write(WAITING_ROUTE)
            up.wait_for("Packaged again")
            running = pool.submit(httpx2.get, f"{up.url}/late", params={"folder": str(tmp_path)}, timeout=60)
            up.wait_until((tmp_path / "begun").exists)
            late.write_text("VERSION = 22")
            up.wait_for("Packaged again", times=2)
            (tmp_path / "go").touch()
            assert running.result().json() == 1
            assert httpx2.get(f"{up.url}/late", params={"folder": str(tmp_path)}, timeout=30).json() == 22
            assert Path(up.status()["artifact"], "shop", "late.py").read_text() == late.read_text()

    @pytest.mark.prove
    def test_reload_reports_what_cannot_be_packaged(self, shop):
        """The last good artifact stays in service until the project is whole again."""
        with BoughUp(shop, "--reload") as up:
            lock = (shop / "uv.lock").rename(shop / "away.lock")
            up.wait_for("error[DEPENDENCIES_FAILED]: no uv.lock")
            assert httpx2.get(f"{up.url}/items/a", timeout=30).json()["size"] == 1
            lock.rename(shop / "uv.lock")
            up.wait_for("Packaged again")
