"""An HTTP API on loopback whose answers a test writes down, for what no real one can be made to do."""

from __future__ import annotations

import json
import threading
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, unquote, urlsplit

from tests.support.loopback_server import Handler, LoopbackServer

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping


@dataclass(frozen=True)
class Received:
    """One request: `path` is decoded, `body` read as JSON, or as it is where it is a form."""

    method: str
    path: str
    query: dict[str, str]
    headers: Mapping[str, str]
    body: Any


@dataclass(frozen=True)
class Reply:
    """One answer: `body` is sent as JSON, or as it is when it is text, with `drip` a byte at a time."""

    status: int = 200
    body: Any = None
    headers: Mapping[str, str] = field(default_factory=dict)
    delay: float = 0.0
    drip: float = 0.0


#: The connection is dropped instead of an answer.
DROP = Reply(status=0)


class ScriptedApi(LoopbackServer):
    """Answers as `script` says, and keeps what was asked, in order."""

    def __init__(self, script: Callable[[Received], Reply]) -> None:
        """Listen."""
        self.script = script
        self.received: list[Received] = []
        self._lock = threading.Lock()
        super().__init__(_ScriptedHandler)

    def keep(self, request: Received) -> None:
        """Keep a request."""
        with self._lock:
            self.received.append(request)

    @property
    def asked(self) -> list[str]:
        """Method and path of each request."""
        return [f"{each.method} {each.path}" for each in self.received]


class _ScriptedHandler(Handler):
    protocol_version = "HTTP/1.1"
    # Head and body are two writes; the second would wait 40 ms for the first one's acknowledgement.
    disable_nagle_algorithm = True
    server: ScriptedApi

    def _answer(self) -> None:
        parts = urlsplit(self.path)
        raw = self.rfile.read(int(self.headers.get("Content-Length", "0")))
        request = Received(
            method=self.command,
            path=unquote(parts.path),
            query=dict(parse_qsl(parts.query, keep_blank_values=True)),
            headers=dict(self.headers.items()),
            body=_read(raw, self.headers.get("Content-Type", "")),
        )
        self.server.keep(request)
        reply = self.server.script(request)
        time.sleep(reply.delay)
        if reply is DROP:
            self.close_connection = True
            return
        body = reply.body if isinstance(reply.body, str) else json.dumps(reply.body)
        content = b"" if reply.body is None else body.encode()
        self.send_response(reply.status)
        for name, value in reply.headers.items():
            self.send_header(name, value)
        if reply.status != 204:
            self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        for part in (content,) if not reply.drip else (bytes([each]) for each in content):
            time.sleep(reply.drip)
            self.wfile.write(part)

    do_GET = do_POST = do_PATCH = do_PUT = do_DELETE = _answer  # noqa: N815


def _read(raw: bytes, content_type: str) -> Any:
    if not raw:
        return None
    return raw.decode() if content_type.startswith("application/x-www-form-urlencoded") else json.loads(raw)
