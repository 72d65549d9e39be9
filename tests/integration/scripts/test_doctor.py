"""The `bough doctor` command: what it looks at, what it prints, its exit codes."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING

import pytest

from scripts import cli

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from infra.testing.databases import Database

    Doctor = Callable[..., tuple[int, str, str]]

_VARIABLES = (
    "DATABASE_URL",
    "DATABASE_URL_UNPOOLED",
    "BOUGH_PROVIDER",
    "BOUGH_BRANCH",
    "NEON_API_KEY",
    "NEON_PROJECT_ID",
    "NEON_API_HOST",
)


@pytest.fixture
def doctor(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Doctor:
    """Run the command in an empty project with these variables; return exit code, stdout, stderr."""
    (tmp_path / "pyproject.toml").write_text("[tool.bough]\n")
    monkeypatch.chdir(tmp_path)
    for variable in _VARIABLES:
        monkeypatch.delenv(variable, raising=False)

    def run(*arguments: str, **variables: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["bough", "doctor", *arguments])
        for variable, value in variables.items():
            monkeypatch.setenv(variable, value)
        capfd.readouterr()
        try:
            cli.main()
        except SystemExit as end:
            return int(end.code or 0), *capfd.readouterr()
        return 0, *capfd.readouterr()

    return run


class TestDoctor:
    """`bough doctor`."""

    def test_finds_a_provisioned_database_in_order(self, doctor: Doctor, shared_database: Database) -> None:
        """Every check has a finding; the only warning is of the control plane, which does not run."""
        code, out, err = doctor(
            "-o",
            "json",
            "--pooler-clients",
            "1000",
            DATABASE_URL=shared_database.pooled.libpq(),
            DATABASE_URL_UNPOOLED=shared_database.direct.libpq(),
        )
        document = json.loads(out)
        assert (code, err, document["ok"]) == (0, "", True)
        statuses = {check["name"]: check["status"] for check in document["checks"]}
        assert len(statuses) == 14
        assert {name for name, status in statuses.items() if status != "ok"} == {"provider_token"}

    def test_explains_what_to_start_when_nothing_runs(self, doctor: Doctor, tmp_path: Path) -> None:
        """It ends with 1, and leaves no file behind."""
        code, out, err = doctor()
        assert (code, err) == (1, "")
        lines = out.splitlines()
        assert lines[0].startswith("✓ python ")
        failure, _ = [i for i, line in enumerate(lines) if line.startswith("✗")]
        assert lines[failure].startswith("✗ pooled_url ")
        assert "DATABASE_URL is not set, and no local world is running" in lines[failure]
        assert "fix: start one with `bough up`" in lines[failure + 1]
        assert "! timeouts             not checked: there is no usable DATABASE_URL" in lines
        assert [path.name for path in tmp_path.iterdir()] == ["pyproject.toml"]

    def test_does_not_fail_by_what_may_be_meant_so(self, doctor: Doctor, shared_database: Database) -> None:
        """Warnings alone leave the exit code at 0; no password is in the output."""
        code, out, _ = doctor(
            DATABASE_URL=shared_database.pooled.libpq(), DATABASE_URL_UNPOOLED=shared_database.direct.libpq()
        )
        assert code == 0
        assert "! connection_budget" in out
        for line in (shared_database.pooled.libpq(), shared_database.direct.libpq()):
            assert line.partition("://")[2].partition(":")[2].partition("@")[0] not in out

    def test_compares_limits_with_what_the_application_is_told(
        self, doctor: Doctor, shared_database: Database
    ) -> None:
        """A shorter BOUGH_STATEMENT_TIMEOUT than the role's is a promise that nothing keeps."""
        _, out, _ = doctor(
            BOUGH_STATEMENT_TIMEOUT="5",
            DATABASE_URL=shared_database.pooled.libpq(),
            DATABASE_URL_UNPOOLED=shared_database.direct.libpq(),
        )
        assert "longer than the application is told: statement_timeout 30 s" in out

    @pytest.mark.parametrize("value", ["soon", "-1", "nan"])
    def test_refuses_a_limit_that_is_none(self, doctor: Doctor, value: str) -> None:
        """As the application itself would."""
        code, out, err = doctor(BOUGH_LOCK_TIMEOUT=value)
        assert (code, out) == (2, "")
        assert err.startswith("error[CONFIG_INVALID]: ")

    def test_asks_for_a_token_where_the_provider_needs_one(self, doctor: Doctor) -> None:
        """The variable is named; nothing is asked."""
        _, out, _ = doctor("-o", "json", BOUGH_PROVIDER="neon", NEON_PROJECT_ID="a-b-1")
        found = {check["name"]: check for check in json.loads(out)["checks"]}["provider_token"]
        assert found["status"] == "failed"
        assert found["found"] == "NEON_API_KEY is not set"
