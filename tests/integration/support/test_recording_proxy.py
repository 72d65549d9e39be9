from __future__ import annotations

import json

import httpx2
import pytest

from tests.support import exchanges
from tests.support.loopback_server import Handler, LoopbackServer
from tests.support.published_schema import PublishedSchema
from tests.support.recording_proxy import Exchange, RecordingProxy

NUMBER = {"type": "object", "required": ["n"], "properties": {"n": {"type": "integer"}}}
CONTENT = {"application/json": {"schema": NUMBER}}
SCHEMA = PublishedSchema(
    {
        "paths": {
            "/number": {
                "get": {"responses": {"200": {"content": CONTENT}}},
                "post": {"requestBody": {"content": CONTENT}, "responses": {"200": {"content": CONTENT}}},
                "delete": {"responses": {"204": {"description": "Gone"}}},
            }
        }
    }
)


class Numbers(Handler):
    """Answers a number, echoes one, forgets it; drops what it is sent by PUT."""

    def do_GET(self):  # noqa: N802  as BaseHTTPRequestHandler has it
        self._answer(200, {"n": "one" if "wrong" in self.headers else 1})

    def do_POST(self):  # noqa: N802  as BaseHTTPRequestHandler has it
        self._answer(200, json.loads(self.rfile.read(int(self.headers["Content-Length"]))))

    def do_DELETE(self):  # noqa: N802  as BaseHTTPRequestHandler has it
        self.send_response(204)
        self.end_headers()

    def do_PUT(self):  # noqa: N802  as BaseHTTPRequestHandler has it
        self.close_connection = True

    def _answer(self, status, record):
        body = json.dumps(record).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("X-Seen", self.path)
        self.end_headers()
        self.wfile.write(body)


@pytest.fixture(scope="module")
def server():
    server = LoopbackServer(Numbers)
    yield server
    server.stop()


@pytest.fixture
def proxy(server):
    proxy = RecordingProxy(f"{server.url}/api/v2", SCHEMA)
    yield proxy
    proxy.stop()


class TestRecordingProxy:
    def test_passes_requests_and_answers_on_and_keeps_them(self, proxy):
        """Clients see the server as it is, on one kept connection; the exchanges can be counted."""
        with httpx2.Client(base_url=proxy.url) as client:
            answer = client.get("/number")
            echoed = client.post("/number", json={"n": 2})
            gone = client.delete("/number")
        assert answer.json() == {"n": 1}
        assert answer.headers["x-seen"] == "/api/v2/number"
        assert echoed.json() == {"n": 2}
        assert (gone.status_code, gone.content) == (204, b"")
        assert proxy.take() == [
            Exchange("GET", "/api/v2/number", "", b"", 200, b'{"n": 1}'),
            Exchange("POST", "/api/v2/number", "", b'{"n":2}', 200, b'{"n": 2}'),
            Exchange("DELETE", "/api/v2/number", "", b"", 204, b""),
        ]
        assert proxy.exchanges == []

    def test_reports_what_is_not_as_documented(self, proxy):
        """The report reaches the end of the test, though the server's thread found it."""
        httpx2.get(f"{proxy.url}/number", headers={"wrong": "1"})
        (problem,) = exchanges.take_problems()
        assert problem.startswith("GET /number -> 200\n  200 n: ")

    def test_leaves_alone_what_is_not_below_the_api(self, proxy):
        """Routes of the server's own, which no provider documents, pass unchecked."""
        httpx2.get(f"{proxy.url.removesuffix('/api/v2')}/faults")
        assert exchanges.take_problems() == []

    def test_drops_what_the_server_drops(self, proxy):
        """A connection that ends without an answer ends so for the client too."""
        with pytest.raises(httpx2.RemoteProtocolError):
            httpx2.put(f"{proxy.url}/number", json={"n": 2})
        assert [each.status for each in proxy.exchanges] == [None]
