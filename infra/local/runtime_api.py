"""The Lambda Runtime API of one execution environment, on a port of its own.

The runtime client asks for the next invocation, posts its response or error, and asks again:
https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html. One environment serves one
invocation at a time, so there is no state here but the request that waits for the next one.
"""

from __future__ import annotations

import asyncio
import http
import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, Protocol

from infra.errors import InfraError

if TYPE_CHECKING:
    from collections.abc import Mapping

#: Lambda's limit on a synchronous invocation's event and on its response: 6 MiB and 100 bytes.
#: Lambda names the number when a response is larger: "exceeded maximum allowed payload size
#: (6291556 bytes)".
MAX_PAYLOAD: Final = 6_291_556

_PREFIX: Final = "/2018-06-01/runtime/"


class FunctionError(InfraError):
    """The function did not answer an invocation: it raised, crashed, timed out or never started.

    Args:
        error_type: What Lambda calls it: the exception's name, `Runtime.ExitError`,
            `Sandbox.Timedout`, `Runtime.ImportModuleError`, `Function.ResponseSizeTooLarge`…
        message: What the runtime said.
        report: What the runtime sent, JSON; without it what Lambda says in its place.
    """

    code = "FUNCTION_ERROR"

    def __init__(self, error_type: str, message: str, report: bytes | None = None) -> None:
        """Keep Lambda's name for the error apart."""
        super().__init__(f"{error_type}: {message}", hint="the function's log says more")
        self.error_type = error_type
        self.report = report or json.dumps({"errorType": error_type, "errorMessage": message}).encode()


@dataclass(eq=False, slots=True)
class Invocation:
    """One event on its way through the function.

    Args:
        payload: The event, JSON.
        request_id: Lambda's name of the invocation.
        result: Gets the response or a `FunctionError`.
        arn: What was invoked: of a function, its version or its alias.
        log: Gets the lines that were logged for it.
        reported: Is set when the last of them was.
    """

    payload: bytes
    request_id: str
    result: asyncio.Future[bytes]
    arn: str
    log: list[str] = field(default_factory=list)
    reported: asyncio.Event = field(default_factory=asyncio.Event)

    def succeed(self, response: bytes) -> None:
        """Answer; a second answer is ignored."""
        if not self.result.done():
            self.result.set_result(response)

    def fail(self, error: FunctionError) -> None:
        """Answer with an error; a second answer is ignored."""
        if not self.result.done():
            self.result.set_exception(error)


class Runtime(Protocol):
    """Who is told what the runtime client asked for."""

    def next_requested(self) -> None:
        """Take note that the process is ready: initialised, and done with its last invocation."""

    def answered(self, request_id: str, outcome: bytes | FunctionError) -> http.HTTPStatus:
        """Take an invocation's outcome; return the status for the runtime client."""

    def init_failed(self, error: FunctionError) -> None:
        """Take note that the handler could not be loaded."""


class RuntimeApi:
    """Listens for one runtime client, on loopback."""

    def __init__(self, runtime: Runtime) -> None:
        """Listen only after `start`."""
        self._runtime = runtime
        self._server: asyncio.Server | None = None
        self._connections: set[_Connection] = set()
        self._waiting: _Connection | None = None

    async def start(self) -> int:
        """Listen on a free port and return it."""
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(lambda: _Connection(self), "127.0.0.1", 0)
        port: int = self._server.sockets[0].getsockname()[1]
        return port

    def stop(self) -> None:
        """Close the port and every connection."""
        if self._server is not None:
            self._server.close()
        for connection in list(self._connections):
            connection.close()

    def send(self, invocation: Invocation, headers: Mapping[str, str]) -> None:
        """Answer the runtime client's waiting request for the next invocation.

        Raises:
            RuntimeError: No request waits: a bug in the caller.
        """
        connection, self._waiting = self._waiting, None
        if connection is None:
            raise RuntimeError("no request for the next invocation waits")
        connection.respond(http.HTTPStatus.OK, invocation.payload, headers)

    def opened(self, connection: _Connection) -> None:
        """Keep a connection, so that `stop` can close it."""
        self._connections.add(connection)

    def closed(self, connection: _Connection) -> None:
        """Forget a connection."""
        self._connections.discard(connection)

    def received(
        self, connection: _Connection, method: str, path: str, headers: Mapping[str, str], body: bytes
    ) -> None:
        """Route one request of the runtime client."""
        match method, *path.removeprefix(_PREFIX).split("/"):
            case "GET", "invocation", "next":
                self._waiting = connection
                self._runtime.next_requested()
            case "POST", "invocation", request_id, "response" if len(body) > MAX_PAYLOAD:
                message = (
                    f"Response payload size exceeded maximum allowed payload size ({MAX_PAYLOAD} bytes)."
                )
                self._runtime.answered(request_id, FunctionError("Function.ResponseSizeTooLarge", message))
                connection.respond(http.HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
            case "POST", "invocation", request_id, "response":
                connection.respond(self._runtime.answered(request_id, body))
            case "POST", "invocation", request_id, "error":
                connection.respond(self._runtime.answered(request_id, _error(headers, body)))
            case "POST", "init", "error":
                connection.respond(http.HTTPStatus.ACCEPTED)
                self._runtime.init_failed(_error(headers, body))
            case _:
                connection.respond(http.HTTPStatus.NOT_FOUND)


def _error(headers: Mapping[str, str], body: bytes) -> FunctionError:
    try:
        report: Any = json.loads(body)
    except ValueError:
        report = None
    if not isinstance(report, dict):
        report = {}
    error_type = headers.get("lambda-runtime-function-error-type") or report.get("errorType")
    return FunctionError(
        str(error_type or "Unhandled"), str(report.get("errorMessage", "")), body if report else None
    )


@dataclass(frozen=True, slots=True)
class _Head:
    """A request's first line and headers, names in lower case; `length` is the body's, in bytes."""

    method: str
    path: str
    headers: Mapping[str, str]
    length: int

    @classmethod
    def parse(cls, text: str) -> _Head | None:
        """Return `None` for what is not HTTP, or has a body of unknown length."""
        first, *lines = text.split("\r\n")
        headers = {
            name.strip().lower(): value.strip() for name, _, value in (x.partition(":") for x in lines)
        }
        match first.split(" "), headers.get("content-length", "0"):
            case [method, path, _], length if length.isdigit() and "transfer-encoding" not in headers:
                return cls(method, path, headers, int(length))
        return None


class _Connection(asyncio.Protocol):
    """One HTTP/1.1 connection: requests with a Content-Length, answered one after another.

    That is all that AWS's runtime clients send. A response is written at once: split in two, Nagle
    and delayed ACK hold it back for 44 ms.
    """

    def __init__(self, api: RuntimeApi) -> None:
        self._api = api
        self._transport: asyncio.Transport | None = None
        self._buffer = bytearray()
        self._head: _Head | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)  # noqa: S101 - what create_server gives, for the type checker
        self._transport = transport
        self._api.opened(self)

    def connection_lost(self, exc: Exception | None) -> None:
        del exc
        self._api.closed(self)

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        if self._head is None and (end := self._buffer.find(b"\r\n\r\n")) >= 0:
            self._head = _Head.parse(self._buffer[:end].decode("latin-1"))
            del self._buffer[: end + 4]
            if self._head is None:
                self.respond(http.HTTPStatus.BAD_REQUEST)
                self.close()
                return
        if self._head is not None and len(self._buffer) >= self._head.length:
            head, self._head = self._head, None
            body = bytes(self._buffer[: head.length])
            del self._buffer[: head.length]
            self._api.received(self, head.method, head.path, head.headers, body)

    def respond(
        self, status: http.HTTPStatus, body: bytes = b"", headers: Mapping[str, str] | None = None
    ) -> None:
        lines = [f"HTTP/1.1 {status.value} {status.phrase}", "Content-Type: application/json"]
        lines += [f"{name}: {value}" for name, value in (headers or {}).items()]
        lines += [f"Content-Length: {len(body)}", "", ""]
        if self._transport is not None and not self._transport.is_closing():
            self._transport.write("\r\n".join(lines).encode("latin-1") + body)

    def close(self) -> None:
        if self._transport is not None:
            self._transport.abort()
