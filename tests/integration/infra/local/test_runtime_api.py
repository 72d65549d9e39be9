"""The Runtime API over a socket, for what AWS's well-behaved client never sends."""

from __future__ import annotations

import asyncio
import http
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import pytest

from infra.local.runtime_api import MAX_PAYLOAD, FunctionError, Invocation, RuntimeApi

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

PREFIX = b"/2018-06-01/runtime/"


class Recorder:
    """A runtime that keeps what it is told, and knows one invocation, `known`."""

    def __init__(self) -> None:
        self.told: list[object] = []

    def next_requested(self) -> None:
        self.told.append("next")

    def answered(self, request_id: str, outcome: bytes | FunctionError) -> http.HTTPStatus:
        self.told.append(outcome)
        return http.HTTPStatus.ACCEPTED if request_id == "known" else http.HTTPStatus.BAD_REQUEST

    def init_failed(self, error: FunctionError) -> None:
        self.told.append(error)


class Client:
    """One connection to the API."""

    def __init__(self, recorder: Recorder, api: RuntimeApi, port: int) -> None:
        self.recorder, self.api, self._port = recorder, api, port

    async def open(self) -> None:
        self._reader, self._writer = await asyncio.open_connection("127.0.0.1", self._port)

    async def send(self, *pieces: bytes) -> None:
        for piece in pieces:
            self._writer.write(piece)
            await self._writer.drain()
            await asyncio.sleep(0.01)

    async def receive(self) -> tuple[int, bytes]:
        head = await self._reader.readuntil(b"\r\n\r\n")
        length = int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0])
        return int(head.split(b" ")[1]), await self._reader.readexactly(length)

    async def post(self, path: bytes, body: bytes, headers: bytes = b"") -> int:
        start = b"POST " + PREFIX + path + b" HTTP/1.1\r\n" + headers
        await self.send(start + b"Content-Length: %d\r\n\r\n" % len(body) + body)
        return (await self.receive())[0]

    async def close(self) -> None:
        self._writer.close()
        await asyncio.gather(self._writer.wait_closed(), return_exceptions=True)


@asynccontextmanager
async def connected() -> AsyncIterator[Client]:
    """Connect to an API of its own."""
    recorder = Recorder()
    api = RuntimeApi(recorder)
    client = Client(recorder, api, await api.start())
    await client.open()
    try:
        yield client
    finally:
        await client.close()
        api.stop()


@pytest.mark.asyncio
class TestRuntimeApi:
    """`RuntimeApi`."""

    async def test_gives_the_invocation_to_the_request_that_waits(self) -> None:
        """A request cut into pieces waits until there is work, and gets headers and payload."""
        async with connected() as client:
            await client.send(b"GET " + PREFIX + b"invoc", b"ation/next HTTP/1.1\r\nHost: x\r", b"\n\r\n")
            assert client.recorder.told == ["next"]
            result: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
            client.api.send(
                Invocation(b'{"a": 1}', "known", result, "arn"), {"Lambda-Runtime-Aws-Request-Id": "known"}
            )
            assert await client.receive() == (200, b'{"a": 1}')

    async def test_passes_on_a_response_in_pieces(self) -> None:
        """A body that comes slowly is one response; the connection serves the next request."""
        async with connected() as client:
            path = b"POST " + PREFIX + b"invocation/known/response HTTP/1.1\r\nContent-Length: 6\r\n\r\n"
            await client.send(path, b"abc", b"def")
            assert (await client.receive())[0] == 202
            assert await client.post(b"invocation/known/response", b"second") == 202
            assert client.recorder.told == [b"abcdef", b"second"]

    async def test_refuses_an_unknown_invocation(self) -> None:
        """An answer to something else is a 400, as on Lambda."""
        async with connected() as client:
            assert await client.post(b"invocation/other/response", b"{}") == 400

    async def test_refuses_a_response_above_the_limit(self) -> None:
        """The runtime gets a 413, the invocation an error with the limit in it."""
        async with connected() as client:
            assert await client.post(b"invocation/known/response", b"x" * (MAX_PAYLOAD + 1)) == 413
            (error,) = client.recorder.told
        assert isinstance(error, FunctionError)
        assert error.error_type == "Function.ResponseSizeTooLarge"
        assert "6291556 bytes" in str(error)

    @pytest.mark.parametrize(
        ("body", "headers", "expected"),
        [
            (b'{"errorType": "KeyError", "errorMessage": "x"}', b"", "KeyError: x"),
            (b"not json", b"Lambda-Runtime-Function-Error-Type: Runtime.Odd\r\n", "Runtime.Odd: "),
            (b"[]", b"", "Unhandled: "),
        ],
    )
    async def test_reads_errors_of_any_shape(self, body: bytes, headers: bytes, expected: str) -> None:
        """The type comes from the header or the report; neither is required."""
        async with connected() as client:
            assert await client.post(b"invocation/known/error", body, headers) == 202
            assert await client.post(b"init/error", body, headers) == 202
        assert [str(error) for error in client.recorder.told] == [expected, expected]

    @pytest.mark.parametrize(
        "request_bytes",
        [
            b"nonsense\r\n\r\n",
            b"POST /x HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n",
            b"POST /x HTTP/1.1\r\nContent-Length: -1\r\n\r\n",
        ],
    )
    async def test_refuses_what_it_cannot_read(self, request_bytes: bytes) -> None:
        """A request of unknown length would garble the next: 400, and the connection ends."""
        async with connected() as client:
            await client.send(request_bytes)
            assert (await client.receive())[0] == 400

    async def test_knows_no_other_path(self) -> None:
        """Extensions' and unknown paths are 404."""
        async with connected() as client:
            assert await client.post(b"restore/error", b"{}") == 404
