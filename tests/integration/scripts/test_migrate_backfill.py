"""`bough migrate backfill`: what it shows, and its exit codes."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from infra.migrate.backfill.definition import folder
from tests.support.backfills import COUNTED
from tests.support.histories import query, run_script

if TYPE_CHECKING:
    from infra.testing.databases import Database
    from tests.support.histories import History

DEFINITION = """
description = "Mark all."
table = "things"
set = "done = true"
where = "NOT done"
"""


@pytest.fixture
def at(history: History, empty_database: Database) -> dict[str, str]:
    """The environment that names a database with a table, for which there is a backfill."""
    run_script(empty_database.direct, COUNTED.format(rows=700))
    folder(history.project).mkdir()
    (folder(history.project) / "mark.toml").write_text(DEFINITION)
    return {"DATABASE_URL_UNPOOLED": empty_database.direct.libpq()}


class TestBackfill:
    """`backfill`."""

    def test_says_what_it_does_and_shows_what_came_of_it(self, on_history, at) -> None:
        """The target first; a line of progress where there is no terminal."""
        code, out, err = on_history("backfill", "mark", "-o", "json", **at)
        assert code == 0
        found = json.loads(out)
        assert (found["name"], found["table"], found["state"]) == ("mark", "public.things", "finished")
        assert (found["changed"], found["pass"], found["seen"]) == (700, 2, 700)
        lines = err.splitlines()
        assert lines[0].startswith("Backfilling things of postgresql://bough_owner:***@")
        assert lines[1].startswith("→ test_")
        assert lines[2] == "Pass 1: 500 of about 700 rows seen, 500 changed"
        assert at["DATABASE_URL_UNPOOLED"] not in err

    def test_dry_run_counts_and_changes_nothing(self, on_history, at, empty_database: Database) -> None:
        """With the plan of the first batch."""
        code, out, _ = on_history("backfill", "mark", "--dry-run", "-o", "json", **at)
        assert code == 0
        found = json.loads(out)
        assert (found["rows"], found["to_change"], found["key"]) == (700, 700, "id")
        assert "Update on things" in found["plan"]
        assert query(empty_database.direct, "SELECT DISTINCT done FROM things") == [(False,)]

    def test_lists_them_all(self, on_history, at) -> None:
        """Those that were never begun, too."""
        _, out, _ = on_history("backfill", "--list", **at)
        assert out.splitlines()[1].split()[:3] == ["mark", "things", "pending"]
        on_history("backfill", "mark", **at)
        _, out, _ = on_history("backfill", "--list", **at)
        assert out.splitlines()[1].split()[:4] == ["mark", "public.things", "finished", "700"]

    def test_refuses_what_cannot_be_meant(self, on_history, at) -> None:
        """No name, a name and --list, a name that there is not."""
        assert on_history("backfill", **at)[0] == 2
        assert on_history("backfill", "mark", "--list", **at)[0] == 2
        code, _, err = on_history("backfill", "other", **at)
        assert (code, "BACKFILL_UNKNOWN" in err, "there are: mark" in err) == (2, True, True)
