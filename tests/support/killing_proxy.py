"""A proxy before PostgreSQL that kills its client at a chosen message."""

from __future__ import annotations

import os
import select
import signal
import socket
import threading
from enum import Enum
from typing import TYPE_CHECKING, Final, Self

if TYPE_CHECKING:
    from types import TracebackType

#: What ends every answer of the server, but for one byte: ReadyForQuery.
_READY: Final = b"Z\x00\x00\x00\x05"


class Moment(Enum):
    """When the client is killed."""

    MEANWHILE = "as soon as the server has the message"
    ANSWERED = "when the server has done it, and the client does not know"


class KillingProxy:
    """Forwards one connection on loopback, and kills the process behind it with SIGKILL.

    Args:
        port: The server's, on loopback.
        at: Which of the client's messages, from 1; a later one never comes.
        moment: When.

    Attributes:
        port: Where the proxy listens.
        messages: How many came from the client since it was logged in; several sent at once are one.
        victim: The process to kill; nothing is forwarded before it is known.
    """

    def __init__(self, port: int, at: int = 1_000_000, moment: Moment = Moment.ANSWERED) -> None:
        self._upstream, self._at, self._moment = port, at, moment
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self.messages = 0
        self._victim: int | None = None
        self._known = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._known.set()
        self._listener.close()
        self._thread.join(timeout=10)

    def kill_later(self, victim: int) -> None:
        """Say whom to kill."""
        self._victim = victim
        self._known.set()

    def _run(self) -> None:
        try:
            client, _ = self._listener.accept()
        except OSError:
            return
        self._known.wait()
        with client, socket.create_connection(("127.0.0.1", self._upstream)) as server:
            for each in (client, server):
                each.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._forward(client, server)

    def _forward(self, client: socket.socket, server: socket.socket) -> None:
        # Logging in has messages too, which no ReadyForQuery answers.
        logged_in = answered = False
        while True:
            readable, _, _ = select.select([client, server], [], [])
            for source in readable:
                data = source.recv(1 << 16)
                if not data:
                    return
                if source is client:
                    self.messages += answered
                    answered = False
                    due = self.messages == self._at
                    server.sendall(data)
                    if due and self._moment is Moment.MEANWHILE:
                        self._kill()
                        return
                else:
                    ready = data[-6:-1] == _READY
                    logged_in, answered = logged_in or ready, logged_in or ready
                    if ready and self.messages == self._at and self._moment is Moment.ANSWERED:
                        self._kill()
                        return
                    client.sendall(data)

    def _kill(self) -> None:
        assert self._victim is not None
        os.kill(self._victim, signal.SIGKILL)
