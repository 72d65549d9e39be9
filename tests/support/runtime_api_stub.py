"""As much of the Lambda Runtime API as one function under AWS's own runtime client needs."""

from __future__ import annotations

import json
import os
import queue
import subprocess
import sys
import threading
import time
import uuid
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from tests.support.loopback_server import Handler, LoopbackServer

if TYPE_CHECKING:
    from collections.abc import Mapping

ROOT = Path(__file__).parents[2]
PREFIX = "/2018-06-01/runtime"
PATIENCE = 30.0


class FunctionFailedError(Exception):
    """The function answered with an error; `report` is the runtime client's."""

    def __init__(self, report: dict[str, Any]) -> None:
        super().__init__(report.get("errorMessage"))
        self.report = report


class RuntimeFunction:
    """One function process and the Runtime API that it polls.

    With `snapshot`, the function stands between its snapshot and its restore until `restore()`.
    """

    def __init__(self, environment: Mapping[str, str], *, snapshot: bool = False) -> None:
        self.events: queue.Queue[tuple[str, bytes] | None] = queue.Queue()
        self.answers: queue.Queue[tuple[str, Any]] = queue.Queue()
        self.snapshot_taken = threading.Event()
        self.restored = threading.Event()
        self.calls: list[str] = []
        self._printed = ""
        self._server = LoopbackServer(self._handler())
        self._environment = {
            "PATH": os.environ["PATH"],
            "AWS_LAMBDA_RUNTIME_API": f"127.0.0.1:{self._server.server_port}",
            "AWS_LAMBDA_FUNCTION_NAME": "bough-test",
            "AWS_LAMBDA_FUNCTION_VERSION": "7",
            "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "512",
            "AWS_LAMBDA_INITIALIZATION_TYPE": "snap-start" if snapshot else "on-demand",
            "PYTHONWARNINGS": "error:::asyncio,error:::api",
            **environment,
        }

    def __enter__(self) -> Self:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "awslambdaric", "api.handler.handler"],
            cwd=ROOT,
            env=self._environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()
        self.restored.set()
        self.events.put(None)
        self._server.stop()

    def invoke(self, event: Any, *, seconds: float = 35.0) -> Any:
        """Send an event and return the answer; raise `FunctionFailedError` for an error."""
        self.events.put((str(uuid.uuid4()), json.dumps([event, seconds]).encode()))
        return self._answer()

    def init_error(self) -> dict[str, Any]:
        """Return what the function reported instead of starting."""
        try:
            self._answer()
        except FunctionFailedError as error:
            return error.report
        raise AssertionError

    def restore(self) -> None:
        """Let the function go on as if restored from its snapshot."""
        self.restored.set()

    def stop(self) -> str:
        """End the process and return all that it printed."""
        self.process.kill()
        if self.process.stdout is not None and not self.process.stdout.closed:
            self._printed, _ = self.process.communicate()
        return self._printed

    def _answer(self) -> Any:
        try:
            kind, answer = self.answers.get(timeout=PATIENCE)
        except queue.Empty:
            raise AssertionError(self.stop()) from None
        if kind == "error":
            raise FunctionFailedError(answer)
        return answer

    def _handler(function: Self) -> type[Handler]:  # noqa: N805  `self` is the request's below
        class Answering(Handler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:  # noqa: N802  named by the base class
                function.calls.append(self.path)
                if self.path == f"{PREFIX}/restore/next":
                    function.snapshot_taken.set()
                    function.restored.wait(PATIENCE)
                    self.reply(200, b"")
                    return
                item = function.events.get()
                if item is None:
                    return
                event, seconds = json.loads(item[1])
                headers = {
                    "Lambda-Runtime-Aws-Request-Id": item[0],
                    "Lambda-Runtime-Deadline-Ms": str(int((time.time() + seconds) * 1000)),
                    "Lambda-Runtime-Invoked-Function-Arn": "arn:aws:lambda:eu-central-1:1:function:f",
                    "Content-Type": "application/json",
                }
                self.reply(200, json.dumps(event).encode(), headers)

            def do_POST(self) -> None:  # noqa: N802  named by the base class
                function.calls.append(self.path)
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                if "chunked" in self.headers.get("Transfer-Encoding", ""):
                    body = b"".join(iter(self.chunk, b""))
                kind = "error" if self.path.endswith("/error") else "response"
                self.reply(202, b"{}")
                answer = json.loads(body)
                # The client reports a failed start as JSON inside of JSON.
                function.answers.put((kind, json.loads(answer) if isinstance(answer, str) else answer))

            def chunk(self) -> bytes:
                size = int(self.rfile.readline(), 16)
                data = self.rfile.read(size)
                self.rfile.readline()
                return data

            def reply(self, status: int, body: bytes, headers: Mapping[str, str] | None = None) -> None:
                self.send_response(status)
                for name, value in (headers or {}).items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

        return Answering
