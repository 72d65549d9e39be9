"""An HTTP server on loopback, for what stands in for somebody else's service."""

from __future__ import annotations

import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Handler(BaseHTTPRequestHandler):
    """Answers requests, and logs none."""

    def log_message(self, *_: object) -> None:
        """Say nothing."""


class LoopbackServer(ThreadingHTTPServer):
    """Serves on a free port, from threads, until it is stopped."""

    daemon_threads = True
    #: Fifty clients at once are not too many.
    request_queue_size = 128

    def __init__(self, handler: type[Handler]) -> None:
        """Listen."""
        super().__init__(("127.0.0.1", 0), handler)
        threading.Thread(target=self.serve_forever, args=(0.01,), daemon=True).start()

    @property
    def url(self) -> str:
        """Scheme, host and port."""
        return f"http://127.0.0.1:{self.server_port}"

    def stop(self) -> None:
        """Refuse connections from now on; twice does no harm."""
        self.shutdown()
        self.server_close()

    def handle_error(self, *_: object) -> None:
        """Say nothing of clients that gave up."""
