"""A port that serves many projects, told apart by the user `role.<reference>`, as Supavisor's do."""

from __future__ import annotations

import contextlib
import socket
import struct
import threading
from socketserver import BaseRequestHandler, ThreadingTCPServer
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable

#: Requests for TLS and for GSSAPI, which may come before the startup message.
_ENCRYPTION_REQUESTS: Final = {80877103, 80877104}
_PROTOCOL_3: Final = 3
#: What Supavisor passes on; everything else it drops in silence.
_KEPT: Final = {b"database", b"application_name", b"search_path"}


class SharedPooler(ThreadingTCPServer):
    """Forwards each connection to the server of its project, under the role's own name."""

    daemon_threads = True
    allow_reuse_address = True

    def __init__(self, port_of: Callable[[str], int | None]) -> None:
        """Listen on a free port; `port_of` gives the server's port for a project's reference."""
        super().__init__(("127.0.0.1", 0), _Connection)
        self.port_of = port_of
        threading.Thread(target=self.serve_forever, args=(0.01,), daemon=True).start()

    @property
    def port(self) -> int:
        """Where it listens."""
        return int(self.server_address[1])

    def stop(self) -> None:
        """Accept nothing any more."""
        self.shutdown()
        self.server_close()

    def handle_error(self, *_: object) -> None:
        """Say nothing of clients that went away."""


class _Connection(BaseRequestHandler):
    server: SharedPooler
    request: socket.socket

    def handle(self) -> None:
        message = self._startup_message()
        if message is None:
            return
        # Names and values in turn, each ended by a zero, and one zero more.
        words = message.split(b"\0")[:-2]
        parameters = dict(zip(words[::2], words[1::2], strict=True))
        role, _, reference = parameters[b"user"].rpartition(b".")
        port = self.server.port_of(reference.decode()) if role else None
        if port is None:
            self._refuse("(ENOTFOUND) tenant/user not found")
            return
        kept = {b"user": role} | {name: parameters[name] for name in _KEPT & parameters.keys()}
        body = struct.pack("!HH", _PROTOCOL_3, 0) + b"".join(
            name + b"\0" + value + b"\0" for name, value in kept.items()
        )
        with socket.create_connection(("127.0.0.1", port)) as upstream:
            upstream.sendall(struct.pack("!I", len(body) + 5) + body + b"\0")
            back = threading.Thread(target=_pump, args=(upstream, self.request), daemon=True)
            back.start()
            _pump(self.request, upstream)
            back.join()

    def _startup_message(self) -> bytes | None:
        """Return the parameters of the startup message; nothing for a request to cancel."""
        while True:
            length, major = struct.unpack("!II", self._receive(8))
            rest = self._receive(length - 8)
            if major in _ENCRYPTION_REQUESTS:
                self.request.sendall(b"N")
                continue
            return rest if major >> 16 == _PROTOCOL_3 else None

    def _receive(self, count: int) -> bytes:
        received = b""
        while len(received) < count:
            chunk = self.request.recv(count - len(received))
            if not chunk:
                raise ConnectionResetError
            received += chunk
        return received

    def _refuse(self, message: str) -> None:
        fields = f"SFATAL\0CXX000\0M{message}\0".encode()
        self.request.sendall(b"E" + struct.pack("!I", len(fields) + 5) + fields + b"\0")


def _pump(source: socket.socket, target: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while chunk := source.recv(65536):
            target.sendall(chunk)
    with contextlib.suppress(OSError):
        target.shutdown(socket.SHUT_RDWR)
