"""`bough migrate rebase`, with git and a database."""

from __future__ import annotations

import json
import subprocess
from typing import TYPE_CHECKING

import pytest

from infra.migrate import live, runner
from infra.migrate.history import History as LoadedHistory
from infra.migrate.history import alembic_config
from tests.support.histories import tables

if TYPE_CHECKING:
    from pathlib import Path

    from infra.testing.databases import Database
    from tests.support.histories import History

AUTHOR = ("-c", "user.name=Somebody", "-c", "user.email=somebody@example.com")


def git(root: Path, *arguments: str) -> None:
    """Run git in a folder."""
    subprocess.run(["git", *AUTHOR, *arguments], cwd=root, check=True, capture_output=True)


def table(name: str) -> tuple[str, str]:
    """Return how to create and to drop a table."""
    return f"op.execute('CREATE TABLE {name} (id int)')", f"op.execute('DROP TABLE {name}')"


@pytest.fixture
def met(history: History) -> History:
    """A main git branch with `one` and `theirs`, and the revisions `ours` and `ours_too` beside it."""
    root = history.project.root
    git(root, "init", "-q", "-b", "main")
    history.write("one", None, *table("a"))
    history.write("theirs", "one", *table("b"))
    git(root, "add", "migrations/versions")
    git(root, "commit", "-q", "-m", "Begin")
    git(root, "switch", "-q", "-c", "feature")
    history.write("ours", "one", *table("c"))
    history.write("ours_too", "ours", *table("d"))
    return history


def order(history: History) -> list[str]:
    """Return the ids as Alembic finds them."""
    with alembic_config(history.project) as config:
        return [revision.id for revision in LoadedHistory(config)]


class TestRebase:
    """`rebase`."""

    def test_puts_ours_behind_theirs(self, on_history, met: History) -> None:
        """Without a database; the edited file differs in one value."""
        file = met.project.root / "migrations" / "versions" / "ours.py"
        file.write_bytes(file.read_bytes().replace(b"\n", b"\r\n").replace(b"pass", b"pass  # \xc3\xa9"))
        before = file.read_bytes()
        code, out, _ = on_history("rebase", "-o", "json")
        assert (code, json.loads(out)) == (
            0,
            [{"file": "migrations/versions/ours.py", "from": "one", "to": "theirs"}],
        )
        assert file.read_bytes() == before.replace(b"down_revision = 'one'", b"down_revision = 'theirs'")
        assert order(met) == ["one", "theirs", "ours", "ours_too"]
        code, out, err = on_history("rebase")
        assert (code, out, err.strip()) == (0, "", "The revisions are in order")

    def test_shows_what_would_change(self, on_history, met: History) -> None:
        """`--dry-run` leaves the files alone."""
        file = met.project.root / "migrations" / "versions" / "ours.py"
        before = file.read_bytes()
        code, out, err = on_history("rebase", "--dry-run")
        assert (code, file.read_bytes()) == (0, before)
        assert err.startswith("Nothing was changed")
        assert out.splitlines()[1].split() == ["migrations/versions/ours.py", "one", "theirs"]

    @pytest.mark.usefixtures("met")
    def test_follows_the_head_that_is_named(self, on_history) -> None:
        """`--onto` beats git."""
        code, out, _ = on_history("rebase", "--dry-run", "--onto", "ours_too", "-o", "json")
        assert (code, [(each["from"], each["to"]) for each in json.loads(out)]) == (0, [("one", "ours_too")])
        assert on_history("rebase", "--onto", "gone")[0] == 2

    def test_puts_an_expand_before_a_contract_that_waits(
        self, on_history, met: History, empty_database: Database
    ) -> None:
        """The database says that main's contract is not applied, so it gives way; live code keeps it."""
        on_history("rebase")
        met.write("drop", "ours_too", "pass", phase="contract")
        met.write("later", "drop", "pass")
        root, url = met.project.root, empty_database.direct
        git(root, "add", "migrations/versions/drop.py", "migrations/versions/ours.py")
        git(root, "commit", "-q", "-m", "Contract")
        git(root, "branch", "-f", "main")
        runner.apply(met.project, url, revision="ours_too")
        at = {"DATABASE_URL_UNPOOLED": url.libpq()}
        live.record(url, None, live.built_at(met.project, "drop"), None)
        code, _, err = on_history("rebase", **at)
        assert (code, order(met)[-2:]) == (0, ["drop", "later"])
        assert "later stays after contract revision drop, which the live code knows" in err
        live.record(url, None, live.built_at(met.project, "ours_too"), None)
        assert on_history("rebase", **at)[0] == 0
        assert order(met)[-2:] == ["later", "drop"]

    def test_refuses_to_move_what_is_applied_until_it_is_undone(
        self, on_history, met: History, empty_database: Database
    ) -> None:
        """The way that the hint shows works, in spite of two heads."""
        theirs = met.project.root / "migrations" / "versions" / "theirs.py"
        away = theirs.rename(met.project.root / "away.py")
        runner.apply(met.project, empty_database.direct)
        away.rename(theirs)
        at = {"DATABASE_URL_UNPOOLED": empty_database.direct.libpq()}
        code, _, err = on_history("rebase", **at)
        assert code == 1
        assert err.startswith("error[REBASE_REFUSED]: ours_too is applied in ")
        assert "hint: undo it there first, with: bough migrate rollback one" in err
        assert on_history("rollback", "one", "--yes", **at)[0] == 0
        assert on_history("rebase", **at)[0] == 0
        assert on_history("apply", **at)[0] == 0
        assert tables(empty_database.direct) == {"a", "b", "c", "d"}

    def test_asks_without_git_and_database(self, on_history, history: History) -> None:
        """Nobody knows which one others build on."""
        history.write("one", None, "pass")
        history.write("a", "one", "pass")
        history.write("b", "one", "pass")
        code, _, err = on_history("rebase")
        assert (code, err.splitlines()[1]) == (
            2,
            "hint: name the one that stays: bough migrate rebase --onto a",
        )
        # Without a database it goes, but not without the one that was named.
        assert on_history("rebase", "--onto", "a", "--url", "env:NOWHERE")[0] == 2
        assert on_history("rebase", "--onto", "a")[0] == 0
        assert order(history) == ["one", "a", "b"]


class TestFiles:
    """What is refused about the files themselves."""

    @pytest.mark.parametrize(
        ("old", "new", "message"),
        [
            ("down_revision = 'one'", "down_revision = 'gone'", "no file has revision gone"),
            (
                "down_revision = 'one'",
                "down_revision = str('one')",
                "does not give revision and down_revision",
            ),
            ("revision = 'two'", "revision = 'one'", "are both revision one"),
            ("def upgrade", "def def", "cannot be read"),
        ],
    )
    def test_refuses_files_that_are_no_history(
        self, on_history, history: History, old: str, new: str, message: str
    ) -> None:
        """Each with the file's name."""
        history.write("one", None, "pass")
        path = history.write("two", "one", "pass")
        path.write_text(path.read_text().replace(old, new, 1))
        code, _, err = on_history("rebase", "--onto", "one")
        assert (code, err.startswith("error[MIGRATION_HISTORY_INVALID]"), message in err) == (1, True, True)

    def test_refuses_a_circle(self, on_history, history: History) -> None:
        """Two that follow each other."""
        history.write("one", "two", "pass")
        history.write("two", "one", "pass")
        history.write("three", None, "pass")
        code, _, err = on_history("rebase", "--onto", "three")
        assert (code, "follow each other in a circle: one, two" in err) == (1, True)


class TestNew:
    """`new --empty` where contracts wait."""

    def test_goes_before_a_contract_that_waits(
        self, on_history, history: History, empty_database: Database
    ) -> None:
        """The database says that it waits; the contract's file follows the new one."""
        history.write("one", None, *table("a"))
        runner.apply(history.project, empty_database.direct)
        history.write("drop", "one", "pass", phase="contract")
        git(history.project.root, "init", "-q", "-b", "main")
        git(history.project.root, "add", ".")
        git(history.project.root, "commit", "-q", "-m", "Begin")
        at = {"DATABASE_URL_UNPOOLED": empty_database.direct.libpq()}
        code, _, err = on_history("new", "more", "--empty", **at)
        assert (code, "drop.py: down_revision one → " in err) == (0, True)
        assert [each.partition("_")[2] or each for each in order(history)] == ["one", "more", "drop"]

    def test_says_that_its_place_is_not_known(self, on_history, history: History) -> None:
        """Without a database it stays at the end."""
        history.write("drop", None, "pass", phase="contract")
        code, _, err = on_history("new", "more", "--empty")
        assert (code, order(history)[0]) == (0, "drop")
        assert "Put it into its place with: bough migrate rebase" in err
