"""The function host over AWS's own runtime client: what a Function URL's users see."""

from __future__ import annotations

import json
import os
import socket
from typing import TYPE_CHECKING

import httpx2
import pytest

from infra.local.errors import PortInUseError
from infra.local.function_host import FunctionHost
from infra.local.runtime_api import MAX_PAYLOAD, FunctionError
from tests.support.function_hosts import served, write_function

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.asyncio
class TestRequests:
    """A request's way through the function and back."""

    async def test_reaches_the_function_as_a_function_url_event(self, echo: Path) -> None:
        """Path, query, headers, cookies and body arrive in payload format 2.0."""
        async with served(echo) as it:
            answer = await it.client.post(
                "/a%20b?x=1&x=2", json={"k": "é"}, headers={"X-Mixed": "Case", "Cookie": "a=1; b=2"}
            )
            event = answer.json()["event"]
        assert event["rawPath"] == "/a%20b"
        assert event["queryStringParameters"] == {"x": "1,2"}
        assert event["headers"]["x-mixed"] == "Case"
        assert event["cookies"] == ["a=1", "b=2"]
        assert (json.loads(event["body"]), event["isBase64Encoded"]) == ({"k": "é"}, False)
        assert event["requestContext"]["requestId"] == answer.headers["x-amzn-requestid"]

    async def test_carries_binary_bodies_both_ways(self, echo: Path) -> None:
        """Every byte value survives in both directions."""
        body = bytes(range(256)) * 40
        async with served(echo) as it:
            answer = await it.client.post("/binary", content=body)
        assert (answer.status_code, answer.content) == (200, body[::-1])

    async def test_refuses_a_request_above_lambdas_limit(self, echo: Path) -> None:
        """An event above 6 MiB is a 413 and does not reach the function; one below passes."""
        async with served(echo) as it:
            below = await it.client.post("/binary", content=b"x" * (MAX_PAYLOAD // 4 * 3 - 4096))
            log_lines = len(it.log)
            above = await it.client.post("/binary", content=b"x" * (MAX_PAYLOAD // 4 * 3 + 4096))
            assert not [line for line in it.log[log_lines:] if line.startswith("START")]
        assert (below.status_code, above.status_code) == (200, 413)

    async def test_answers_502_for_a_response_above_the_limit(self, echo: Path) -> None:
        """A response above 6 MiB is the function's error, and the next request is served."""
        async with served(echo) as it:
            assert (await it.client.get("/large")).status_code == 502
            assert (await it.client.get("/")).status_code == 200

    @pytest.mark.parametrize("path", ["/raise", "/crash", "/malformed"])
    async def test_answers_502_and_no_reason_for_what_goes_wrong(self, echo: Path, path: str) -> None:
        """The client learns nothing of the inside; the request after it is served."""
        async with served(echo) as it:
            answer = await it.client.get(path)
            assert (await it.client.get("/")).status_code == 200
        assert (answer.status_code, answer.json()) == (502, {"Message": "Internal Server Error"})

    async def test_serves_events_that_are_not_http(self, echo: Path) -> None:
        """`invoke` takes any event and gives the result, or the function's error."""
        async with served(echo) as it:
            assert json.loads((await it.host.invoke({"n": 1}))["body"])["event"] == {"n": 1}
            with pytest.raises(FunctionError, match="KeyError") as caught:
                await it.host.invoke({"rawPath": "/raise"})
        assert caught.value.error_type == "KeyError"

    async def test_lets_the_function_end_when_the_client_leaves(self, folder: Path, tmp_path: Path) -> None:
        """An invocation whose client has gone runs to its end, as on Lambda."""
        done = tmp_path / "done"
        body = f"""
            import pathlib, time
            def handler(event, context):
                time.sleep(0.5)
                pathlib.Path({str(done)!r}).write_text("done")
                return {{"statusCode": 200}}
        """
        async with served(write_function(folder, body)) as it:
            with pytest.raises(httpx2.ReadTimeout):
                await it.client.get("/", timeout=0.2)
            await it.until(done.exists)


@pytest.mark.asyncio
class TestSurroundings:
    """What a function finds around it."""

    async def test_has_lambdas_environment_and_none_of_ours(
        self, echo: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Nothing of the shell's environment reaches the function; its own variables do."""
        monkeypatch.setenv("DATABASE_URL", "postgresql://from-the-shell")
        monkeypatch.setenv("HOME", "/root")
        async with served(echo, environment={"MINE": "1", "_HANDLER": "x.y"}, memory_mb=256) as it:
            found = (await it.client.get("/")).json()
        environment = found["environment"]
        assert not {"DATABASE_URL", "HOME", "PYTEST_CURRENT_TEST", "VIRTUAL_ENV"} & environment.keys()
        assert environment["MINE"] == "1"
        assert environment["_HANDLER"] == "function.handler"
        assert environment["AWS_LAMBDA_FUNCTION_MEMORY_SIZE"] == "256"
        assert environment["AWS_LAMBDA_INITIALIZATION_TYPE"] == "on-demand"
        assert environment["LAMBDA_TASK_ROOT"] == found["cwd"] == str(echo)
        assert environment["TZ"] == ":UTC"

    async def test_can_import_the_runtime_client_and_nothing_else(self, folder: Path) -> None:
        """The development environment's packages are out of reach."""
        body = """
            import importlib.util
            def handler(event, context):
                return {n: importlib.util.find_spec(n) is not None for n in event["names"]}
        """
        reachable = ["awslambdaric", "simplejson", "snapshot_restore_py"]
        unreachable = ["psutil", "pytest", "fastapi", "infra", "api", "sqlalchemy"]
        async with served(write_function(folder, body)) as it:
            found = await it.host.invoke({"names": reachable + unreachable})
        assert found == dict.fromkeys(reachable, True) | dict.fromkeys(unreachable, False)

    async def test_knows_its_deadline_and_request(self, echo: Path) -> None:
        """The context tells remaining time, ARN and the request id that the client sees."""
        async with served(echo, timeout=20) as it:
            answer = await it.client.get("/")
        found = answer.json()
        assert 15_000 < found["deadline"] <= 20_001
        assert found["arn"].startswith("arn:aws:lambda:")
        assert found["request_id"] == answer.headers["x-amzn-requestid"]

    async def test_writes_no_bytecode_into_the_artifact(self, echo: Path) -> None:
        """The task root is read-only on Lambda: nothing may appear in it here either."""
        async with served(echo) as it:
            await it.client.get("/")
        assert [entry.name for entry in os.scandir(echo)] == ["function.py"]


@pytest.mark.asyncio
class TestLog:
    """What the host logs."""

    async def test_frames_the_functions_output_as_lambda_does(self, folder: Path) -> None:
        """START, the function's lines in order, END, REPORT; Init Duration the first time only."""
        body = """
            import sys
            print("loading")
            def handler(event, context):
                print("one")
                print("two", file=sys.stderr)
        """
        async with served(write_function(folder, body)) as it:
            for _ in range(2):
                await it.client.get("/")
            await it.until(lambda: sum(line.startswith("REPORT") for line in it.log) == 2)
            first, second = it.log[1:6], it.log[6:]
        assert it.log[0] == "loading"
        for lines in (first, second):
            assert [line.split(" ")[0] for line in lines] == ["START", "one", "two", "END", "REPORT"]
        assert ("Init Duration" in first[-1], "Init Duration" in second[-1]) == (True, False)
        assert "Memory Size: 512 MB\tMax Memory Used: " in second[-1]

    async def test_explains_a_crash(self, echo: Path) -> None:
        """The last output of a crashed process and how it ended are there, in this order."""
        async with served(echo) as it:
            request_id = (await it.client.get("/crash")).headers["x-amzn-requestid"]
            lines = "\n".join(it.log)
        assert lines.index("about to crash") < lines.index(
            f"RequestId: {request_id} Error: Runtime exited with error: exit status 3"
        )

    async def test_shows_why_a_handler_raised(self, echo: Path) -> None:
        """The traceback is in the log."""
        async with served(echo) as it:
            await it.client.get("/raise")
        assert any("KeyError: 'secret sauce'" in line for line in it.log)


@pytest.mark.asyncio
class TestStart:
    """`start`."""

    async def test_refuses_a_port_in_use(self, echo: Path) -> None:
        """The error names the port."""
        with socket.create_server(("127.0.0.1", 0)) as taken:
            port = taken.getsockname()[1]
            with pytest.raises(PortInUseError, match=str(port)):
                await FunctionHost(echo, "function.handler", {}, port=port).start()

    async def test_starts_no_process_before_the_first_request(self, echo: Path) -> None:
        """The first request pays for the init, as on Lambda."""
        async with served(echo) as it:
            assert it.states() == []
