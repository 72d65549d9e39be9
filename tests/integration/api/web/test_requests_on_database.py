"""Requests through the handler, the pooler and PostgreSQL: pages, problems, log lines."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import psycopg
import pytest

from api.settings import get_settings
from tests.support.handler_copy import handler_around
from tests.support.lambda_events import Context, function_url

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import ModuleType

    from infra.testing.databases import Database

TABLE = "CREATE TABLE book (id uuid PRIMARY KEY, added_at timestamptz NOT NULL, title text NOT NULL UNIQUE)"
#: Four books a moment, so that pages end in the middle of equal times.
ROWS = """
INSERT INTO book SELECT gen_random_uuid(), timestamptz '2026-11-21' + n / 4 * interval '0.000001 s', 'b' || n
FROM generate_series(0, 49) AS n
"""


@pytest.fixture
def handler(empty_database: Database, monkeypatch: pytest.MonkeyPatch) -> Iterator[ModuleType]:
    """The handler on a database with fifty books."""
    url = empty_database.direct.psycopg().set(drivername="postgresql").render_as_string(hide_password=False)
    with psycopg.connect(url) as connection:
        connection.execute(TABLE)
        connection.execute(ROWS)
    monkeypatch.setenv("DATABASE_URL", empty_database.pooled.libpq())
    monkeypatch.setenv("BOUGH_ENVIRONMENT", "test")
    get_settings.cache_clear()
    with handler_around("tests.support.shelf_app:app") as module:
        yield module
    get_settings.cache_clear()


def call(handler: ModuleType, method: str, path: str, context: Context | None = None, **query: str) -> Any:
    event = function_url(method, path, query={name: [value] for name, value in query.items()})
    answer = handler.handler(event, context or Context())
    return answer["statusCode"], json.loads(answer["body"]), answer["headers"]


class TestPages:
    """Keyset pagination on a real table."""

    @pytest.mark.parametrize("newest", ["true", "false"])
    def test_pages_hold_every_row_once(self, handler: ModuleType, newest: str) -> None:
        """Following the cursors yields all rows once, in order, whatever the direction."""
        titles: list[str] = []
        query = {"limit": "7", "newest": newest}
        while True:
            status, page, _ = call(handler, "GET", "/books", **query)
            assert status == 200
            titles += page["items"]
            if page["next_cursor"] is None:
                break
            query["cursor"] = page["next_cursor"]
        moments = [int(title[1:]) // 4 for title in titles]
        assert len(titles) == len(set(titles)) == 50
        assert moments == sorted(moments, reverse=newest == "true")

    @pytest.mark.parametrize(("limit", "status"), [("1", 200), ("100", 200), ("0", 422), ("101", 422)])
    def test_limit_has_bounds(self, handler: ModuleType, limit: str, status: int) -> None:
        """A page holds from 1 to 100 items."""
        assert call(handler, "GET", "/books", limit=limit)[0] == status

    def test_foreign_cursor_is_a_problem(self, handler: ModuleType) -> None:
        """A cursor that this list did not make is INVALID_CURSOR."""
        status, problem, _ = call(handler, "GET", "/books", cursor="bm90IGl0")
        assert (status, problem["code"]) == (400, "INVALID_CURSOR")


class TestProblems:
    """Errors of a real database."""

    def test_statement_past_the_deadline_is_cancelled(self, handler: ModuleType) -> None:
        """What would outlive the invocation ends in time with a 504, and the next request works."""
        status, problem, _ = call(handler, "GET", "/sleep/20", Context(remaining_milliseconds=2_000))
        assert status == 504
        assert problem["code"] in {"DEADLINE_EXCEEDED", "STATEMENT_TIMEOUT"}
        assert call(handler, "GET", "/books")[0] == 200

    def test_taken_value_is_a_conflict(self, handler: ModuleType) -> None:
        """A unique constraint that no service translated is a 409 without the row's values."""
        status, problem, headers = call(handler, "POST", "/books/b1")
        assert (status, problem["code"]) == (409, "UNIQUE_VIOLATION")
        assert headers["content-type"] == "application/problem+json"
        assert "b1" not in problem["detail"]
        assert call(handler, "POST", "/books/new")[0] == 201


class TestAccessLine:
    """What the log says of the database."""

    def test_line_counts_statements_and_time(
        self, handler: ModuleType, capsys: pytest.CaptureFixture[str]
    ) -> None:
        """The first request makes a connection, the second sends one statement and waits for it."""
        for _ in range(2):
            call(handler, "GET", "/sleep/0.05")
        first, second = (json.loads(line) for line in capsys.readouterr().out.splitlines())
        assert first["database_connections"] == 1
        assert second["database_connections"] == 0
        assert second["database_statements"] == 1
        assert second["duration_ms"] >= second["database_ms"] >= 50
