"""Serves a function on this machine as a Lambda Function URL does: HTTP in front, environments behind.

`HTTP request → event (function_url) → environment (environment_pool) → result → HTTP response`
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
import uuid
from typing import TYPE_CHECKING, Any, Final, TextIO

import uvicorn

from infra.aws import function_url
from infra.local.environment_pool import EnvironmentPool, EnvironmentStatus
from infra.local.errors import PortInUseError
from infra.local.function import Function
from infra.local.ports import require_free
from infra.local.runtime_api import MAX_PAYLOAD, FunctionError
from infra.local.runtime_folder import runtime_folder

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping, MutableMapping, Sequence
    from pathlib import Path

    _Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
    _Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]

#: The longest that open connections may delay `stop`, in seconds.
_SHUTDOWN_PATIENCE: Final = 5

#: Clients that connect at once before any is accepted.
_BACKLOG: Final = 2048

_JSON: Final = (("content-type", "application/json"),)


class FunctionHost:
    """Runs a function's artifact behind an HTTP port.

    Args:
        artifact: The artifact folder (`infra.aws.artifact`).
        handler: Lambda's notation.
        environment: The function's own variables; nothing of this process's environment reaches it.
        port: 0 picks a free one.
        host: Where to listen.
        max_environments: How many invocations run at once; more wait in order.
        timeout: Seconds an invocation may take; one that takes longer is killed.
        memory_mb: What the function is told that it has; no limit is enforced.
        idle_timeout: Seconds without work after which an environment is retired.
        log: Takes the function's output and Lambda's START, END and REPORT lines; `None` drops them.
    """

    def __init__(
        self,
        artifact: Path,
        handler: str,
        environment: Mapping[str, str],
        *,
        port: int = 0,
        host: str = "127.0.0.1",
        max_environments: int = 10,
        timeout: float = 35.0,
        memory_mb: int = 512,
        idle_timeout: float = 300.0,
        log: Callable[[str], None] | TextIO | None = None,
    ) -> None:
        """Start nothing yet."""
        self._artifact = artifact.absolute()
        self._handler = handler
        self._environment = dict(environment)
        self._port = port
        self._host = host
        self._limit = max_environments
        self._timeout = timeout
        self._memory_mb = memory_mb
        self._idle_timeout = idle_timeout
        self._log = _writer(log)
        self._pool: EnvironmentPool | None = None
        self._server: _Server | None = None
        self._serving: asyncio.Task[None] | None = None

    @property
    def url(self) -> str:
        """The root of the served API, without a slash at the end; its port is known after `start`."""
        return f"http://{self._host}:{self._port}"

    async def start(self) -> None:
        """Listen. The first environment starts with the first request, as on Lambda.

        Raises:
            PortInUseError: Something else listens on the port.
            DistributionMissingError: `awslambdaric` is not installed.
            OSError: The runtime client cannot be copied beside the artifact.
        """
        listener = self._listen()
        try:
            runtime = await asyncio.to_thread(runtime_folder, self._artifact)
        except BaseException:
            listener.close()
            raise
        function = Function(
            self._artifact, runtime, self._handler, self._environment, self._timeout, self._memory_mb
        )
        self._pool = EnvironmentPool(
            function, limit=self._limit, idle_timeout=self._idle_timeout, log=self._log
        )
        self._server = _Server(
            uvicorn.Config(
                self._answer,
                access_log=False,
                http="h11",
                interface="asgi3",
                lifespan="off",
                log_config=None,
                proxy_headers=False,
                server_header=False,
                timeout_graceful_shutdown=_SHUTDOWN_PATIENCE,
                ws="none",
            )
        )
        self._serving = asyncio.create_task(self._server.serve([listener]))
        await self._server.listening.wait()

    async def stop(self) -> None:
        """Answer what still runs with an error and end every process; nothing is left after it."""
        if self._pool is not None:
            await self._pool.stop()
        if self._server is not None and self._serving is not None:
            self._server.should_exit = True
            await self._serving
        self._pool = self._server = self._serving = None

    async def serve(self) -> None:
        """Start, run until cancelled, stop."""
        await self.start()
        try:
            await asyncio.Event().wait()
        finally:
            await self.stop()

    async def reload(self, artifact: Path) -> None:
        """Serve later invocations from another artifact folder.

        Those that run end on the old one, which must stay as it is meanwhile: what they have not
        imported yet they read from there. `environments` says which folders are in use.
        """
        self._running().reload(artifact)

    async def invoke(self, event: Mapping[str, Any]) -> Any:
        """Invoke the function with an event of any kind and return its result.

        Raises:
            FunctionError: The function raised, crashed, timed out, or could not be started.
        """
        return json.loads(await self._running().invoke(json.dumps(event).encode(), str(uuid.uuid4())))

    def environments(self) -> Sequence[EnvironmentStatus]:
        """Return the environments that have not ended."""
        return self._pool.statuses() if self._pool is not None else ()

    def _running(self) -> EnvironmentPool:
        if self._pool is None:
            raise RuntimeError("the function host is not started")
        return self._pool

    def _listen(self) -> socket.socket:
        family = socket.AF_INET6 if ":" in self._host else socket.AF_INET
        # The protocol is named because asyncio sets TCP_NODELAY on such sockets only; without it
        # the body waits 44 ms for the delayed ACK of the headers.
        listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((self._host, self._port))
            # Now, not in uvicorn: two that bind the same port learn of each other only here.
            listener.listen(_BACKLOG)
        except OSError as error:
            listener.close()
            hint = "choose another port with --port"
            require_free(self._port, hint)
            raise PortInUseError(
                f"cannot listen on {self._host}:{self._port}: {error.strerror}", hint=hint
            ) from error
        self._port = listener.getsockname()[1]
        return listener

    async def _answer(self, scope: Any, receive: _Receive, send: _Send) -> None:
        """Answer one HTTP request; the ASGI callable behind the port."""
        response, request_id = await self._response(scope, receive)
        headers = [*response.headers, ("x-amzn-requestid", request_id)]
        if response.status not in {204, 304}:
            headers.append(("content-length", str(len(response.body))))
        encoded = [(name.encode("ascii"), value.encode("utf-8")) for name, value in headers]
        await send({"type": "http.response.start", "status": response.status, "headers": encoded})
        await send({"type": "http.response.body", "body": response.body})

    async def _response(self, scope: Any, receive: _Receive) -> tuple[function_url.Response, str]:
        request_id = str(uuid.uuid4())
        body = await _read(receive)
        payload = b""
        if body is not None:
            request = _request(scope, body, self._port)
            payload = json.dumps(function_url.event(request, request_id), ensure_ascii=False).encode()
        if body is None or len(payload) > MAX_PAYLOAD:
            return _failure(413, "Request Entity Too Large"), request_id
        # A Function URL answers 502 for every failure of the function, a timeout among them
        # (https://github.com/awslabs/route53-dynamic-dns-with-lambda/issues/56 quotes one).
        try:
            return function_url.response(await self._running().invoke(payload, request_id)), request_id
        except FunctionError:
            return _failure(502, "Internal Server Error"), request_id
        except function_url.MalformedResponseError as error:
            self._log(f"{request_id} Malformed response: {error}")
            return _failure(502, "Internal Server Error"), request_id


class _Server(uvicorn.Server):
    """uvicorn, but signals are its caller's, and it says when it listens."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.listening = asyncio.Event()

    def capture_signals(self) -> contextlib.AbstractContextManager[None]:  # type: ignore[override]
        return contextlib.nullcontext()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.listening.set()


async def _read(receive: _Receive) -> bytes | None:
    """Return the request's body; `None` as soon as it is larger than any event may be."""
    body = bytearray()
    more = True
    while more:
        message = await receive()
        body += message.get("body", b"")
        more = message.get("more_body", False)
        if len(body) > MAX_PAYLOAD:
            return None
    return bytes(body)


def _request(scope: Any, body: bytes, port: int) -> function_url.Request:
    headers = tuple((name.decode("latin-1"), value.decode("latin-1")) for name, value in scope["headers"])
    return function_url.Request(
        method=scope["method"],
        path=scope["raw_path"].decode("latin-1"),
        query=scope["query_string"].decode("latin-1"),
        headers=headers,
        body=body,
        client=scope["client"][0],
        port=port,
        protocol=f"HTTP/{scope['http_version']}",
    )


def _failure(status: int, message: str) -> function_url.Response:
    return function_url.Response(status, _JSON, json.dumps({"Message": message}).encode())


def _writer(log: Callable[[str], None] | TextIO | None) -> Callable[[str], None]:
    if log is None:
        return lambda _: None
    if callable(log):
        return log

    def write(line: str) -> None:
        log.write(f"{line}\n")
        log.flush()

    return write
