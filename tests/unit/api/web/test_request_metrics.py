"""The metrics that the access line carries inside Lambda."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from starlette.testclient import TestClient

from api.app import create_app
from api.database.statistics import count
from api.metrics import AWAKE
from api.settings import WebSettings
from tests.support.handler_copy import metrics
from tests.support.lambda_events import REQUEST_ID, Context

if TYPE_CHECKING:
    from starlette.types import Receive, Scope, Send

#: CloudWatch charges for each: by function all, by version what a release is judged by.
BY_FUNCTION = {
    "Requests": "Count",
    "ServerErrors": "Count",
    "ColdStarts": "Count",
    "Duration": "Milliseconds",
    "DatabaseTime": "Milliseconds",
    "DatabaseRoundTrips": "Count",
    "PoolWaits": "Count",
}
BY_VERSION = ["Requests", "ServerErrors", "Duration"]


def invoked(**members: Any) -> TestClient:
    """Return the app as Mangum calls it, with two routes more."""
    app = create_app(WebSettings())

    @app.get("/items/{item}")
    async def item() -> None:
        count(statements=3, round_trips=6, pool_waits=1)

    @app.get("/broken")
    async def broken() -> None:
        raise RuntimeError("hunter2")

    async def invocation(scope: Scope, receive: Receive, send: Send) -> None:
        await app({**scope, "aws.context": Context(), **members}, receive, send)

    return TestClient(invocation, raise_server_exceptions=False)


@pytest.fixture
def client() -> TestClient:
    """The first requests of an environment."""
    return invoked()


def declared(line: dict[str, Any]) -> dict[tuple[str, ...], dict[str, str]]:
    """Return the units of the metrics by their dimensions."""
    return {
        tuple(dimensions): {metric["Name"]: metric["Unit"] for metric in directive["Metrics"]}
        for directive in line["_aws"]["CloudWatchMetrics"]
        for dimensions in directive["Dimensions"]
    }


class TestMetrics:
    """One line for each request, which is both: log and metrics."""

    def test_access_line_carries_them(self, client: TestClient, capsys: pytest.CaptureFixture[str]) -> None:
        """No line more than without; every value is a member of the line, the route no dimension."""
        client.get("/items/7f3a")
        (text,) = capsys.readouterr().out.splitlines()
        (line,) = metrics(text)
        assert (line["message"], line["route"], line["request_id"]) == (
            "request",
            "/items/{item}",
            REQUEST_ID,
        )
        assert declared(line) == {
            ("FunctionName",): BY_FUNCTION,
            ("FunctionName", "ExecutedVersion"): {name: BY_FUNCTION[name] for name in BY_VERSION},
        }
        assert {name: line[name] for name in BY_FUNCTION if "Time" not in name and name != "Duration"} == {
            "Requests": 1,
            "ServerErrors": 0,
            "ColdStarts": 1,
            "DatabaseRoundTrips": 6,
            "PoolWaits": 1,
        }
        assert (line["Duration"], line["DatabaseTime"]) == (line["duration_ms"], line["database_ms"])
        assert len(text) < 1200

    def test_failure_is_counted_in_the_same_line(
        self, client: TestClient, capsys: pytest.CaptureFixture[str]
    ) -> None:
        """A 500 counts once; a 404 is the client's."""
        client.get("/broken")
        client.get("/nowhere")
        assert [line["ServerErrors"] for line in metrics(capsys.readouterr().out)] == [1, 0]

    def test_environment_that_was_awake_is_no_cold_start(self, capsys: pytest.CaptureFixture[str]) -> None:
        """A warm-up or a job started it, and nobody waited."""
        invoked(**{AWAKE: True}).get("/healthz")
        assert [line["ColdStarts"] for line in metrics(capsys.readouterr().out)] == [0]

    def test_outside_of_lambda_there_are_none(self, capsys: pytest.CaptureFixture[str]) -> None:
        """A server of one's own has no function to name."""
        TestClient(create_app(WebSettings())).get("/healthz")
        assert metrics(capsys.readouterr().out) == []
