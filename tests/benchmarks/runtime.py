"""A function process under AWS's runtime client, timed at its Runtime API.

One thread and blocking sockets, answers in one segment: what is measured is the function, as far as
that is possible on one machine.
"""

from __future__ import annotations

import json
import selectors
import socket
import subprocess
import time
import uuid
from typing import TYPE_CHECKING, Any, Final, Self

from infra.local.function import Function

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

#: Seconds to wait for anything.
PATIENCE: Final = 60.0


class FunctionProcess:
    """One execution environment; `with` starts it and waits until it asks for work.

    Attributes:
        init_seconds: From the process's start until it asked for work.
    """

    def __init__(
        self,
        artifact: Path,
        runtime: Path,
        handler: str,
        environment: Mapping[str, str],
        python: Path | None = None,
    ) -> None:
        """Start nothing; `python` runs it, and without it this one."""
        self._python = python
        self._function = Function(artifact, runtime, handler, environment, timeout=60.0, memory_mb=1024)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._selector = selectors.DefaultSelector()
        self._selector.register(self._listener, selectors.EVENT_READ, bytearray())
        self._waiting: socket.socket | None = None
        self.init_seconds = 0.0

    def __enter__(self) -> Self:
        command = self._function.command()
        if self._python is not None:
            command[command.index("-S") - 1] = str(self._python)
        started = time.perf_counter()
        self.started = started
        self._process = subprocess.Popen(
            command,
            cwd=self._function.artifact,
            env=self._function.variables(f"127.0.0.1:{self._listener.getsockname()[1]}", "benchmark"),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.STDOUT,
        )
        self._next()
        self.init_seconds = time.perf_counter() - started
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.wait()
        for key in list(self._selector.get_map().values()):
            assert isinstance(key.fileobj, socket.socket)
            key.fileobj.close()
        self._selector.close()

    def get(self, target: str) -> tuple[Any, float]:
        """Have it answer a GET of a Function URL; return the decoded body and the seconds it took.

        Raises:
            AssertionError: It did not answer with status 200.
        """
        path, _, query = target.partition("?")
        answer, seconds = self.invoke(
            {
                "version": "2.0",
                "routeKey": "$default",
                "rawPath": path,
                "rawQueryString": query,
                "headers": {"host": "bench.lambda-url.local", "x-forwarded-proto": "https"},
                "queryStringParameters": dict(pair.split("=") for pair in query.split("&") if pair),
                "requestContext": {
                    "http": {"method": "GET", "path": path, "protocol": "HTTP/1.1", "sourceIp": "127.0.0.1"},
                    "requestId": str(uuid.uuid4()),
                    "stage": "$default",
                },
                "isBase64Encoded": False,
            }
        )
        assert answer.get("statusCode") == 200, answer
        return json.loads(answer["body"]), seconds

    def invoke(self, event: dict[str, Any]) -> tuple[Any, float]:
        """Send an event; return the function's answer and the seconds until it arrived."""
        assert self._waiting is not None
        deadline = int((time.time() + 60) * 1000)
        started = time.perf_counter()
        self._reply(
            self._waiting,
            200,
            json.dumps(event).encode(),
            f"Lambda-Runtime-Aws-Request-Id: {uuid.uuid4()}\r\n"
            f"Lambda-Runtime-Deadline-Ms: {deadline}\r\n"
            "Lambda-Runtime-Invoked-Function-Arn: arn:aws:lambda:us-east-1:000000000000:function:bench\r\n",
        )
        connection, path, body = self._request()
        seconds = time.perf_counter() - started
        assert path.endswith("/response"), body
        self._reply(connection, 202, b"{}")
        self._next()
        return json.loads(body), seconds

    def _next(self) -> None:
        connection, path, body = self._request()
        assert path.endswith("/invocation/next"), body
        self._waiting = connection

    def _request(self) -> tuple[socket.socket, str, bytes]:
        """Wait for the next whole request of the runtime client."""
        while True:
            ready = self._selector.select(PATIENCE)
            assert ready, "the function is silent"
            for key, _ in ready:
                if key.fileobj is self._listener:
                    connection, _ = self._listener.accept()
                    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                    self._selector.register(connection, selectors.EVENT_READ, bytearray())
                    continue
                connection = key.fileobj  # type: ignore[assignment]  # only sockets are registered
                data = connection.recv(1 << 20)
                if not data:
                    self._selector.unregister(connection)
                    connection.close()
                    continue
                key.data.extend(data)
                whole = _parse(key.data)
                if whole is not None:
                    key.data.clear()
                    return connection, *whole

    @staticmethod
    def _reply(connection: socket.socket, status: int, body: bytes, headers: str = "") -> None:
        headers += f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n"
        connection.sendall(f"HTTP/1.1 {status} OK\r\n{headers}\r\n".encode() + body)


def _parse(data: bytearray) -> tuple[str, bytes] | None:
    """Return a request's path and body when all of it is there."""
    head, separator, rest = bytes(data).partition(b"\r\n\r\n")
    if not separator:
        return None
    first, *lines = head.decode().split("\r\n")
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    path = first.split()[1]
    if headers.get("transfer-encoding") == "chunked":
        return (path, _unchunk(rest)) if rest.endswith(b"0\r\n\r\n") else None
    length = int(headers.get("content-length", 0))
    return (path, rest[:length]) if len(rest) >= length else None


def _unchunk(data: bytes) -> bytes:
    body = b""
    while data:
        size, _, data = data.partition(b"\r\n")
        count = int(size, 16)
        body, data = body + data[:count], data[count + 2 :]
    return body
