"""An HTTP port that passes requests on as Function URLs get them."""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, Final

import uvicorn

from infra.aws.function_url import Request, Response
from infra.local.errors import PortInUseError
from infra.local.ports import require_free
from infra.local.runtime_api import MAX_PAYLOAD

#: Answers a request: the response, and the id under which the function's log has it.
Answer = Callable[[Request], Awaitable[tuple[Response, str]]]

_Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
_Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]

#: The longest that open connections may delay `stop`, in seconds.
_SHUTDOWN_PATIENCE: Final = 5

#: Clients that connect at once before any is accepted.
_BACKLOG: Final = 2048

_JSON: Final = (("content-type", "application/json"),)


class HttpFront:
    """Serves while it is started.

    Args:
        answer: Answers each request; one whose body is larger than any event may be never reaches it.
        port: 0 picks a free one.
        host: Where to listen.
    """

    def __init__(self, answer: Answer, *, port: int = 0, host: str = "127.0.0.1") -> None:
        """Start nothing yet."""
        self._answer = answer
        self._port = port
        self._host = host
        self._server: _Server | None = None
        self._serving: asyncio.Task[None] | None = None

    @property
    def url(self) -> str:
        """The root, without a slash at the end; its port is known once it listens."""
        return f"http://{self._host}:{self._port}"

    def listen(self) -> socket.socket:
        """Take the port, for `start`.

        Raises:
            PortInUseError: Something else listens on it.
        """
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

    async def start(self, listener: socket.socket | None = None) -> None:
        """Answer what comes to the port.

        Raises:
            PortInUseError: Something else listens on it.
        """
        listener = listener or self.listen()
        self._server = _Server(
            uvicorn.Config(
                self._serve,
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
        """Close the port once what was asked is answered."""
        if self._server is not None and self._serving is not None:
            self._server.should_exit = True
            await self._serving
        self._server = self._serving = None

    async def _serve(self, scope: Any, receive: _Receive, send: _Send) -> None:
        """Answer one HTTP request; the ASGI callable behind the port."""
        body = await _read(receive)
        if body is None:
            response, request_id = failure(413, "Request Entity Too Large"), ""
        else:
            response, request_id = await self._answer(_request(scope, body, self._port))
        headers = [*response.headers, ("x-amzn-requestid", request_id)]
        if response.status not in {204, 304}:
            headers.append(("content-length", str(len(response.body))))
        encoded = [(name.encode("ascii"), value.encode("utf-8")) for name, value in headers]
        await send({"type": "http.response.start", "status": response.status, "headers": encoded})
        await send({"type": "http.response.body", "body": response.body})


def failure(status: int, message: str) -> Response:
    """Return what a Function URL answers in the function's place."""
    return Response(status, _JSON, json.dumps({"Message": message}).encode())


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


def _request(scope: Any, body: bytes, port: int) -> Request:
    headers = tuple((name.decode("latin-1"), value.decode("latin-1")) for name, value in scope["headers"])
    return Request(
        method=scope["method"],
        path=scope["raw_path"].decode("latin-1"),
        query=scope["query_string"].decode("latin-1"),
        headers=headers,
        body=body,
        client=scope["client"][0],
        port=port,
        protocol=f"HTTP/{scope['http_version']}",
    )
