"""HTTP events of every kind through the handler, on an application that shows what reached it."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.support.handler_copy import call, metrics
from tests.support.lambda_events import (
    KINDS,
    REQUEST_ID,
    function_url,
    http_api,
    load_balancer,
    rest_api,
)

if TYPE_CHECKING:
    from types import ModuleType

ROOT = Path(__file__).parents[3]


@pytest.mark.parametrize("kind", KINDS)
class TestEveryKind:
    """What must hold for Function URLs, HTTP APIs, REST APIs and load balancers alike."""

    def test_request_arrives_whole(self, module: ModuleType, kind: str) -> None:
        """Method, path, repeated query parameters, headers, cookies and client arrive."""
        event = KINDS[kind](
            "PUT",
            "/things/a b",
            query={"tag": ["x&y", "ü"], "empty": [""]},
            headers={"x-thing": "1"},
            cookies=["a=1", "b=2"],
            body='{"name": "ü"}',
        )
        answer = call(module, event)
        seen = json.loads(answer["body"])
        assert answer["statusCode"] == 200
        assert answer["isBase64Encoded"] is False
        assert (seen["method"], seen["client"]) == ("PUT", "203.0.113.9")
        assert seen["path"].removeprefix(seen["root_path"]) == "/things/a b"
        assert seen["query"] == "tag=x%26y&tag=%C3%BC&empty="
        assert seen["headers"]["x-thing"] == "1"
        assert seen["headers"]["cookie"] == "a=1; b=2"
        assert bytes.fromhex(seen["body"]).decode() == '{"name": "ü"}'

    def test_binary_body_arrives_unchanged(self, module: ModuleType, kind: str) -> None:
        """A base64 body is decoded."""
        answer = call(module, KINDS[kind]("POST", "/upload", body=bytes(range(256))))
        assert bytes.fromhex(json.loads(answer["body"])["body"]) == bytes(range(256))

    def test_binary_response_leaves_as_base64(self, module: ModuleType, kind: str) -> None:
        """Bytes that are no text leave base64-encoded and marked so."""
        answer = call(module, KINDS[kind]("GET", "/binary"))
        assert answer["isBase64Encoded"] is True
        assert base64.b64decode(answer["body"]) == bytes(range(256))

    def test_problem_document_leaves_as_text(self, module: ModuleType, kind: str) -> None:
        """`application/problem+json` is text, not base64."""
        answer = call(module, KINDS[kind]("GET", "/problem"))
        assert (answer["statusCode"], answer["isBase64Encoded"]) == (404, False)
        assert answer["body"] == '{"code": "NOPE"}'

    def test_empty_response_claims_no_type(self, module: ModuleType, kind: str) -> None:
        """A 204 has no content type; Mangum would claim JSON."""
        answer = call(module, KINDS[kind]("GET", "/empty"))
        assert (answer["statusCode"], answer["body"]) == (204, "")
        assert "content-type" not in answer.get("headers", {})
        assert "content-type" not in answer.get("multiValueHeaders", {})

    def test_latin1_header_is_answered(self, module: ModuleType, kind: str) -> None:
        """A header in Latin-1, as frameworks send it, is not an error."""
        answer = call(module, KINDS[kind]("GET", "/latin1"))
        headers = {**answer.get("headers", {}), **answer.get("multiValueHeaders", {})}
        assert answer["statusCode"] == 200
        assert headers["x-name"] in ("café", ["café"])

    @pytest.mark.parametrize("path", ["/boom", "/cancelled", "/half", "/silent"])
    def test_failing_app_is_a_counted_problem(
        self, module: ModuleType, kind: str, path: str, capsys: pytest.CaptureFixture[str]
    ) -> None:
        """An application that raises, stops half-way or says nothing: a 500 problem and one metric line."""
        answer = call(module, KINDS[kind]("GET", path))
        problem = json.loads(answer["body"])
        assert (answer["statusCode"], problem["code"], problem["status"]) == (500, "INTERNAL_ERROR", 500)
        assert problem["request_id"] == REQUEST_ID
        assert "hunter2" not in answer["body"]
        assert len(metrics(capsys.readouterr().out)) == 1

    @pytest.mark.parametrize("host", ["a:b", "a:1:2", "[::1]:8000"])
    def test_unsound_host_is_refused(self, module: ModuleType, kind: str, host: str) -> None:
        """A Host header that Mangum cannot split is a 400 problem, not a failed invocation."""
        event = KINDS[kind]("GET", "/")
        for headers in (event.get("headers", {}), event.get("multiValueHeaders", {})):
            for name in [name for name in headers if name.lower() == "host"]:
                headers[name] = [host] if isinstance(headers[name], list) else host
        answer = call(module, event)
        problem = json.loads(answer["body"])
        assert (answer["statusCode"], problem["status"], problem["code"]) == (400, 400, "BAD_REQUEST")
        assert problem["request_id"] == REQUEST_ID
        assert ("multiValueHeaders" in answer) == ("multiValueHeaders" in event)


class TestCookies:
    """Several cookies and repeated headers in the form that each kind takes."""

    @pytest.mark.parametrize("kind", ["function_url", "http_api"])
    def test_cookies_of_format_2_have_a_list(self, module: ModuleType, kind: str) -> None:
        """Format 2.0 takes cookies apart and joins other headers."""
        answer = call(module, KINDS[kind]("GET", "/cookies"))
        assert answer["cookies"] == ["a=1; Path=/", "b=2; Path=/"]
        assert answer["headers"]["x-tag"] == "one,two"

    @pytest.mark.parametrize("kind", ["rest_api", "load_balancer"])
    def test_cookies_of_format_1_are_multi_value_headers(self, module: ModuleType, kind: str) -> None:
        """REST APIs and load balancers take lists."""
        headers = call(module, KINDS[kind]("GET", "/cookies"))["multiValueHeaders"]
        assert headers["set-cookie"] == ["a=1; Path=/", "b=2; Path=/"]
        assert headers["x-tag"] == ["one", "two"]

    def test_cookies_without_multi_value_headers_all_leave(self, module: ModuleType) -> None:
        """A target group without multi-value headers still gets both cookies, under two spellings."""
        answer = call(module, load_balancer("GET", "/cookies", multi_value=False))
        cookies = [value for name, value in answer["headers"].items() if name.lower() == "set-cookie"]
        assert cookies == ["a=1; Path=/", "b=2; Path=/"]


class TestStage:
    """Routes and links below an API Gateway stage."""

    @pytest.mark.parametrize(
        ("event", "root_path", "path"),
        [
            (http_api("GET", "/dev/users", stage="dev"), "/dev", "/dev/users"),
            (http_api("GET", "/developers", stage="dev"), "", "/developers"),
            (http_api("GET", "/users"), "", "/users"),
            (function_url("GET", "/$default/users"), "", "/$default/users"),
            (rest_api("GET", "/users", stage="dev"), "/dev", "/dev/users"),
            (rest_api("GET", "/users/users", stage="users"), "/users", "/users/users/users"),
            (load_balancer("GET", "/users"), "", "/users"),
        ],
    )
    def test_stage_is_the_root_path(
        self, module: ModuleType, event: dict[str, Any], root_path: str, path: str
    ) -> None:
        """The stage, and nothing that only begins like it, is `root_path`, and `path` includes it."""
        seen = json.loads(call(module, event)["body"])
        assert (seen["root_path"], seen["path"]) == (root_path, path)
