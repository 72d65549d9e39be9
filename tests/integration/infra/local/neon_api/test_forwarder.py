"""A public port: bytes as they are, ends as they come, clients who wait, clients who are refused."""

from __future__ import annotations

import asyncio
import random
import socket
import struct
from contextlib import suppress

import psycopg
import pytest
import pytest_asyncio

from infra.local.errors import PortInUseError, ServerStartError
from infra.local.neon_api.forwarder import Forwarder

pytestmark = pytest.mark.asyncio(loop_scope="module")


class Upstream:
    """A server on a free port whose behaviour is the test's."""

    def __init__(self, serve):
        self._serve = serve
        self.asked = 0

    async def __aenter__(self):
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_):
        self._server.close()

    async def _accept(self, reader, writer):
        with suppress(ConnectionError):
            await self._serve(reader, writer)
        writer.close()

    async def target(self):
        self.asked += 1
        return self.port


@pytest_asyncio.fixture(loop_scope="module")
async def forwarded():
    """Open a forwarder to a target; close it at the end."""
    opened = []

    async def forward(target):
        opened.append(Forwarder(target))
        return opened[-1], await opened[-1].listen(None)

    yield forward
    for each in opened:
        each.close()
    await asyncio.sleep(0.02)  # for what is closing to be closed


async def connect(port):
    return await asyncio.open_connection("127.0.0.1", port)


async def nobody_left(forwarder):
    """Wait until the forwarder knows no client."""
    while forwarder.clients:  # noqa: ASYNC110  it tells nobody
        await asyncio.sleep(0.01)


class TestForwarding:
    async def test_bytes_arrive_as_they_were_sent_when_both_are_slow(self, forwarded):
        """Eight megabytes to and fro, through readers that pause: nothing lost, nothing twice."""
        sent = random.Random(1).randbytes(8 * 1024 * 1024)

        async def echo(reader, writer):
            while data := await reader.read(100_000):
                writer.write(data)
                await writer.drain()
                await asyncio.sleep(0.001)

        async with Upstream(echo) as upstream:
            forwarder, port = await forwarded(upstream.target)
            reader, writer = await connect(port)

            async def send():
                writer.write(sent)
                await writer.drain()
                writer.write_eof()

            async with asyncio.timeout(20):
                sending = asyncio.create_task(send())
                await asyncio.sleep(0.2)
                received = await reader.read(-1)
                await sending
            assert received == sent
            assert forwarder.clients <= 1
            writer.close()

    async def test_unread_bytes_hold_the_sender_back(self, forwarded):
        """A client that does not read does not fill our memory: the server stops sending."""
        sent = 0

        async def flood(_, writer):
            nonlocal sent
            while sent < 200 * 1024 * 1024:
                writer.write(bytes(1024 * 1024))
                sent += 1024 * 1024
                await writer.drain()

        async with Upstream(flood) as upstream:
            _, port = await forwarded(upstream.target)
            _, writer = await connect(port)
            await asyncio.sleep(0.3)
            assert 0 < sent < 64 * 1024 * 1024
            writer.transport.abort()
            await asyncio.sleep(0.05)

    async def test_last_words_arrive_before_the_end(self, forwarded):
        """What the server says before it closes reaches the client, and then the end does."""

        async def farewell(reader, writer):
            await reader.read(1)
            writer.write(b"x" * 1_000_000)

        async with Upstream(farewell) as upstream:
            forwarder, port = await forwarded(upstream.target)
            reader, writer = await connect(port)
            writer.write(b"?")
            assert len(await reader.read(-1)) == 1_000_000
            writer.close()
            async with asyncio.timeout(2):
                await nobody_left(forwarder)

    async def test_reset_client_ends_the_servers_side(self, forwarded):
        """A client that died is not kept by the server, nor by the forwarder."""
        ended = asyncio.Event()

        async def wait(reader, _):
            with suppress(ConnectionError):
                await reader.read(-1)
            ended.set()

        async with Upstream(wait) as upstream:
            forwarder, port = await forwarded(upstream.target)
            _, writer = await connect(port)
            writer.write(b"hello")
            await asyncio.sleep(0.05)
            at_once = struct.pack("ii", 1, 0)
            writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, at_once)
            writer.close()
            async with asyncio.timeout(2):
                await ended.wait()
                await nobody_left(forwarder)

    async def test_cut_ends_who_is_served_and_not_who_waits(self, forwarded):
        """A suspension ends sessions; clients that wait for the next start wait on."""
        gate = asyncio.Event()
        gate.set()

        async def echo(reader, writer):
            while data := await reader.read(100):
                writer.write(data)

        async with Upstream(echo) as upstream:

            async def target():
                await gate.wait()
                return upstream.port

            forwarder, port = await forwarded(target)
            served_reader, served = await connect(port)
            served.write(b"1")
            assert await served_reader.read(1) == b"1"
            gate.clear()
            waiting_reader, waiting = await connect(port)
            waiting.write(b"2")
            await asyncio.sleep(0.05)
            forwarder.cut()
            assert await served_reader.read(1) == b""
            served.close()
            gate.set()
            assert await waiting_reader.read(1) == b"2"
            waiting.close()

    async def test_taken_port_is_refused(self, forwarded):
        """An explicit port that something else holds is an error."""
        _, port = await forwarded(lambda: asyncio.sleep(0, 1))
        with pytest.raises(PortInUseError, match=f"port {port} is in use"):
            await Forwarder(lambda: asyncio.sleep(0, 1)).listen(port)


class TestRefusal:
    @pytest.mark.parametrize("sslmode", ["disable", "prefer"])
    async def test_client_is_told_why_in_postgresqls_words(self, forwarded, sslmode):
        """The start's failure reaches the client as a FATAL error, also where it asked for TLS first."""

        async def target():
            raise ServerStartError("PostgreSQL did not start: no ☃ today", hint="look")

        _, port = await forwarded(target)
        with pytest.raises(psycopg.OperationalError, match=r"FATAL: .*no ☃ today"):
            await psycopg.AsyncConnection.connect(
                host="127.0.0.1", port=port, user="x", dbname="x", sslmode=sslmode
            )

    async def test_refusal_has_the_code_that_drivers_retry(self, forwarded):
        """SQLSTATE 57P03, cannot_connect_now."""
        import asyncpg

        async def target():
            raise ServerStartError("not today", hint="look")

        _, port = await forwarded(target)
        with pytest.raises(asyncpg.exceptions.CannotConnectNowError, match="not today"):
            await asyncpg.connect(host="127.0.0.1", port=port, user="x", database="x", ssl=False)

    async def test_failed_start_that_is_a_bug_leaves_nobody_waiting(self, forwarded, caplog):
        """Whatever went wrong, the client gets an end; what it was stands in the log."""

        async def target():
            raise RuntimeError("a bug")

        _, port = await forwarded(target)
        with pytest.raises(psycopg.OperationalError, match="log"):
            await psycopg.AsyncConnection.connect(host="127.0.0.1", port=port, user="x", dbname="x")
        assert "a bug" in caplog.text

    async def test_cancel_request_gets_an_end(self, forwarded):
        """Nothing runs that could be cancelled: the connection just closes, as a server's does."""

        async def target():
            raise ServerStartError("not today", hint="look")

        _, port = await forwarded(target)
        reader, writer = await connect(port)
        writer.write((16).to_bytes(4) + (80877102).to_bytes(4) + bytes(8))
        assert await reader.read(-1) == b""
        writer.close()

    async def test_request_that_claims_no_length_is_answered_like_any(self, forwarded):
        """Were it believed, the control plane would meet the same request for ever."""

        async def target():
            raise ServerStartError("not today", hint="look")

        _, port = await forwarded(target)
        reader, writer = await connect(port)
        writer.write(struct.pack("!II", 0, 80877103) + struct.pack("!II", 8, 196608))
        assert await reader.readexactly(2) == b"NE"
        assert b"not today" in await reader.read(-1)
        writer.close()
