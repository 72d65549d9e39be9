"""The access line, and what never gets into a log."""

from __future__ import annotations

import json
import logging
from typing import TYPE_CHECKING, Any

import pytest
from pydantic import TypeAdapter, ValidationError
from starlette.testclient import TestClient

from api.app import create_app
from api.database.request_comment import request_id
from api.database.statistics import statistics
from api.settings import WebSettings
from api.web.request_id import identify
from tests.support.lambda_events import REQUEST_ID, Context

if TYPE_CHECKING:
    from fastapi import FastAPI

logger = logging.getLogger("api.somewhere")


def _app() -> FastAPI:
    app = create_app(WebSettings())

    @app.get("/items/{item}")
    async def item(item: str) -> dict[str, str | None]:
        counted = statistics.get()
        assert counted is not None
        counted.statements += 2
        counted.seconds += 0.0125
        logger.info("found %s", "something")
        return {"id": request_id.get()}

    return app


def lines(capsys: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


class TestAccessLine:
    """One line for each request."""

    def test_line_has_all_fields(self, capsys: pytest.CaptureFixture[str]) -> None:
        """Route and not path, status, durations, database time and statements, request id, cold start."""
        client = TestClient(_app())
        for _ in range(2):
            response = client.get("/items/7f3a", headers={"x-request-id": "abcd-1234"})
        first, second = (line for line in lines(capsys) if line["logger"] == "api.access")
        assert response.json() == {"id": "abcd-1234"}
        assert first.pop("duration_ms") >= 0
        assert first.pop("timestamp").endswith("+00:00")
        assert first == {
            "level": "INFO",
            "message": "request",
            "logger": "api.access",
            "request_id": "abcd-1234",
            "method": "GET",
            "route": "/items/{item}",
            "status": 200,
            "database_ms": 12.5,
            "database_statements": 2,
            "database_round_trips": 0,
            "database_connections": 0,
            "pool_waits": 0,
            "cold_start": True,
        }
        assert second["cold_start"] is False

    def test_unmatched_path_is_logged_short(self, capsys: pytest.CaptureFixture[str]) -> None:
        """Where no route matched, the path is what one wants to know, up to a length."""
        TestClient(_app()).get("/nowhere/" + "x" * 500)
        (line,) = lines(capsys)
        assert line["status"] == 404
        assert line["path"].startswith("/nowhere/x")
        assert len(line["path"]) == 200
        assert "route" not in line

    def test_other_lines_carry_the_request_id(self, capsys: pytest.CaptureFixture[str]) -> None:
        """Any logger under `api` writes JSON with the running request's id."""
        response = TestClient(_app()).get("/items/1")
        (line,) = [line for line in lines(capsys) if line["logger"] == "api.somewhere"]
        assert line["message"] == "found something"
        assert line["request_id"] == response.headers["x-request-id"]

    def test_provisioned_environment_is_not_cold(
        self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        """Nobody waited for the start of a provisioned environment."""
        monkeypatch.setenv("AWS_LAMBDA_INITIALIZATION_TYPE", "provisioned-concurrency")
        TestClient(_app()).get("/items/1")
        assert [line["cold_start"] for line in lines(capsys) if "cold_start" in line] == [False]

    def test_secrets_of_a_request_are_not_logged(self, capsys: pytest.CaptureFixture[str]) -> None:
        """Query string, authorization, cookies, body and path parameters stay out of the log."""
        client = TestClient(_app(), cookies={"session": "hunter2-cookie"})
        client.request(
            "GET",
            "/items/hunter2-path?token=hunter2-query",
            headers={"authorization": "Bearer hunter2-token"},
            content=b"hunter2-body",
        )
        client.post("/nowhere?token=hunter2-query", json={"password": "hunter2-body"})
        out = capsys.readouterr().out
        assert out.count('"message":"request"') == 2
        assert "hunter2" not in out

    def test_statistics_end_with_the_request(self) -> None:
        """Outside a request nobody counts and there is no id."""
        TestClient(_app()).get("/items/1")
        assert statistics.get() is None
        assert request_id.get() is None


class TestTracebacks:
    """How an exception is written down."""

    def _logged(self, error: BaseException, capsys: pytest.CaptureFixture[str]) -> str:
        create_app(WebSettings())
        logger.error("failed", exc_info=error)
        (line,) = lines(capsys)
        return str(line["exception"])

    def test_cause_follows_its_effect(self, capsys: pytest.CaptureFixture[str]) -> None:
        """Outermost first."""
        error = RuntimeError("effect")
        error.__cause__ = LookupError("cause")
        assert self._logged(error, capsys) == "RuntimeError: effect\nfrom:\nLookupError: cause"

    def test_error_that_is_its_own_cause_is_written_once(self, capsys: pytest.CaptureFixture[str]) -> None:
        """`raise error from error` is legal, and must not keep the function busy for ever."""
        error = RuntimeError("round")
        error.__cause__ = error
        assert self._logged(error, capsys) == "RuntimeError: round"

    def test_group_shows_what_is_in_it(self, capsys: pytest.CaptureFixture[str]) -> None:
        """A task group's own message says nothing of why."""
        group = ExceptionGroup("tasks", [LookupError("one"), ValueError("two")])
        logged = self._logged(group, capsys)
        assert "LookupError: one" in logged
        assert "ValueError: two" in logged

    def test_refused_input_is_withheld(self, capsys: pytest.CaptureFixture[str]) -> None:
        """A validation error quotes what it refuses."""
        secret = "hunter2"
        with pytest.raises(ValidationError) as caught:
            TypeAdapter(int).validate_python(secret)
        assert secret in str(caught.value)
        logged = self._logged(caught.value, capsys)
        assert "ValidationError" in logged
        assert secret not in logged


class TestIdentify:
    """Where the request id comes from."""

    def test_lambda_id_comes_first(self) -> None:
        """The invocation's id, by which CloudWatch finds it, wins over the caller's."""
        scope = {"headers": [(b"x-request-id", b"from-caller")], "aws.context": Context()}
        assert identify(scope) == REQUEST_ID

    @pytest.mark.parametrize(
        "sent", [b"a b c d e f g h", b'x" "forged": "1', b"short", b"x" * 200, b"line\nbreak"]
    )
    def test_unsound_id_is_replaced(self, sent: bytes) -> None:
        """What could forge a log line, or is too short or long to be an id, is not taken over."""
        given = identify({"headers": [(b"x-request-id", sent)]})
        assert given.encode() != sent
        assert len(given) == 36
