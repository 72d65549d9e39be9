"""The `bough migrate` command: what it says where, and its exit codes."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING

import pytest

from scripts import cli

if TYPE_CHECKING:
    from collections.abc import Callable

    from infra.testing.databases import Database
    from tests.support.histories import History

    Bough = Callable[..., tuple[int, str, str]]


@pytest.fixture
def bough(history: History, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Bough:
    """Run the command in the project's folder; return exit code, stdout, stderr."""
    monkeypatch.chdir(history.project.root)
    monkeypatch.delenv("DATABASE_URL_UNPOOLED", raising=False)
    history.write("one", None, "op.execute('CREATE TABLE a (id int)')", "op.execute('DROP TABLE a')")
    history.write("two", "one", "pass", phase="contract")

    def run(*arguments: str, url: str | None = None) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["bough", "migrate", *arguments])
        if url is not None:
            monkeypatch.setenv("DATABASE_URL_UNPOOLED", url)
        capfd.readouterr()
        try:
            cli.main()
        except SystemExit as end:
            return int(end.code or 0), *capfd.readouterr()
        return 0, *capfd.readouterr()

    return run


class TestApply:
    """`bough migrate apply`."""

    def test_announces_the_target_without_its_password(self, bough: Bough, empty_database: Database) -> None:
        """On stderr; stdout stays empty."""
        code, out, err = bough("apply", url=empty_database.direct.libpq())
        assert (code, out) == (0, "")
        assert err.splitlines()[0] == f"Migrating {empty_database.direct}"
        assert "Applied one (expand, " in err
        assert err.splitlines()[-1] == "The database is at two"

    def test_says_that_nothing_is_to_do(self, bough: Bough, empty_database: Database) -> None:
        """A second run is no failure."""
        bough("apply", url=empty_database.direct.libpq())
        code, _, err = bough("apply")
        assert code == 0
        assert "Nothing to do" in err

    def test_prints_sql_without_a_database(self, bough: Bough) -> None:
        """The script alone is on stdout."""
        code, out, _ = bough("apply", "--sql")
        assert code == 0
        assert out.startswith("BEGIN;")
        assert "CREATE TABLE a (id int);" in out
        assert "INSERT INTO bough_revision (id, phase) VALUES ('two', 'contract')" in out

    def test_prints_the_sql_of_a_range(self, bough: Bough) -> None:
        """`from:to`."""
        code, out, _ = bough("apply", "--sql", "one:two")
        assert code == 0
        assert "CREATE TABLE a" not in out

    def test_asks_for_a_url(self, bough: Bough) -> None:
        """Neither the environment nor a local world has one: usage, exit 2."""
        code, out, err = bough("apply")
        assert (code, out) == (2, "")
        assert err.startswith("error[DIRECT_URL_MISSING]")
        assert "hint: name one with --branch, or start a local one with: bough up" in err

    def test_refuses_a_pooled_url(self, bough: Bough) -> None:
        """The reason and the fix are told, the password is not."""
        pooled = "postgresql://u:hidden-word@ep-x-y-123-pooler.eu-central-1.aws.neon.tech/db"
        code, _, err = bough("apply", url=pooled)
        assert code == 2
        assert "error[DIRECT_URL_INVALID]" in err
        assert "ep-x-y-123.eu-central-1.aws.neon.tech" in err
        assert "hidden-word" not in err

    def test_fails_with_the_reason(self, bough: Bough, history: History, empty_database: Database) -> None:
        """A failing revision is exit 1 and no traceback."""
        history.write("three", "two", "op.execute('SELECT 1/0')")
        code, _, err = bough("apply", url=empty_database.direct.libpq())
        assert code == 1
        assert "error[REVISION_FAILED]: revision three (three.py, line 12) failed: division by zero" in err
        assert "2 before it stay done" in err
        assert "Traceback" not in err

    def test_reports_as_json(self, bough: Bough, history: History, empty_database: Database) -> None:
        """What ran, what waits and why; who named a revision that waits is told by the exit code."""
        history.write("three", "two", "pass", phase="contract")
        bough("apply", "two", url=empty_database.direct.libpq())
        code, out, err = bough("apply", "-o", "json")
        report = json.loads(out)
        assert code == 0
        assert report["revisions"] == []
        assert report["current"] == ["two"]
        assert report["held_back"] == [{"id": "three", "message": "Revision three.", "phase": "contract"}]
        assert "bough migrate live --record" in report["why"]
        assert f"Held back three: {report['why']}" in err
        assert bough("apply", "three")[0] == 3


class TestStatus:
    """`bough migrate status`."""

    def test_lists_pending_as_json(self, bough: Bough, empty_database: Database) -> None:
        """The contract that scripts read."""
        code, out, _ = bough("status", "-o", "json", url=empty_database.direct.libpq())
        assert code == 0
        assert json.loads(out) == {
            "database": str(empty_database.direct),
            "current": [],
            "head": "two",
            "pending": [
                {"id": "one", "message": "Revision one.", "phase": "expand"},
                {"id": "two", "message": "Revision two.", "phase": "contract"},
            ],
            "held_back": [],
            "why": None,
            "half_done": [],
            "unknown": [],
            "live": None,
            "last_rehearsal": None,
        }

    def test_shows_a_table(self, bough: Bough, empty_database: Database) -> None:
        """For people."""
        _, out, _ = bough("status", url=empty_database.direct.libpq())
        assert "two (contract)" in out

    def test_says_what_waits_and_what_is_live(
        self, bough: Bough, history: History, empty_database: Database
    ) -> None:
        """A contract revision waits for code that knows it."""
        history.write("three", "two", "pass", phase="contract")
        bough("apply", "two", url=empty_database.direct.libpq())
        bough("live", "--record", "--head", "two")
        _, out, _ = bough("status")
        assert "three (contract, waits)" in out
        assert "deploy first" in out
        found = json.loads(bough("status", "-o", "json")[1])
        assert (found["held_back"], found["live"]["head"]) == (["three"], "two")


class TestRollback:
    """`bough migrate rollback`."""

    def test_needs_yes_without_a_terminal(self, bough: Bough, empty_database: Database) -> None:
        """It drops data: nothing happens unasked."""
        bough("apply", url=empty_database.direct.libpq())
        bough("live", "--record", "--head", "one")
        code, _, err = bough("rollback", "base")
        assert code == 2
        assert "The live code was built with one, and may fail without" in err
        assert "--yes" in err
        assert json.loads(bough("status", "-o", "json")[1])["current"] == ["two"]

    def test_undoes_with_yes(self, bough: Bough, empty_database: Database) -> None:
        """The target is announced, and what was undone."""
        bough("apply", url=empty_database.direct.libpq())
        code, _, err = bough("rollback", "base", "--yes")
        assert code == 0
        assert "Undid two" in err
        assert err.splitlines()[-1] == "The database is at base"


class TestNew:
    """`bough migrate new`."""

    def test_prints_the_path(self, bough: Bough, history: History) -> None:
        """The path alone is on stdout, for `$EDITOR $(bough migrate new …)`."""
        code, out, _ = bough("new", "drop the old", "--empty", "--contract")
        path = history.project.root / out.strip().removeprefix(f"{history.project.root}/")
        assert code == 0
        assert path.name.endswith("_drop_the_old.py")
        assert 'phase = "contract"' in path.read_text()

    def test_says_that_nothing_differs(
        self, bough: Bough, history: History, empty_database: Database
    ) -> None:
        """With the likely reason."""
        history.write("one", None, "pass")
        bough("apply", url=empty_database.direct.libpq())
        code, _, err = bough(
            "new",
            "nothing",
        )
        assert "error[NOTHING_TO_GENERATE]" in err
        assert "hint: is the table imported" in err
        assert code == 1
