"""A public port: clients' bytes go to a server's private port, once it runs.

As Neon's proxy does, it holds clients while a suspended server starts, and refuses none.
"""

from __future__ import annotations

import asyncio
import errno
import logging
from contextlib import suppress
from typing import TYPE_CHECKING, Final

from infra.errors import InfraError
from infra.local import ports
from infra.local.neon_api.refusal import Refusal

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

_log = logging.getLogger(__name__)

#: Clients that may wait to be accepted; the kernel has a limit of its own.
_BACKLOG: Final = 1024
#: How often, and how many seconds apart, a server is asked for that does not listen: one that was
#: killed just now still passes for running.
_ATTEMPTS: Final = 40
_PAUSE: Final = 0.05
#: Bytes read at once.
_CHUNK: Final = 256 * 1024


class Forwarder:
    """Listens on one port of loopback and forwards what comes, in both directions."""

    def __init__(self, target: Callable[[], Awaitable[int]]) -> None:
        """Forward to the port that `target` returns when its server runs.

        It is asked for every connection, and again when nothing listens there. Its `InfraError` is
        what the client is told.
        """
        self._target = target
        self._server: asyncio.Server | None = None
        self._clients: set[_Client] = set()
        # Between two reads nothing else runs, and what is read is copied: one serves all.
        self._buffer = memoryview(bytearray(_CHUNK))
        self._last_activity = asyncio.get_running_loop().time()

    @property
    def clients(self) -> int:
        """How many are connected, those included who wait for the server."""
        return len(self._clients)

    @property
    def idle_seconds(self) -> float:
        """How long nobody has sent anything."""
        return asyncio.get_running_loop().time() - self._last_activity

    async def listen(self, port: int | None) -> int:
        """Open the port, or a free one; return it.

        Raises:
            PortInUseError: Something else listens there.
        """
        loop = asyncio.get_running_loop()
        try:
            self._server = await loop.create_server(
                lambda: _Client(self), ports.LOOPBACK, port or 0, backlog=_BACKLOG
            )
        except OSError as error:
            if port and error.errno == errno.EADDRINUSE:
                raise ports.in_use(port, hint="stop what uses it") from error
            raise
        chosen: int = self._server.sockets[0].getsockname()[1]
        return chosen

    def cut(self) -> None:
        """End the connections to the server, its last words delivered; who waits for it waits on."""
        for client in list(self._clients):
            if client.peer is not None:
                client.transport.close()

    def close(self) -> None:
        """Close the port and end every connection."""
        if self._server is not None:
            self._server.close()
            self._server = None
        for client in list(self._clients):
            client.transport.abort()

    def add(self, client: _Client) -> asyncio.Task[None]:
        """Know a new client, and begin to give it a server."""
        self._clients.add(client)
        return asyncio.create_task(self._connect(client))

    def discard(self, client: _Client) -> None:
        """Forget a client that is gone."""
        self._clients.discard(client)

    def buffer(self) -> memoryview:
        """Return where to read to; somebody sends something."""
        self._last_activity = asyncio.get_running_loop().time()
        return self._buffer

    async def _connect(self, client: _Client) -> None:
        try:
            for _attempt in range(_ATTEMPTS):
                port = await self._target()
                with suppress(ConnectionError):
                    await client.connect(port)
                    return
                await asyncio.sleep(_PAUSE)
            reason = "it went away again and again"
        except InfraError as error:
            reason = str(error)
        except Exception:  # noqa: BLE001  nobody may wait for ever
            _log.exception("a client has no server")
            reason = "the control plane has a bug, and its log the details"
        client.refuse(reason)


class _Side(asyncio.BufferedProtocol):
    """One end of a connection; what it reads goes to its peer."""

    transport: asyncio.Transport

    def __init__(self, forwarder: Forwarder, peer: _Side | None = None) -> None:
        self._forwarder = forwarder
        self.peer = peer
        self.at_end = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)  # noqa: S101  for the type checker
        self.transport = transport

    def get_buffer(self, sizehint: int) -> memoryview:
        del sizehint
        return self._forwarder.buffer()

    def buffer_updated(self, nbytes: int) -> None:
        if self.peer is not None:
            self.peer.transport.write(bytes(self._forwarder.buffer()[:nbytes]))

    def pause_writing(self) -> None:
        if self.peer is not None:
            self.peer.transport.pause_reading()

    def resume_writing(self) -> None:
        if self.peer is not None:
            self.peer.transport.resume_reading()

    def eof_received(self) -> bool:
        """Pass the end on, behind all data; the other direction goes on until its own."""
        self.at_end = True
        if self.peer is not None:
            self.peer.transport.write_eof()
            if self.peer.at_end:
                self.peer.transport.close()
                self.transport.close()
        return True

    def connection_lost(self, exc: Exception | None) -> None:
        del exc
        if self.peer is not None:
            # Not aborted: what it has still to deliver may be the reason, a FATAL error.
            self.peer.transport.close()


class _Client(_Side):
    """The side that connected to the public port."""

    def __init__(self, forwarder: Forwarder) -> None:
        super().__init__(forwarder)
        self._connecting: asyncio.Task[None] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        # Up to Python 3.11.2 reading begins right after this method, paused or not.
        asyncio.get_running_loop().call_soon(self._wait)

    def _wait(self) -> None:
        if not self.transport.is_closing():
            self.transport.pause_reading()
            self._connecting = self._forwarder.add(self)

    async def connect(self, port: int) -> None:
        """Get a server and let the data flow."""
        loop = asyncio.get_running_loop()
        _, server = await loop.create_connection(lambda: _Side(self._forwarder, self), ports.LOOPBACK, port)
        self.peer = server
        self.transport.resume_reading()

    def refuse(self, reason: str) -> None:
        """Tell the client in PostgreSQL's own way that there is no server."""
        if not self.transport.is_closing():
            self.transport.set_protocol(Refusal(self.transport, reason))
            self.transport.resume_reading()
        self._forwarder.discard(self)

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        if self._connecting is not None:
            self._connecting.cancel()
        self._forwarder.discard(self)
