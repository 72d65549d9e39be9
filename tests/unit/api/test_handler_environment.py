"""What the handler is besides HTTP: errors, the event loop, other events, loading, snapshots."""

from __future__ import annotations

import ast
import asyncio
import json
import random
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from api.metrics import AWAKE
from api.parameters import secret
from tests.support.handler_copy import call, handler_around, metrics
from tests.support.lambda_events import (
    REQUEST_ID,
    Context,
    function_url,
)
from tests.support.parameters_extension import parameters_extension

if TYPE_CHECKING:
    from types import ModuleType

    from mangum.types import Receive, Scope, Send

ROOT = Path(__file__).parents[3]


class TestServerErrors:
    """The metric that makes failures visible, which Lambda itself reports as successes."""

    def test_metric_names_function_and_version(
        self, module: ModuleType, capsys: pytest.CaptureFixture[str]
    ) -> None:
        """The line is in CloudWatch's Embedded Metric Format, by function and by version."""
        call(module, function_url("GET", "/boom"))
        (line,) = metrics(capsys.readouterr().out)
        declared = line["_aws"]["CloudWatchMetrics"]
        assert {each["Namespace"] for each in declared} == {"bough"}
        assert [each["Dimensions"] for each in declared] == [
            [["FunctionName"]],
            [["FunctionName", "ExecutedVersion"]],
        ]
        assert [each["Metrics"] for each in declared] == [[{"Name": "ServerErrors", "Unit": "Count"}]] * 2
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

    @pytest.mark.parametrize(("path", "counted", "lines"), [("/boom", 500, 0), ("/half", 200, 1)])
    def test_request_that_the_app_counted_is_not_counted_again(
        self, module: ModuleType, path: str, counted: int, lines: int, capsys: pytest.CaptureFixture[str]
    ) -> None:
        """The application's own line had it, unless it took for a success what the client got as an error."""

        async def app(scope: Any, receive: Any, send: Any) -> None:
            scope["bough.counted_status"] = counted
            await module._app(scope, receive, send)

        module.Mangum(module.Edge(app), lifespan="off")(function_url("GET", path), Context())
        assert len(metrics(capsys.readouterr().out)) == lines


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

    def test_request_after_a_warm_up_is_no_cold_start(self) -> None:
        """The application is told that the environment was awake."""
        seen = []

        async def app(scope: Scope, receive: Receive, send: Send) -> None:
            seen.append(scope[AWAKE])
            await probe_app(scope, receive, send)

        with handler_around("tests.support.probe_app:app") as module:
            probe_app, module._edge.app = module._edge.app, app
            for event in (function_url("GET", "/echo"), {"warmup": True}, function_url("GET", "/echo")):
                assert call(module, event)["statusCode"] == 200
        assert seen == [False, True]

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
            module.load(target)

    def test_nested_attribute_is_found(self, module: ModuleType) -> None:
        """`module:object.attribute` works."""
        assert module.load("json:decoder.JSONDecoder") is json.JSONDecoder

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

    def test_secrets_are_read_anew_after_restore(
        self, module: ModuleType, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A snapshot may be weeks old."""
        monkeypatch.setenv("SECRET_IN_SNAPSHOT_PARAMETER", "/shop/SECRET_IN_SNAPSHOT")
        with parameters_extension() as extension:
            extension.values["/shop/SECRET_IN_SNAPSHOT"] = "old"
            assert secret("SECRET_IN_SNAPSHOT") == "old"
            extension.values["/shop/SECRET_IN_SNAPSHOT"] = "new"
            module.after_restore()
            assert secret("SECRET_IN_SNAPSHOT") == "new"
