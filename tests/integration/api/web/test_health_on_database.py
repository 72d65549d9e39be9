"""Readiness as a real database answers it, through the handler and the pooler."""

from __future__ import annotations

import json
import sys
from types import ModuleType
from typing import TYPE_CHECKING, Any

import psycopg
import pytest

from api.settings import get_settings
from tests.support.handler_copy import handler_around
from tests.support.lambda_events import Context, function_url

if TYPE_CHECKING:
    from collections.abc import Iterator

    from infra.testing.databases import Database


@pytest.fixture
def handler(empty_database: Database, monkeypatch: pytest.MonkeyPatch) -> Iterator[ModuleType]:
    """The handler on an empty database."""
    monkeypatch.setenv("DATABASE_URL", empty_database.pooled.libpq())
    monkeypatch.setenv("BOUGH_ENVIRONMENT", "test")
    get_settings.cache_clear()
    with handler_around("api.app:app") as module:
        yield module
    get_settings.cache_clear()


@pytest.fixture
def built(monkeypatch: pytest.MonkeyPatch) -> None:
    """The constants of an artifact built at revision b2."""
    module = ModuleType("api.build")
    vars(module).update(APP="api.app:app", HEAD="b2", NEEDED="b2", REVISIONS=("a1", "b2"))
    monkeypatch.setitem(sys.modules, "api.build", module)


def readyz(handler: ModuleType, context: Context | None = None) -> tuple[int, dict[str, Any]]:
    answer = handler.handler(function_url("GET", "/readyz"), context or Context())
    return answer["statusCode"], json.loads(answer["body"])


def run(database: Database, *statements: str) -> None:
    with psycopg.connect(
        database.direct.psycopg().set(drivername="postgresql").render_as_string(False)
    ) as connection:
        for statement in statements:
            connection.execute(statement)


REVISIONS = (
    "CREATE TABLE bough_revision (id text PRIMARY KEY, phase text, applied_at timestamptz DEFAULT now())",
    "INSERT INTO bough_revision VALUES ('a1', 'expand'), ('b2', 'expand')",
)


class TestReadyz:
    """What /readyz finds."""

    def test_source_checkout_is_ready_with_a_database(
        self, handler: ModuleType, capsys: pytest.CaptureFixture[str]
    ) -> None:
        """The database answers and the role's timeouts hold, found out with one statement."""
        status, found = readyz(handler)
        assert (status, found["status"]) == (200, "ready")
        assert found["database"]["status"] == found["timeouts"]["status"] == "ok"
        assert found["schema"]["status"] == "skipped"
        (line,) = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
        assert line["database_statements"] == 1

    @pytest.mark.usefixtures("built")
    def test_artifact_with_its_head_applied_is_ready(
        self, handler: ModuleType, empty_database: Database, capsys: pytest.CaptureFixture[str]
    ) -> None:
        """All three checks with one statement, also after a newer expand."""
        run(empty_database, *REVISIONS, "INSERT INTO bough_revision VALUES ('c3', 'expand')")
        status, found = readyz(handler)
        assert (status, found["schema"]) == (200, {"status": "ok", "detail": None})
        (line,) = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
        assert line["database_statements"] == 1

    @pytest.mark.usefixtures("built")
    def test_newer_contract_is_not_ready(self, handler: ModuleType, empty_database: Database) -> None:
        """Old code after a contract it does not know."""
        run(empty_database, *REVISIONS, "INSERT INTO bough_revision VALUES ('c3', 'contract')")
        status, found = readyz(handler)
        assert (status, found["schema"]["status"]) == (503, "failed")
        assert "c3" in found["schema"]["detail"]

    @pytest.mark.usefixtures("built")
    @pytest.mark.parametrize("remaining_milliseconds", [35_000, 5_000])
    def test_never_migrated_database_is_not_ready(
        self, handler: ModuleType, remaining_milliseconds: int
    ) -> None:
        """Without the table the schema check fails with that reason; the others still answer."""
        status, found = readyz(handler, Context(remaining_milliseconds=remaining_milliseconds))
        assert (status, found["status"]) == (503, "not_ready")
        assert found["timeouts"]["status"] == "ok"
        assert 'relation "bough_revision" does not exist' in found["schema"]["detail"]

    def test_role_without_timeout_is_not_ready(
        self, handler: ModuleType, empty_database: Database, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A limit longer than the settings' is found."""
        monkeypatch.setenv("BOUGH_STATEMENT_TIMEOUT", "1")
        get_settings.cache_clear()
        status, found = readyz(handler)
        assert (status, found["timeouts"]["status"]) == (503, "failed")
        assert "expected at most 1000 ms" in found["timeouts"]["detail"]

    def test_unreachable_database_is_not_ready(
        self, handler: ModuleType, empty_database: Database, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Nobody listens: 503 with a code, and neither host nor user in the answer."""
        monkeypatch.setenv("DATABASE_URL", empty_database.pooled.replace(port=1).libpq())
        get_settings.cache_clear()
        status, found = readyz(handler)
        assert (status, found["database"]) == (503, {"status": "failed", "detail": "DATABASE_UNAVAILABLE"})
        assert found["timeouts"]["status"] == found["schema"]["status"] == "skipped"
