"""Events of every kind through the handler, on an application that shows what reached it."""

from __future__ import annotations

import ast
import asyncio
import base64
import json
import random
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.support.handler_copy import handler_around
from tests.support.lambda_events import (
    KINDS,
    REQUEST_ID,
    Context,
    function_url,
    http_api,
    load_balancer,
    rest_api,
)

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import ModuleType

ROOT = Path(__file__).parents[3]


@pytest.fixture
def module() -> Iterator[ModuleType]:
    """A copy of `api.handler` of the test's own, around the probe application."""
    with handler_around("tests.support.probe_app:app") as loaded:
        yield loaded


def call(module: ModuleType, event: Any) -> dict[str, Any]:
    answer = module.handler(event, Context())
    json.dumps(answer)  # as the runtime client does
    return answer


def metrics(out: str) -> list[dict[str, Any]]:
    lines = [json.loads(line) for line in out.splitlines() if line.startswith("{")]
    return [line for line in lines if "_aws" in line]


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


class TestServerErrors:
    """The metric that makes failures visible, which Lambda itself reports as successes."""

    def test_metric_names_function_and_version(
        self, module: ModuleType, capsys: pytest.CaptureFixture[str]
    ) -> None:
        """The line is in CloudWatch's Embedded Metric Format, by function and by version."""
        call(module, function_url("GET", "/boom"))
        (line,) = metrics(capsys.readouterr().out)
        (declared,) = line["_aws"]["CloudWatchMetrics"]
        assert declared["Namespace"] == "bough"
        assert declared["Dimensions"] == [["FunctionName"], ["FunctionName", "ExecutedVersion"]]
        assert declared["Metrics"] == [{"Name": "ServerErrors", "Unit": "Count"}]
        assert (line["FunctionName"], line["ExecutedVersion"], line["ServerErrors"]) == ("bough-test", "7", 1)
        assert line["request_id"] == REQUEST_ID
        assert isinstance(line["_aws"]["Timestamp"], int)

    def test_answer_of_the_app_counts_by_its_status(
        self, module: ModuleType, capsys: pytest.CaptureFixture[str]
    ) -> None:
        """A 503 that the application chose is counted and passed on; a 404 is not counted."""
        assert call(module, function_url("GET", "/unavailable"))["body"] == "later"
        assert len(metrics(capsys.readouterr().out)) == 1
        call(module, function_url("GET", "/problem"))
        assert metrics(capsys.readouterr().out) == []

    def test_failure_after_the_response_keeps_it(
        self, module: ModuleType, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
    ) -> None:
        """A background task that fails is logged and counted; the client still gets the answer."""
        answer = call(module, function_url("GET", "/after"))
        assert (answer["statusCode"], answer["body"]) == (200, '{"done": true}')
        assert len(metrics(capsys.readouterr().out)) == 1
        assert "raised an exception" in caplog.text


class TestLoop:
    """One event loop for the life of the execution environment."""

    def test_invocations_share_one_loop(self, module: ModuleType) -> None:
        """Two invocations run in one loop, and what waited in the first works in the second."""
        first, second = (call(module, function_url("GET", "/loop"))["body"] for _ in range(2))
        assert first == second == str(id(module._loop))

    def test_loop_survives_asyncio_run(self, module: ModuleType) -> None:
        """Somebody's `asyncio.run()` leaves no current loop; the next invocation does not need one."""
        first = call(module, function_url("GET", "/loop"))["body"]
        asyncio.run(asyncio.sleep(0))
        assert call(module, function_url("GET", "/loop"))["body"] == first

    def test_no_code_calls_asyncio_run(self) -> None:
        """Nothing that ships calls `asyncio.run` or makes a runner."""
        found = [
            f"{path.relative_to(ROOT)}:{node.lineno}"
            for path in (ROOT / "api").rglob("*.py")
            for node in ast.walk(ast.parse(path.read_text()))
            if (isinstance(node, ast.Attribute) and ast.unparse(node) in {"asyncio.run", "asyncio.Runner"})
            or (
                isinstance(node, ast.ImportFrom)
                and node.module == "asyncio"
                and {"run", "Runner"} & {a.name for a in node.names}
            )
        ]
        assert found == []


class TestOtherEvents:
    """Events that are not HTTP."""

    @pytest.mark.parametrize(
        "event",
        [
            {"source": "serverless-plugin-warmup"},
            {"warmup": True},
            {"source": "aws.scheduler"},
            {
                "version": "0",
                "id": "53dc4d37-cffa-4f76-80c9-8b7d4a4d2eaa",
                "detail-type": "Scheduled Event",
                "source": "aws.events",
                "account": "123456789012",
                "time": "2026-11-21T14:00:00Z",
                "region": "eu-central-1",
                "resources": ["arn:aws:events:eu-central-1:123456789012:rule/warm"],
                "detail": {},
            },
        ],
    )
    def test_warm_up_is_answered_without_the_app(self, module: ModuleType, event: dict[str, Any]) -> None:
        """Warm-ups get a short answer."""
        assert call(module, event) == {"statusCode": 200, "warm": True}

    @pytest.mark.parametrize(
        "event",
        [
            {"key1": "value1", "key2": "value2"},
            {"task": "migrate"},
            {"warmup": "true"},
            {"Records": [{"eventSource": "aws:sqs", "body": "hello"}]},
            {"Records": [{"cf": {"request": {"uri": "/"}}}]},
            {"version": "2.0", "requestContext": {}},
            {"version": "2.0", "requestContext": {"http": {"method": "GET"}}},
            {"resource": "/", "requestContext": {}},
            {"requestContext": {"elb": {}}, "httpMethod": "GET", "path": "/"},
            {"requestContext": None},
            {},
            [],
            "text",
            None,
            7,
        ],
    )
    def test_unknown_event_is_an_error_of_one_line(
        self, module: ModuleType, event: Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Anything else is an error that says what came and what is taken, and quotes no value."""
        monkeypatch.delitem(module.sys.modules, "awslambdaric.lambda_runtime_exception", raising=False)
        with pytest.raises(module.EventNotHttpError) as caught:
            module.handler(event, Context())
        text = str(caught.value)
        assert text.startswith("this function answers HTTP requests")
        assert "\n" not in text
        assert "hello" not in text


class TestLoadApp:
    """Naming the application."""

    @pytest.mark.parametrize(
        "target", ["", "api.app", ":app", "api.app:", "no.such.module:app", "json:no_such"]
    )
    def test_wrong_name_is_an_import_error(self, module: ModuleType, target: str) -> None:
        """What cannot be loaded is an ImportError, which Lambda reports as such."""
        with pytest.raises(ImportError, match=r"module|attribute"):
            module.load_app(target)

    def test_nested_attribute_is_found(self, module: ModuleType) -> None:
        """`module:object.attribute` works."""
        assert module.load_app("json:decoder.JSONDecoder") is json.JSONDecoder

    def test_build_names_the_app(self, module: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
        """In an artifact the generated constant counts, not the environment."""
        build = type(module)("api.build")
        build.APP = "somewhere:else"  # type: ignore[attr-defined]
        monkeypatch.setitem(module.sys.modules, "api.build", build)
        assert module.app_name() == "somewhere:else"


class TestSnapshotHooks:
    """What runs around a SnapStart snapshot."""

    def test_connections_are_dropped_in_the_loop(
        self, module: ModuleType, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Before the snapshot the engine is disposed of in the loop that its connections belong to."""
        seen = []

        async def dispose() -> None:
            seen.append(asyncio.get_running_loop())

        engine = type(module)("api.database.engine")
        engine.dispose = dispose  # type: ignore[attr-defined]
        monkeypatch.setitem(module.sys.modules, "api.database.engine", engine)
        module.before_snapshot()
        assert seen == [module._loop]

    def test_app_without_this_engine_needs_nothing(
        self, module: ModuleType, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A foreign application has no engine of ours."""
        monkeypatch.delitem(module.sys.modules, "api.database.engine", raising=False)
        module.before_snapshot()

    def test_randomness_is_fresh_after_restore(self, module: ModuleType) -> None:
        """Two environments restored from one state draw different numbers."""
        state = random.getstate()
        module.after_restore()
        first = random.random()
        random.setstate(state)
        module.after_restore()
        assert random.random() != first
