"""`bough migrate live`: what it shows, and what it takes down."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from infra.migrate import runner

if TYPE_CHECKING:
    from pathlib import Path

    from infra.testing.databases import Database
    from tests.support.histories import History

BUILD = "HEAD: str | None = {!r}\nNEEDED: str | None = {!r}\nREVISIONS: tuple[str, ...] = {!r}\n"


@pytest.fixture
def at(history: History, empty_database: Database) -> dict[str, str]:
    """The environment that names a database, which has a history's three revisions."""
    history.write_three_tables()
    runner.apply(history.project, empty_database.direct)
    return {"DATABASE_URL_UNPOOLED": empty_database.direct.libpq()}


class TestLive:
    """`live`."""

    def test_shows_that_nothing_is_recorded(self, on_history, at) -> None:
        """Said on stderr, with the command; scripts read null."""
        code, out, err = on_history("live", "-o", "json", **at)
        assert (code, json.loads(out)["head"]) == (0, None)
        assert "Nobody has said which code is live; say it with: bough migrate live --record" in err

    def test_records_this_checkout(self, on_history, at) -> None:
        """Only when somebody says that it is what was deployed."""
        code, _, err = on_history("live", "--record", **at, CI="1")
        assert (code, "This checkout's head three is taken for what is deployed." in err) == (2, True)
        code, out, _ = on_history("live", "--record", "--yes", "-o", "json", **at)
        assert code == 0
        assert json.loads(out)["revisions"] == ["one", "three", "two"]

    def test_records_an_earlier_head(self, on_history, at) -> None:
        """Who names it is not asked; the database may be one that no provider hosts."""
        plain = {"PLAIN": at["DATABASE_URL_UNPOOLED"], "CI": "1"}
        code, out, _ = on_history("live", "--record", "--head", "two", "--url", "env:PLAIN", **plain)
        assert code == 0
        assert ["head", "two"] in [line.split() for line in out.splitlines()]

    def test_records_an_artifact_by_what_it_says(self, on_history, at, tmp_path: Path) -> None:
        """Its revisions are those that it was built with."""
        (tmp_path / "out" / "api").mkdir(parents=True)
        (tmp_path / "out" / "api" / "build.py").write_text(BUILD.format("two", "two", ("one", "two")))
        code, out, _ = on_history("live", "--record", "--artifact", "out", "-o", "json", **at)
        assert code == 0
        found = json.loads(out)
        assert (found["head"], found["artifact"]) == ("two", str(tmp_path / "out"))

    def test_refuses_a_folder_that_is_no_artifact(self, on_history, at) -> None:
        """Nothing is recorded of it."""
        code, _, err = on_history("live", "--record", "--artifact", "migrations", **at)
        assert (code, "does not say which revisions it was built with" in err) == (1, True)

    def test_refuses_what_to_record_without_record(self, on_history, at) -> None:
        """Who forgot the option learns it."""
        code, _, err = on_history("live", "--head", "two", **at)
        assert (code, "only with --record" in err) == (2, True)
