"""What the checks of /readyz conclude."""

from __future__ import annotations

from types import ModuleType
from typing import TYPE_CHECKING

import pytest
from starlette.testclient import TestClient

from api.app import create_app
from api.database.timeouts import Timeouts
from api.settings import get_settings
from api.web import health
from api.web.health import Build, check_schema, check_timeouts

if TYPE_CHECKING:
    from collections.abc import Iterator

IN_FORCE = {"statement_timeout": 30_000, "lock_timeout": 5_000, "idle_in_transaction_session_timeout": 30_000}
BUILT = Build("b2", frozenset({"a1", "b2"}))

MISCONFIGURED = "missing or wrong; the log says why"


class TestCheckTimeouts:
    """The server's limits against the settings'."""

    def test_limits_as_provisioned_are_ok(self) -> None:
        """Equal is fine."""
        assert check_timeouts(IN_FORCE, Timeouts()).status == "ok"

    def test_shorter_limit_is_ok(self) -> None:
        """A stricter server is fine."""
        assert check_timeouts({**IN_FORCE, "statement_timeout": 1}, Timeouts()).status == "ok"

    def test_limit_switched_off_fails(self) -> None:
        """0 is PostgreSQL's word for no limit."""
        check = check_timeouts({**IN_FORCE, "lock_timeout": 0}, Timeouts())
        assert (check.status, check.detail) == ("failed", "lock_timeout is off, expected at most 5000 ms")

    def test_longer_limit_fails(self) -> None:
        """A limit past the function's own end is none."""
        check = check_timeouts({**IN_FORCE, "statement_timeout": 60_000}, Timeouts())
        assert check.detail == "statement_timeout is 60000 ms, expected at most 30000 ms"


class TestCheckSchema:
    """The applied revisions against the code's."""

    def test_source_checkout_is_skipped(self) -> None:
        """Without a build there is nothing to compare."""
        assert check_schema(None, None).status == "skipped"

    def test_applied_expand_is_ok(self) -> None:
        """The newest expand that the code was built with is there."""
        assert check_schema({"a1": "expand", "b2": "expand"}, BUILT).status == "ok"

    @pytest.mark.parametrize("applied", [{"a1": "expand", "b2": "expand"}, {"a1": "expand"}])
    def test_own_contract_may_be_applied_or_wait(self, applied: dict[str, str]) -> None:
        """It waits until this code is live."""
        build = Build("a1", frozenset({"a1", "c2"}))
        assert check_schema(applied, build).status == "ok"
        assert check_schema({**applied, "c2": "contract"}, build).status == "ok"

    def test_code_of_contracts_alone_is_ok(self) -> None:
        """A taken over history may begin with one."""
        assert check_schema({}, Build(None, frozenset({"c2"}))).status == "ok"

    def test_newer_expand_is_ok(self) -> None:
        """Old code keeps running while newer code's expand revisions are applied."""
        assert check_schema({"a1": "expand", "b2": "expand", "c3": "expand"}, BUILT).status == "ok"

    def test_newer_contract_fails(self) -> None:
        """A contract revision that the code does not know may have taken what it needs."""
        check = check_schema({"a1": "expand", "b2": "expand", "c3": "contract"}, BUILT)
        assert (check.status, check.detail) == ("failed", "contract revisions newer than this code: c3")

    def test_missing_expand_fails(self) -> None:
        """Code ahead of its database names the revision and the command."""
        check = check_schema({"a1": "expand"}, BUILT)
        assert (check.status, check.detail) == (
            "failed",
            "revision b2 is not applied; run: bough migrate apply",
        )

    def test_unreadable_table_fails_with_the_reason(self) -> None:
        """Why the revisions cannot be read is told."""
        check = check_schema('relation "bough_revision" does not exist', BUILT)
        assert check.status == "failed"
        assert 'relation "bough_revision" does not exist' in (check.detail or "")


class TestBuild:
    """What the artifact says about itself."""

    def test_source_checkout_has_none(self) -> None:
        """There is no `api.build` in a source checkout."""
        assert health.build() is None

    @pytest.mark.parametrize(("head", "expected"), [(None, None), ("b2", BUILT)])
    def test_constants_are_read(
        self, monkeypatch: pytest.MonkeyPatch, head: str | None, expected: Build | None
    ) -> None:
        """The generated constants; none for a project without migrations."""
        module = ModuleType("api.build")
        vars(module).update(HEAD=head, NEEDED=head, REVISIONS=("a1", "b2"))
        monkeypatch.setitem(__import__("sys").modules, "api.build", module)
        assert health.build() == expected


class TestRoutesWithoutDatabase:
    """Answers when there is no database."""

    @pytest.fixture(autouse=True)
    def no_settings(self, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
        """Leave the environment without a database."""
        monkeypatch.delenv("DATABASE_URL", raising=False)
        monkeypatch.setenv("BOUGH_ENVIRONMENT", "test")
        get_settings.cache_clear()
        yield
        get_settings.cache_clear()

    def test_healthz_needs_no_database(self) -> None:
        """The process is up, whatever the database does."""
        response = TestClient(create_app()).get("/healthz")
        assert (response.status_code, response.json()) == (200, {"status": "ok"})

    def test_readyz_names_the_missing_variable(self) -> None:
        """503, and what to set."""
        response = TestClient(create_app()).get("/readyz")
        assert response.status_code == 503
        assert response.headers["cache-control"] == "no-store"
        assert response.json() == {
            "status": "not_ready",
            "database": {"status": "failed", "detail": f"DATABASE_URL: {MISCONFIGURED}"},
            "timeouts": {"status": "skipped", "detail": "the database was not asked"},
            "schema": {"status": "skipped", "detail": "the database was not asked"},
        }

    def test_readyz_leaves_the_reason_to_the_log(
        self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        """The host in a refused URL is for its owner's eyes."""
        monkeypatch.setenv("DATABASE_URL", "postgresql://u:p@ep-a-1.us-east-2.aws.neon.tech/db")
        response = TestClient(create_app()).get("/readyz")
        assert response.json()["database"]["detail"] == f"DATABASE_URL: {MISCONFIGURED}"
        assert "use the host ep-a-1-pooler" in capsys.readouterr().out
