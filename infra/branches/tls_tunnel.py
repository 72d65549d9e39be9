"""A way into a database for programs that know no TLS, as those of the PostgreSQL wheel."""

from __future__ import annotations

import asyncio
import struct
import threading
from concurrent.futures import Future
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Final

from api.database.connection_url import DirectUrl
from infra.branches.provisioning import password_of

if TYPE_CHECKING:
    import ssl
    from collections.abc import Iterator

_LOOPBACK: Final = "127.0.0.1"
#: PostgreSQL's protocol, "SSLRequest": its length and its code.
_SSL_REQUEST: Final = struct.pack("!II", 8, 80877103)
_ENCRYPTING: Final = frozenset({"require", "verify-ca", "verify-full"})


@contextmanager
def without_tls(url: DirectUrl) -> Iterator[DirectUrl]:
    """Yield a URL on loopback that leads to the same database, where the given one insists on TLS.

    What comes in is sent on through TLS, once everything was checked that the URL asks for.

    Raises:
        ConnectionUrlError: A certificate that the URL names cannot be read.
    """
    if url.sslmode not in _ENCRYPTING:
        yield url
        return
    tunnel = _Tunnel(url, url.asyncpg()[1]["ssl"])
    plain = DirectUrl.parse(f"postgresql://user@{_LOOPBACK}/postgres?sslmode=disable")
    try:
        yield plain.replace(
            port=tunnel.port, user=url.user, password=password_of(url) or "", database=url.database
        )
    finally:
        tunnel.close()


class _Tunnel:
    def __init__(self, url: DirectUrl, context: ssl.SSLContext) -> None:
        self._url = url
        self._context = context
        self._listening: Future[tuple[asyncio.AbstractEventLoop, asyncio.Event, int]] = Future()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._serve()), daemon=True)
        self._thread.start()
        self._loop, self._closed, self.port = self._listening.result()

    def close(self) -> None:
        self._loop.call_soon_threadsafe(self._closed.set)
        self._thread.join()

    async def _serve(self) -> None:
        try:
            server = await asyncio.start_server(self._forward, _LOOPBACK, 0)
        except OSError as error:
            self._listening.set_exception(error)
            return
        closed = asyncio.Event()
        port = server.sockets[0].getsockname()[1]
        self._listening.set_result((asyncio.get_running_loop(), closed, port))
        await closed.wait()
        server.close()

    async def _forward(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            # A client whose server cannot be had, or proves to be another, sees its connection end.
            with suppress(OSError, EOFError):
                await self._forward_to_server(reader, writer)
        except asyncio.CancelledError:
            writer.transport.abort()
            raise
        writer.close()

    async def _forward_to_server(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        answers, server = await asyncio.open_connection(self._url.host, self._url.port)
        try:
            server.write(_SSL_REQUEST)
            if await answers.readexactly(1) == b"S":
                await server.start_tls(self._context, server_hostname=self._url.host)
                await asyncio.gather(_pump(reader, server), _pump(answers, writer))
        finally:
            # Nobody waits for it to say goodbye, which in TLS takes two.
            server.transport.abort()


async def _pump(source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
    with suppress(OSError):
        while chunk := await source.read(65536):
            target.write(chunk)
            await target.drain()
    target.close()
