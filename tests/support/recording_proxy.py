"""A reverse proxy on loopback that keeps every exchange and checks it against the published schema."""

from __future__ import annotations

import http.client
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar
from urllib.parse import urlsplit

from tests.support import exchanges
from tests.support.loopback_server import Handler, LoopbackServer
from tests.support.published_schema import SchemaMismatchError

if TYPE_CHECKING:
    from tests.support.published_schema import PublishedSchema

#: Of one hop alone, or written anew by it.
_OWN_HEADERS = {"host", "connection", "keep-alive", "transfer-encoding", "content-length", "date", "server"}

#: Longer than any fault's delay.
_PATIENCE = 120.0


@dataclass(frozen=True, slots=True)
class Exchange:
    """A request and its answer; `status` is `None` when the connection was dropped without one."""

    method: str
    path: str
    query: str
    request_body: bytes
    status: int | None
    response_body: bytes = b""


class RecordingProxy:
    """Stands before a provider's API, under the same path.

    What is not as documented fails the test that runs at the time (`tests/conftest.py`).
    """

    def __init__(self, base_url: str, schema: PublishedSchema | None) -> None:
        """Serve at once, on a free port.

        Args:
            base_url: Of the API, such as `http://127.0.0.1:4010/api/v2`.
            schema: What exchanges below that path are held to; `None` checks nothing.
        """
        upstream = urlsplit(base_url)
        self._prefix = upstream.path.rstrip("/")
        self._schema = schema
        self._lock = threading.Lock()
        self._exchanges: list[Exchange] = []
        bound = {"upstream": upstream.netloc, "record": staticmethod(self._record)}
        self._server = LoopbackServer(type("_BoundHandler", (_ProxyHandler,), bound))

    @property
    def url(self) -> str:
        """The API's base URL through the proxy."""
        return f"{self._server.url}{self._prefix}"

    @property
    def exchanges(self) -> list[Exchange]:
        """Every exchange until now, in the order of their ends."""
        with self._lock:
            return list(self._exchanges)

    def take(self) -> list[Exchange]:
        """Return the exchanges since the last time."""
        with self._lock:
            taken, self._exchanges = self._exchanges, []
        return taken

    def stop(self) -> None:
        """Refuse connections from now on."""
        self._server.stop()

    def _record(self, exchange: Exchange) -> None:
        with self._lock:
            self._exchanges.append(exchange)
        below = exchange.path.startswith(f"{self._prefix}/")
        if self._schema is None or exchange.status is None or not below:
            return
        try:
            self._schema.check_exchange(
                exchange.method,
                exchange.path.removeprefix(self._prefix),
                exchange.query,
                exchange.request_body,
                exchange.status,
                exchange.response_body,
            )
        except SchemaMismatchError as error:
            exchanges.report(str(error))
        except Exception as error:
            # In this thread nobody would see it, and the exchange would count as fit.
            exchanges.report(f"{exchange.method} {exchange.path} cannot be checked: {error!r}")
            raise


class _ProxyHandler(Handler):
    """Passes a request on and its answer back; a dropped connection is dropped here too."""

    protocol_version = "HTTP/1.1"
    # Head and body are two writes; the second would wait 40 ms for the first one's acknowledgement.
    disable_nagle_algorithm = True
    upstream: ClassVar[str]
    record: ClassVar

    def _pass(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        target = urlsplit(self.path)
        connection = http.client.HTTPConnection(self.upstream, timeout=_PATIENCE)
        headers = {name: value for name, value in self.headers.items() if name.lower() not in _OWN_HEADERS}
        try:
            connection.request(self.command, self.path, body or None, headers)
            answer = connection.getresponse()
            content = answer.read()
        except (OSError, http.client.HTTPException):
            self.record(Exchange(self.command, target.path, target.query, body, None))
            self.close_connection = True
            return
        finally:
            connection.close()
        self.record(Exchange(self.command, target.path, target.query, body, answer.status, content))
        self.send_response_only(answer.status)
        for name, value in answer.getheaders():
            if name.lower() not in _OWN_HEADERS - {"date"}:
                self.send_header(name, value)
        if answer.status != http.client.NO_CONTENT:
            self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    do_GET = do_POST = do_PATCH = do_PUT = do_DELETE = _pass  # noqa: N815  as BaseHTTPRequestHandler has it
