"""Execution environments over AWS's own runtime client: how they start, freeze, crash and end."""

from __future__ import annotations

import asyncio
import collections
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import httpx2
import psutil
import pytest

from tests.support.function_hosts import Served, served, write_function

pytestmark = pytest.mark.prove

ROOT = Path(__file__).parents[3]


async def kill(it: Served, pid: int | None) -> None:
    """Kill an environment and return when it is dead: a signal takes effect when its target runs."""

    def is_dead() -> bool:
        try:
            return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
        except psutil.NoSuchProcess:
            return True

    assert pid is not None
    os.kill(pid, signal.SIGKILL)
    await it.until(is_dead)


@pytest.mark.asyncio
class TestInit:
    """Handlers that do not load."""

    @pytest.mark.parametrize(
        ("body", "reason"),
        [
            ("import not_there", "Unable to import module 'function': No module named 'not_there'"),
            ("def handler(", "Syntax error in module 'function'"),
            ("x = 1", "Handler 'handler' missing on module 'function'"),
            ("raise RuntimeError('no config')", "RuntimeError: no config"),
            ("import os; os._exit(7)", "Error: Runtime exited with error: exit status 7"),
        ],
    )
    async def test_answers_502_and_logs_the_reason(
        self, folder: Path, tmp_path: Path, body: str, reason: str
    ) -> None:
        """Every request is answered, each by one start; nothing restarts without a request."""
        counter = tmp_path / "starts"
        counting = f"open({str(counter)!r}, 'a').write('x')\n{body}"
        artifact = write_function(folder, counting if "handler(" not in body else body)
        async with served(artifact) as it:
            for _ in range(2):
                assert (await it.client.get("/")).status_code == 502
            assert it.states() == []
            starts = counter.read_text() if counter.exists() else "xx"
        assert starts == "xx"
        assert any(reason in line for line in it.log), it.log

    async def test_kills_what_does_not_get_ready(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """An import that hangs is ended at the init limit."""
        monkeypatch.setattr("infra.local.execution_environment.INIT_TIMEOUT", 0.5)
        artifact = write_function(folder, "import time; time.sleep(60)")
        async with served(artifact) as it:
            assert (await it.client.get("/")).status_code == 502
        assert any("Phase: init\tStatus: timeout" in line for line in it.log)

    async def test_recovers_when_the_next_artifact_loads(self, folder: Path, echo: Path) -> None:
        """After a broken edit the repaired one serves."""
        broken = write_function(folder.with_name(f"{folder.name}-broken"), "import not_there")
        async with served(broken) as it:
            assert (await it.client.get("/")).status_code == 502
            await it.host.reload(echo)
            assert (await it.client.get("/")).status_code == 200


@pytest.mark.asyncio
class TestEnvironments:
    """The life of environments."""

    async def test_is_frozen_between_invocations(self, folder: Path) -> None:
        """A thread that counts stands still until the next invocation, and the process is stopped."""
        body = """
            import itertools, threading, time
            count = 0
            def work():
                global count
                for count in itertools.count():
                    time.sleep(0.001)
            threading.Thread(target=work, daemon=True).start()
            def handler(event, context):
                before = count
                time.sleep(event["sleep"])
                return [before, count]
        """
        async with served(write_function(folder, body)) as it:
            _, last = await it.host.invoke({"sleep": 0.1})
            await it.until(lambda: it.states() == ["frozen"])
            (environment,) = it.host.environments()
            process = psutil.Process(environment.pid)
            await it.until(lambda: process.status() == psutil.STATUS_STOPPED)
            await asyncio.sleep(0.5)
            first, later = await it.host.invoke({"sleep": 0.1})
        assert first - last < 100, "the thread ran while frozen"
        assert later > first

    async def test_serves_one_invocation_at_a_time_in_each(self, folder: Path) -> None:
        """Load adds environments up to the limit; the rest wait in order."""
        body = """
            import os, time
            def handler(event, context):
                begun = time.time()
                time.sleep(0.2)
                return [os.getpid(), begun, time.time()]
        """
        async with served(write_function(folder, body), max_environments=3) as it:
            spans = await asyncio.gather(*(it.host.invoke({}) for _ in range(9)))
            assert len(it.host.environments()) == 3
        by_pid = collections.defaultdict(list)
        for pid, begun, ended in spans:
            by_pid[pid].append((begun, ended))
        assert len(by_pid) == 3
        for turns in by_pid.values():
            turns.sort()
            assert all(turns[i][1] <= turns[i + 1][0] for i in range(len(turns) - 1))
        assert spans[-1][1] > spans[0][2], "the last to come did not wait"

    async def test_prefers_the_one_used_last(self, echo: Path) -> None:
        """One client after another is served by one environment, though several are idle."""
        async with served(echo) as it:
            await asyncio.gather(*(it.client.get("/") for _ in range(4)))
            await it.until(lambda: set(it.states()) == {"frozen"})
            assert len(it.states()) > 1
            pids = set()
            for _ in range(5):
                pids.add((await it.client.get("/")).json()["pid"])
                await it.until(lambda: set(it.states()) == {"frozen"})
        assert len(pids) == 1

    async def test_serves_one_client_after_another_in_one(self, echo: Path) -> None:
        """A request that follows at once does not start a second environment."""
        async with served(echo) as it:
            pids = {(await it.client.get("/")).json()["pid"] for _ in range(20)}
            assert len(it.host.environments()) == 1
        assert len(pids) == 1

    async def test_kills_and_answers_at_the_timeout(self, echo: Path) -> None:
        """The client gets its 502 at the limit, the log says why, the next one a new environment."""
        async with served(echo, timeout=1) as it:
            first = (await it.client.get("/")).json()["pid"]
            begun = time.monotonic()
            assert (await it.client.get("/sleep")).status_code == 502
            assert time.monotonic() - begun < 30
            second = (await it.client.get("/")).json()["pid"]
        assert first != second
        assert any(line.endswith("Task timed out after 1.00 seconds") for line in it.log)
        assert not psutil.pid_exists(first)

    async def test_replaces_one_that_was_killed_while_frozen(self, echo: Path) -> None:
        """A request never goes to a process that is gone."""
        async with served(echo) as it:
            pid = (await it.client.get("/")).json()["pid"]
            await it.until(lambda: it.states() == ["frozen"])
            await kill(it, pid)
            answer = await it.client.get("/")
        assert answer.status_code == 200
        assert answer.json()["pid"] != pid

    async def test_retires_when_idle(self, echo: Path) -> None:
        """Without work the processes go."""
        async with served(echo, idle_timeout=0.3) as it:
            pid = (await it.client.get("/")).json()["pid"]
            await it.until(lambda: not it.host.environments())
            assert not psutil.pid_exists(pid)
            assert (await it.client.get("/")).status_code == 200

    async def test_ends_running_invocations_on_the_old_artifact_when_reloaded(self, folder: Path) -> None:
        """Who began on the old code ends on it; who comes after gets the new."""
        body = "import time\ndef handler(event, context):\n    time.sleep(event['sleep'])\n    return {}\n"
        old = write_function(folder.with_name(f"{folder.name}-old"), body.format("'old'"))
        new = write_function(folder.with_name(f"{folder.name}-new"), body.format("'new'"))
        async with served(old) as it:
            running = asyncio.create_task(it.host.invoke({"sleep": 1.0}))
            await it.until(lambda: it.states() == ["busy"])
            await it.host.reload(new)
            assert await it.host.invoke({"sleep": 0}) == "new"
            assert not running.done()
            assert await running == "old"
            await it.until(lambda: it.states() == ["frozen"])
            assert await it.host.invoke({"sleep": 0}) == "new"

    async def test_answers_each_of_200_clients_once(self, folder: Path, tmp_path: Path) -> None:
        """With crashing and frozen environments among them: all are answered, none runs twice."""
        ran = tmp_path / "ran"
        body = f"""
            import os, time
            def handler(event, context):
                client = event["rawPath"].rpartition("/")[2]
                with open({str(ran)!r}, "a") as file:
                    file.write(client + "\\n")
                time.sleep(0.005)
                if event["rawPath"].startswith("/crash"):
                    os._exit(1)
                return {{"statusCode": 200, "body": client}}
        """
        async with served(write_function(folder, body), max_environments=4) as it:
            await asyncio.gather(*(it.client.get("/warm/w") for _ in range(8)))
            await it.until(lambda: set(it.states()) == {"frozen"})
            frozen = it.host.environments()
            ran.write_text("")
            await kill(it, frozen[0].pid)
            crashing = {20, 120}
            paths = [f"/{'crash' if i in crashing else 'serve'}/{i}" for i in range(200)]
            answers = await asyncio.gather(*(it.client.get(path) for path in paths))
        for i, answer in enumerate(answers):
            if i in crashing:
                assert answer.status_code == 502
            else:
                assert (answer.status_code, answer.text) == (200, str(i))
        counts = collections.Counter(ran.read_text().split())
        assert counts == collections.Counter(str(i) for i in range(200))


#: Serves until killed; prints its URL.
HOST = """
import asyncio, sys
from pathlib import Path
from infra.local.function_host import FunctionHost

async def main():
    host = FunctionHost(Path(sys.argv[1]), "function.handler", {})
    await host.start()
    print(host.url, flush=True)
    await asyncio.Event().wait()

asyncio.run(main())
"""


class TestEnd:
    """What is left of a host that has ended."""

    @pytest.mark.asyncio
    async def test_leaves_no_process_when_stopped(self, echo: Path) -> None:
        """Frozen and busy environments end, and the busy one's client is answered."""
        async with served(echo) as it:
            sleeping = asyncio.create_task(it.client.get("/sleep"))
            await it.until(lambda: it.states() == ["busy"])
            await it.client.get("/")
            await it.until(lambda: sorted(it.states()) == ["busy", "frozen"])
            pids = [environment.pid for environment in it.host.environments()]
            await it.host.stop()
            assert (await sleeping).status_code == 502
        assert not [pid for pid in pids if pid and psutil.pid_exists(pid)]

    @pytest.mark.skipif(sys.platform != "linux", reason="PR_SET_PDEATHSIG is Linux's")
    def test_leaves_no_process_when_killed(self, echo: Path) -> None:
        """SIGKILL of the host ends frozen and busy environments, and a frozen one's children."""
        process = subprocess.Popen(
            [sys.executable, "-c", HOST, str(echo)], cwd=ROOT, stdout=subprocess.PIPE, text=True
        )
        try:
            assert process.stdout is not None
            url = process.stdout.readline().strip()
            with httpx2.Client(base_url=url, timeout=30) as client:
                with pytest.raises(httpx2.ReadTimeout):
                    client.get("/sleep", timeout=1)
                child = psutil.Process(int(client.get("/child").text))
                while child.status() != psutil.STATUS_STOPPED:
                    time.sleep(0.01)
                processes = psutil.Process(process.pid).children(recursive=True)
                assert child in processes
        finally:
            process.kill()
            process.communicate()
        assert len(processes) == 3
        _, alive = psutil.wait_procs(processes, timeout=10)
        assert not [p for p in alive if p.status() != psutil.STATUS_ZOMBIE]
