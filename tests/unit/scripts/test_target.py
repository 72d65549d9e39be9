"""`--url`: where a connection string may come from, and that none shows a password."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

import pytest
import typer

from infra.branches.provisioning import password_of
from infra.config import Project
from infra.migrate.errors import DirectUrlInvalidError, DirectUrlMissingError
from scripts.target import resolve_target

if TYPE_CHECKING:
    from pathlib import Path

URL = "postgresql://owner:very-secret@db.example.org/shop"


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Project:
    """A project that nothing is pinned for."""
    for name in ("BOUGH_BRANCH", "BOUGH_PROVIDER", "DATABASE_URL_UNPOOLED", "PGPASSWORD"):
        monkeypatch.delenv(name, raising=False)
    return Project(tmp_path, "shop")


class TestResolveTarget:
    """`resolve_target` with a URL given."""

    def test_takes_it_from_a_variable(self, project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
        """Above DATABASE_URL_UNPOOLED; which branch it is the database must say."""
        monkeypatch.setenv("PRODUCTION", URL)
        monkeypatch.setenv("DATABASE_URL_UNPOOLED", URL.replace("shop", "other"))
        found = resolve_target(project, given="env:PRODUCTION")
        assert (found.url.database, password_of(found.url), found.expected) == ("shop", "very-secret", None)

    def test_takes_it_from_stdin(self, project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
        """Its first line."""
        monkeypatch.setattr("sys.stdin", io.StringIO(f"{URL}\n"))
        assert resolve_target(project, given="-").url.database == "shop"

    def test_takes_the_password_from_its_usual_variable(
        self, project: Project, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Which pg_dump would not be given otherwise."""
        monkeypatch.setenv("PGPASSWORD", "pass word")
        found = resolve_target(project, given="postgresql://owner@db.example.org/shop")
        assert password_of(found.url) == "pass word"

    def test_refuses_one_that_shows_its_password(self, project: Project) -> None:
        """And does not show it either."""
        with pytest.raises(DirectUrlInvalidError, match="shows a password") as failure:
            resolve_target(project, given=URL)
        assert "very-secret" not in f"{failure.value} {failure.value.hint}"
        assert "env:NAME" in (failure.value.hint or "")

    def test_refuses_what_is_not_there(self, project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
        """The variable, or anything on stdin."""
        monkeypatch.delenv("PRODUCTION", raising=False)
        monkeypatch.setattr("sys.stdin", io.StringIO(""))
        for given in ("env:PRODUCTION", "-"):
            with pytest.raises(DirectUrlMissingError):
                resolve_target(project, given=given)

    def test_refuses_two_ways_at_once(self, project: Project) -> None:
        """A branch says where to connect, too."""
        with pytest.raises(typer.BadParameter, match="--branch"):
            resolve_target(project, "dev", "env:PRODUCTION")
