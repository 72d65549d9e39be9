"""HTTP to Function URL events, and results back to HTTP."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest

from infra.aws.function_url import MalformedResponseError, Request, event, response


def request(**changes: Any) -> Request:
    """Return a request, with changes."""
    values: dict[str, Any] = {
        "method": "GET",
        "path": "/",
        "query": "",
        "headers": (("host", "localhost:8000"),),
        "body": b"",
        "client": "127.0.0.1",
        "port": 8000,
    }
    return Request(**(values | changes))


def result(**fields: Any) -> bytes:
    """Return a function's result as the runtime posts it."""
    return json.dumps({"statusCode": 200, **fields}).encode()


class TestEvent:
    """`event`."""

    def test_keeps_path_and_query_as_they_came(self) -> None:
        """Nothing is decoded on the way: %2F is not a slash, + is not a space."""
        made = event(request(path="/a%2Fb%20c", query="q=1+2&r=%26"), "id")
        assert made["rawPath"] == made["requestContext"]["http"]["path"] == "/a%2Fb%20c"
        assert made["rawQueryString"] == "q=1+2&r=%26"
        assert made["queryStringParameters"] == {"q": "1 2", "r": "&"}

    def test_joins_what_comes_twice_with_commas(self) -> None:
        """Payload format 2.0 has no multi-value fields."""
        headers = (("accept", "a"), ("accept", "b"))
        made = event(request(query="x=1&x=2&y=", headers=headers), "id")
        assert made["queryStringParameters"] == {"x": "1,2", "y": ""}
        assert made["headers"]["accept"] == "a,b"

    def test_takes_cookies_out_of_the_headers(self) -> None:
        """All cookie headers become one list."""
        headers = (("cookie", "a=1; b=2"), ("cookie", "c=3"))
        made = event(request(headers=headers), "id")
        assert made["cookies"] == ["a=1", "b=2", "c=3"]
        assert "cookie" not in made["headers"]

    def test_leaves_out_what_the_request_has_not(self) -> None:
        """Absent, not empty, as on Lambda."""
        assert not event(request(), "id").keys() & {"body", "cookies", "queryStringParameters"}

    def test_says_how_the_client_came_whatever_it_claims(self) -> None:
        """Forwarding headers are the front's, not the client's."""
        headers = (("x-forwarded-for", "1.2.3.4"), ("x-forwarded-proto", "https"))
        made = event(request(headers=headers), "id")["headers"]
        assert made["x-forwarded-for"] == "127.0.0.1"
        assert (made["x-forwarded-proto"], made["x-forwarded-port"]) == ("http", "8000")

    @pytest.mark.parametrize(
        "content_type",
        ["application/json", "text/html; charset=utf-8", "application/problem+json", "APPLICATION/XML"],
    )
    def test_sends_text_as_text(self, content_type: str) -> None:
        """Text types travel as they are."""
        made = event(request(body="é".encode(), headers=(("content-type", content_type),)), "id")
        assert (made["body"], made["isBase64Encoded"]) == ("é", False)

    @pytest.mark.parametrize(
        ("content_type", "body"),
        [
            ("application/x-www-form-urlencoded", b"a=1"),
            ("image/png", b"\x89PNG"),
            ("application/json", b"\xff\xfe"),
            ("", b"anything"),
        ],
    )
    def test_sends_everything_else_in_base64(self, content_type: str, body: bytes) -> None:
        """Forms, binaries, text that is not UTF-8 and bodies without a type."""
        made = event(request(body=body, headers=(("content-type", content_type),)), "id")
        assert made["isBase64Encoded"] is True
        assert base64.b64decode(made["body"]) == body


class TestResponse:
    """`response`."""

    def test_passes_status_headers_cookies_and_body(self) -> None:
        """Each cookie is a header of its own."""
        got = response(result(statusCode=201, headers={"X-A": "1"}, cookies=["a=1", "b=2"], body="é"))
        assert got.status == 201
        assert got.body == "é".encode()
        assert got.headers == (
            ("x-a", "1"),
            ("content-type", "application/json"),
            ("set-cookie", "a=1"),
            ("set-cookie", "b=2"),
        )

    def test_decodes_base64(self) -> None:
        """Binary bodies come back as bytes."""
        body = base64.b64encode(bytes(range(256))).decode()
        got = response(result(body=body, isBase64Encoded=True, headers={"content-type": "image/png"}))
        assert got.body == bytes(range(256))

    @pytest.mark.parametrize(
        ("value", "body"), [({"a": 1}, b'{"a": 1}'), ("hello", b"hello"), ([1], b"[1]"), (None, b"null")]
    )
    def test_infers_a_200_without_a_status_code(self, value: object, body: bytes) -> None:
        """Any JSON is a body; a string is one without its quotes."""
        got = response(json.dumps(value).encode())
        assert (got.status, got.body) == (200, body)
        assert got.headers == (("content-type", "application/json"),)

    @pytest.mark.parametrize("status", [204, 304])
    def test_has_no_body_where_http_has_none(self, status: int) -> None:
        """A body with such a status would end up in the next response."""
        assert response(result(statusCode=status, body="x")).body == b""

    def test_leaves_the_connections_headers_to_the_connection(self) -> None:
        """A wrong length from the function does not garble the connection."""
        got = response(result(headers={"Content-Length": "9", "Connection": "close", "x-a": True}))
        assert got.headers == (("x-a", "true"),)

    @pytest.mark.parametrize(
        "fields",
        [
            {"statusCode": "abc"},
            {"statusCode": None},
            {"statusCode": True},
            {"statusCode": 99},
            {"statusCode": 101},
            {"headers": []},
            {"headers": {"a": {}}},
            {"headers": {"a": "1\r\nb: 2"}},
            {"headers": {"a b": "1"}},
            {"headers": {"a": "\ud800"}},
            {"cookies": ["a=1\r\nb: 2"]},
            {"cookies": "a=1"},
            {"cookies": [1]},
            {"body": {}},
            {"body": "%%%", "isBase64Encoded": True},
        ],
    )
    def test_refuses_a_malformed_result(self, fields: dict[str, Any]) -> None:
        """What Lambda cannot turn into HTTP is an error, not a guess."""
        with pytest.raises(MalformedResponseError):
            response(result(**fields))

    def test_takes_a_status_of_digits(self) -> None:
        """`"404"` is a status."""
        assert response(result(statusCode="404")).status == 404
