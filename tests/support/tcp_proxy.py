"""A TCP proxy that counts round trips and can make a connection die silently or at once."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from typing import TYPE_CHECKING, Self, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine
    from types import TracebackType

_CHUNK = 65536

T = TypeVar("T")


class _Connection:
    """One client's connection and the server's side of it."""

    def __init__(self, client: asyncio.StreamWriter) -> None:
        self.writers = [client]
        self.flowing = asyncio.Event()
        self.client_spoke_last = False


class TcpProxy:
    """Forward connections on loopback to `port`, from a thread of its own.

    Attributes:
        port: Where the proxy listens.
        connections: Connections accepted since the last `reset`.
        round_trips: How often a client began to send, at first or after the server's answer.
        sent: Bytes from clients.
        received: Bytes from the server.
    """

    def __init__(self, port: int, host: str = "127.0.0.1") -> None:
        """Keep where to forward to; `with` starts the proxy."""
        self.port = 0
        self._upstream = (host, port)
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._open: dict[_Connection, asyncio.Task[None]] = {}
        self._new_ones_flow = True
        self.reset()

    def __enter__(self) -> Self:
        """Listen on a free port."""
        self._thread.start()
        self._server = self._call(self._listen)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """End every connection and the thread."""
        self._call(self._close)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def reset(self) -> None:
        """Set every count to zero."""
        self.connections = self.round_trips = self.sent = self.received = 0

    @property
    def open_connections(self) -> int:
        """How many connections are open now."""
        return len(self._open)

    def freeze(self, *, existing_only: bool = False) -> None:
        """Forward nothing in either direction, not even a close: what a silently dropped socket shows.

        New connections are accepted and starve too, unless `existing_only`.
        """

        async def act() -> None:
            self._new_ones_flow = existing_only
            for connection in self._open:
                connection.flowing.clear()

        self._call(act)

    def thaw(self) -> None:
        """Forward again, what was held back first."""

        async def act() -> None:
            self._new_ones_flow = True
            for connection in self._open:
                connection.flowing.set()

        self._call(act)

    def cut(self) -> None:
        """Reset every open connection at once."""

        async def act() -> None:
            for connection in list(self._open):
                for writer in connection.writers:
                    writer.transport.abort()

        self._call(act)

    def _call(self, function: Callable[[], Coroutine[None, None, T]]) -> T:
        return asyncio.run_coroutine_threadsafe(function(), self._loop).result(timeout=10)

    async def _listen(self) -> asyncio.Server:
        server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        self.port = server.sockets[0].getsockname()[1]
        return server

    async def _close(self) -> None:
        self._server.close()
        tasks = list(self._open.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connection = _Connection(writer)
        if self._new_ones_flow:
            connection.flowing.set()
        self.connections += 1
        self._open[connection] = self._loop.create_task(self._serve(connection, reader))

    async def _serve(self, connection: _Connection, client: asyncio.StreamReader) -> None:
        try:
            server, writer = await asyncio.open_connection(*self._upstream)
            connection.writers.append(writer)
            await asyncio.gather(
                self._pump(connection, client, writer, from_client=True),
                self._pump(connection, server, connection.writers[0], from_client=False),
            )
        except OSError:
            pass
        finally:
            del self._open[connection]
            for each in connection.writers:
                each.transport.abort()

    async def _pump(
        self,
        connection: _Connection,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        *,
        from_client: bool,
    ) -> None:
        while True:
            data = await reader.read(_CHUNK)
            await connection.flowing.wait()
            if from_client:
                self.sent += len(data)
                self.round_trips += bool(data) and not connection.client_spoke_last
            else:
                self.received += len(data)
            if not data:
                with contextlib.suppress(OSError):
                    writer.write_eof()
                return
            connection.client_spoke_last = from_client
            writer.write(data)
            await writer.drain()
