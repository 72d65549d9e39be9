"""The artifact that is live beside the project as it is now, both packaged for real."""

from __future__ import annotations

import subprocess
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from infra.aws.artifact import build_folder
from infra.config import load_project
from infra.migrate.history import Revision
from infra.migrate.records import Release
from infra.migrate.rehearsal.compatibility import comparison
from infra.migrate.rehearsal.results import Outcome

PASSED, FAILED, SKIPPED = Outcome.PASSED, Outcome.FAILED, Outcome.SKIPPED

#: A project without any dependency, and so without tables.
PROJECT = """
[project]
name = "shop"
version = "1"
[tool.bough]
app = "shop:app"
handler = "shop.handler"
[tool.bough.smoke]
checks = ["/ok"]
"""
LOCK = """
version = 1
requires-python = ">=3.11"
[[package]]
name = "shop"
version = "1"
source = { virtual = "." }
"""
HANDLER = """
def handler(event, context):
    return {"statusCode": 200 if event["rawPath"] == "/ok" else 404}
"""


@pytest.fixture
def project(tmp_path):
    """A project whose handler answers `/ok`."""
    (tmp_path / "pyproject.toml").write_text(PROJECT)
    (tmp_path / "uv.lock").write_text(LOCK)
    (tmp_path / "shop.py").write_text(HANDLER)
    return load_project(tmp_path)


def outcomes(checks):
    return {check.name: check.outcome for check in checks}


class TestComparison:
    def test_each_code_answers_for_itself(self, project, tmp_path, empty_database):
        """The deployed code as it was packaged, the new one as the project is now."""
        live = build_folder(project, tmp_path / "live").folder
        (tmp_path / "shop.py").write_text(HANDLER.replace("/ok", "/other"))
        release = Release(None, frozenset(), str(live), datetime.now(UTC))
        with comparison(project, empty_database.pooled) as compared:
            compared.before(release)
            checks = compared.after()
        assert outcomes(checks) == {
            "deployed code: tables": SKIPPED,
            "deployed code: smoke checks": PASSED,
            "new code: tables": SKIPPED,
            "new code: smoke checks": FAILED,
        }
        assert "has the artifact SQLAlchemy?" in checks[0].detail

    def test_what_cannot_be_tried_is_said(self, project, tmp_path, empty_database):
        """Code that nobody recorded, and code that needs revisions which do not run."""
        later = Revision("two", "", "expand", tmp_path / "two.py")
        with comparison(project, empty_database.pooled) as compared:
            compared.before(None, later=(later,))
            checks = compared.after()
        assert outcomes(checks) == {"deployed code": SKIPPED, "new code": SKIPPED}
        assert "bough migrate live --record" in checks[0].detail
        assert checks[1].detail == "it needs two, which was not rehearsed"

    def test_what_cannot_be_packaged_is_said(self, project, tmp_path, empty_database):
        """Neither for nor against the revisions. What a killed rehearsal has packaged is deleted."""
        with subprocess.Popen(["true"]) as ended:
            left = tmp_path / ".bough" / f"rehearsed-{ended.pid}-0a1b2c3d"
        left.mkdir(parents=True)
        fingerprint = left.with_name(f"{left.name}.fingerprint")
        fingerprint.touch()
        with comparison(replace(project, app="missing:app"), empty_database.pooled) as compared:
            compared.before(None)
            checks = compared.after()
        assert outcomes(checks) == {"deployed code": SKIPPED, "new code": SKIPPED}
        assert "set app under [tool.bough]" in checks[1].detail
        assert not left.exists()
        assert not fingerprint.exists()
