"""`bough migrate lint`, `check`, `plan` and `history`: what they print and how they end."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from infra.migrate import runner

if TYPE_CHECKING:
    from infra.testing.databases import Database
    from tests.support.histories import History

INDEX = "op.execute('CREATE INDEX ix ON a (id)')"


@pytest.fixture
def at(history: History, empty_database: Database) -> dict[str, str]:
    """The environment that names a database at `one`; `two` is pending."""
    history.write("one", None, "op.execute('CREATE TABLE a (id int)')", "op.execute('DROP TABLE a')")
    runner.apply(history.project, empty_database.direct)
    history.write("two", "one", INDEX, "op.execute('DROP INDEX ix')")
    return {"DATABASE_URL_UNPOOLED": empty_database.direct.libpq()}


class TestLint:
    """`lint`."""

    def test_takes_a_range_without_a_database(self, on_history, history: History, at) -> None:
        """Exit code 3, file and line on stdout."""
        code, out, err = on_history("lint", "one:head")
        assert code == 3
        assert out.splitlines()[0].startswith("unsafe  migrations/versions/two.py:")
        assert "hint: postgresql_concurrently=True" in out
        assert "1 finding\n" in err

    def test_asks_the_database_otherwise(self, on_history, at) -> None:
        """Its table is small."""
        code, out, err = on_history("lint", **at)
        assert (code, out, "0 findings" in err) == (0, "", True)

    def test_shows_json_and_annotations(self, on_history, at) -> None:
        """For programs, and as GitHub reads it."""
        _, out, _ = on_history("lint", "one:", "-o", "json")
        (finding,) = json.loads(out)
        assert (finding["rule"], finding["verdict"]) == ("require-concurrent-index-creation", "unsafe")
        assert finding["path"] == "migrations/versions/two.py"
        code, out, _ = on_history("lint", "one:head", "-o", "github")
        assert (code, out.startswith("::error file=migrations/versions/two.py,line=")) == (3, True)

    def test_refuses_two_ways_to_say_which(self, on_history) -> None:
        """A range and a git branch."""
        assert on_history("lint", "one:head", "--base", "main")[0] == 2

    def test_lists_its_rules(self, on_history) -> None:
        """For suppressions."""
        code, out, _ = on_history("lint", "--rules")
        assert code == 0
        assert "unbounded-write" in out.splitlines()


class TestCheck:
    """`check`."""

    def test_needs_no_database(self, on_history, history: History) -> None:
        """Only files are looked at."""
        history.write_three_tables()
        code, _, err = on_history("check", "--no-database")
        assert code == 0
        assert "3 revisions in one history" in err


class TestPlan:
    """`plan`."""

    def test_shows_statements_and_locks(self, on_history, at) -> None:
        """Exit code 3 while something would run, 0 afterwards."""
        code, out, _ = on_history("plan", "-o", "json", **at)
        record = json.loads(out)
        (two,) = record["pending"]
        assert (code, record["current"], two["held_back"]) == (3, ["one"], False)
        assert two["statements"][0]["locks"] == [
            {"relation": "public.a", "mode": "ShareLock", "work": "build"}
        ]
        code, out, _ = on_history("plan", **at)
        assert code == 3
        assert "two (expand, runs): Revision two" in out
        assert "  CREATE INDEX ix ON a (id);" in out
        assert "SHARE on public.a: as long as building the index takes" in out
        assert on_history("apply", **at)[0] == 0
        code, out, err = on_history("plan", **at)
        assert (code, out, "Nothing to do" in err) == (0, "", True)


class TestHistory:
    """`history`."""

    def test_lists_revisions(self, on_history, at) -> None:
        """Those that are applied with the time."""
        code, out, _ = on_history("history", "-o", "json", **at)
        one, two = json.loads(out)
        assert (code, one["id"], two["id"]) == (0, "one", "two")
        assert one["applied_at"] is not None
        assert two["applied_at"] is None
        code, out, _ = on_history("history", **at)
        assert (code, out.splitlines()[0].split()[:3]) == (0, ["REVISION", "PHASE", "APPLIED"])
