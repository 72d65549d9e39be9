"""The handler under `awslambdaric`, AWS's own runtime client, in a process of its own."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import psycopg
import pytest

from api.database.connection_url import PooledUrl
from tests.support.lambda_events import KINDS, function_url
from tests.support.runtime_api_stub import PREFIX, FunctionFailedError, RuntimeFunction

if TYPE_CHECKING:
    from collections.abc import Iterator

    from infra.testing.databases import Database

PROBE = {"BOUGH_APP": "tests.support.probe_app:app"}


@pytest.fixture(scope="module")
def probe() -> Iterator[RuntimeFunction]:
    """The probe application, running."""
    with RuntimeFunction(PROBE) as function:
        yield function


class TestInvocations:
    """Invocations one after the other in one environment."""

    @pytest.mark.parametrize("kind", KINDS)
    def test_request_of_every_kind_is_answered(self, probe: RuntimeFunction, kind: str) -> None:
        """A binary body goes in and comes back."""
        answer = probe.invoke(KINDS[kind]("POST", "/echo", body=bytes(range(256))))
        assert answer["statusCode"] == 200
        assert bytes.fromhex(json.loads(answer["body"])["body"]) == bytes(range(256))

    def test_loop_is_one_for_all(self, probe: RuntimeFunction) -> None:
        """What one invocation left waiting in the loop, the next one finds."""
        assert len({probe.invoke(function_url("GET", "/loop"))["body"] for _ in range(3)}) == 1

    def test_warm_up_is_answered(self, probe: RuntimeFunction) -> None:
        """A warm-up gets its short answer."""
        assert probe.invoke({"warmup": True}) == {"statusCode": 200, "warm": True}

    def test_unknown_event_is_an_error_without_traceback(self, probe: RuntimeFunction) -> None:
        """Lambda counts an error, its report has one line and no frames, and the environment goes on."""
        with pytest.raises(FunctionFailedError) as caught:
            probe.invoke({"Records": [{"eventSource": "aws:sqs"}]})
        assert caught.value.report["errorType"] == "EventNotHttpError"
        assert caught.value.report["stackTrace"] == []
        assert "an event of: Records" in caught.value.report["errorMessage"]
        assert probe.invoke({"warmup": True})["warm"] is True


class TestOutput:
    """What the function prints."""

    def test_failure_prints_its_metric_and_traceback(self) -> None:
        """A 500 for the client; for CloudWatch the metric's line and the traceback."""
        with RuntimeFunction(PROBE) as function:
            answer = function.invoke(function_url("GET", "/boom"))
            out = function.stop()
        assert (answer["statusCode"], json.loads(answer["body"])["code"]) == (500, "INTERNAL_ERROR")
        (metric,) = [json.loads(line) for line in out.splitlines() if line.startswith('{"_aws"')]
        assert (metric["ServerErrors"], metric["FunctionName"]) == (1, "bough-test")
        assert out.count("RuntimeError: ") == 1

    def test_application_without_database_serves_and_logs(self) -> None:
        """The real application starts without DATABASE_URL, names the request, logs one JSON line each."""
        with RuntimeFunction({"BOUGH_ENVIRONMENT": "test"}) as function:
            health = function.invoke(function_url("GET", "/healthz"))
            missing = function.invoke(function_url("GET", "/nowhere?token=hunter2"))
            ready = function.invoke(function_url("GET", "/readyz"))
            out = function.stop()
        lines = [json.loads(line) for line in out.splitlines()]
        logged = [(line["status"], line["cold_start"]) for line in lines if "cold_start" in line]
        assert [health["statusCode"], missing["statusCode"], ready["statusCode"]] == [200, 404, 503]
        assert missing["isBase64Encoded"] is False
        assert json.loads(missing["body"])["code"] == "NOT_FOUND"
        assert json.loads(ready["body"])["database"]["detail"].startswith("DATABASE_URL: ")
        assert "SETTINGS_INVALID: DATABASE_URL: is not set" in [line.get("message") for line in lines]
        assert logged == [(200, True), (404, False), (503, False)]
        counted = [(line["ColdStarts"], line["ServerErrors"]) for line in lines if "_aws" in line]
        assert counted == [(1, 0), (0, 0), (0, 1)]
        assert lines[0]["request_id"] == health["headers"]["x-request-id"]

    def test_application_that_does_not_import_is_reported(self) -> None:
        """The report says which module failed and why."""
        with RuntimeFunction({"BOUGH_APP": "no_such_package.app:app"}) as function:
            report = function.init_error()
            function.stop()
        assert report["errorType"] == "Runtime.ImportModuleError"
        assert "no_such_package" in report["errorMessage"]


class TestSnapStart:
    """Between snapshot and restore."""

    @pytest.fixture
    def environment(self, empty_database: Database) -> dict[str, str]:
        """Settings for an application that connects past the pooler, where one sees its backends."""
        url = PooledUrl.parse(empty_database.direct.libpq())
        return {
            "BOUGH_APP": "tests.support.snapshot_app:app",
            "BOUGH_ENVIRONMENT": "test",
            "DATABASE_URL": url.libpq(),
        }

    def test_snapshot_holds_no_connection(
        self, environment: dict[str, str], empty_database: Database
    ) -> None:
        """What connected during init is closed in the snapshot, and connects anew after the restore."""
        with RuntimeFunction(environment, snapshot=True) as function:
            assert function.snapshot_taken.wait(30)
            during = backends(empty_database)
            function.restore()
            after = function.invoke(function_url("GET", "/backend"))
            out = function.stop()
        before = int(out.partition("connected as ")[2].split()[0])
        assert during == set()
        assert after["statusCode"] == 200
        assert int(after["body"]) != before
        assert function.calls[0] == f"{PREFIX}/restore/next"

    def test_restored_environments_draw_different_numbers(self, environment: dict[str, str]) -> None:
        """Two environments from one snapshot, here from one seed, do not repeat each other."""
        drawn = set()
        for _ in range(2):
            with RuntimeFunction(environment, snapshot=True) as function:
                function.restore()
                drawn.add(function.invoke(function_url("GET", "/random"))["body"])
        assert len(drawn) == 2


def backends(database: Database) -> set[int]:
    """Return the process ids of whoever is connected to the database, ourselves left out."""
    url = database.superuser.psycopg().set(drivername="postgresql").render_as_string(hide_password=False)
    query = "SELECT pid FROM pg_stat_activity WHERE datname = %s AND pid <> pg_backend_pid()"
    with psycopg.connect(url) as connection:
        return {pid for (pid,) in connection.execute(query, [database.name])}
