"""Revisions that commit in the middle, interrupted, and run again."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import psycopg
import pytest

from api.database.timeouts import Timeouts
from infra.migrate import runner
from infra.migrate.errors import (
    RevisionFailedError,
    RevisionHalfAppliedError,
    RevisionUncertainError,
)
from tests.support.histories import query, recorded, tables

if TYPE_CHECKING:
    from infra.testing.databases import Database
    from tests.support.histories import History

INDEX = "op.create_index('ix_a_n', 'a', ['n'], postgresql_concurrently=True)"
BLOCK = f"with op.get_context().autocommit_block():\n    {INDEX}"
CUT = "op.execute('SELECT pg_terminate_backend(pg_backend_pid())')"
VALID = "SELECT relname, indisvalid FROM pg_index JOIN pg_class ON oid = indexrelid WHERE relname LIKE 'ix%'"
NOTED = "SELECT revision, position, state FROM bough_progress ORDER BY 1, 2"


def wait_for(database: Database, question: str, answer: list[tuple[Any, ...]]) -> None:
    """Ask until the answer comes."""
    end = time.monotonic() + 30
    while query(database.direct, question) != answer:
        assert time.monotonic() < end
        time.sleep(0.02)


def begin(history: History, database: Database) -> None:
    """Apply a first revision with a table of 100 rows."""
    history.write(
        "one",
        None,
        "op.execute('CREATE TABLE a (id int, n int)')\n"
        "op.execute('INSERT INTO a SELECT i, i FROM generate_series(1, 100) AS i')",
        "op.execute('DROP TABLE a')",
    )
    runner.apply(history.project, database.direct)


def cut_at(history: History, database: Database, upgrade: str) -> None:
    """Apply revision `two`, whose connection is cut where `upgrade` says CUT; then take the cut out."""
    history.write("two", "one", upgrade)
    with pytest.raises(RevisionUncertainError):
        runner.apply(history.project, database.direct)
    history.write("two", "one", "\n".join(line for line in upgrade.splitlines() if CUT not in line))


class TestApply:
    """`apply`, after a run that was interrupted between two commits of a revision."""

    @pytest.mark.parametrize("place", range(7))
    def test_goes_on_where_it_was_cut(self, history: History, empty_database: Database, place: int) -> None:
        """Before, in and after the autocommit block: each statement's work is done once."""
        begin(history, empty_database)
        upgrade = [
            "op.execute('ALTER TABLE a ADD COLUMN m int')",
            "op.execute('UPDATE a SET n = n + 1')",
            "with op.get_context().autocommit_block():",
            f"    {INDEX}",
            "    op.execute('UPDATE a SET m = 5 WHERE id <= 10')",
            "    op.create_index('ix_a_m', 'a', ['m'], postgresql_concurrently=True)",
            "op.execute('ALTER TABLE a ADD COLUMN o int')",
            "op.execute('UPDATE a SET n = n + 1')",
        ]
        indent = "    " if 2 <= place < 5 else ""
        upgrade.insert(place + (place >= 2), f"{indent}{CUT}")
        cut_at(history, empty_database, "\n".join(upgrade))
        report = runner.apply(history.project, empty_database.direct)
        assert [run.id for run in report.runs] == ["two"]
        assert sorted(query(empty_database.direct, VALID)) == [("ix_a_m", True), ("ix_a_n", True)]
        assert query(empty_database.direct, "SELECT sum(n), count(m), count(*) FROM a") == [(5250, 10, 100)]
        assert query(empty_database.direct, NOTED) == []
        assert set(recorded(empty_database.direct)) == {"one", "two"}

    def test_says_what_stays_when_a_later_statement_fails(
        self, history: History, empty_database: Database
    ) -> None:
        """The error counts what is committed; the mended revision goes on after it."""
        begin(history, empty_database)
        first = f"op.execute('ALTER TABLE a ADD COLUMN m int')\n{BLOCK}\n"
        history.write("two", "one", f"{first}op.execute('SELECT 1/0')")
        with pytest.raises(
            RevisionFailedError,
            match="zero; its first 2 statements stay, and the next run goes on after them",
        ):
            runner.apply(history.project, empty_database.direct)
        assert query(empty_database.direct, NOTED) == [("two", 0, "done"), ("two", 1, "done")]
        history.write("two", "one", f"{first}op.execute('ALTER TABLE a ADD COLUMN o int')")
        runner.apply(history.project, empty_database.direct)
        assert query(empty_database.direct, "SELECT m, o FROM a LIMIT 1") == [(None, None)]

    def test_refuses_a_revision_that_became_another(self, history: History, empty_database: Database) -> None:
        """What was done cannot be taken for what the file says now."""
        begin(history, empty_database)
        cut_at(history, empty_database, f"op.execute('ALTER TABLE a ADD COLUMN m int')\n{BLOCK}\n{CUT}")
        for edited in (f"op.execute('ALTER TABLE a ADD COLUMN other int')\n{BLOCK}", "pass"):
            history.write("two", "one", edited)
            with pytest.raises(RevisionHalfAppliedError, match="cannot be continued: ") as failure:
                runner.apply(history.project, empty_database.direct)
            assert failure.value.revision == "two"
            assert "bough_progress" in (failure.value.hint or "")
        assert set(recorded(empty_database.direct)) == {"one"}

    def test_refuses_to_guess_rows_that_are_gone(self, history: History, empty_database: Database) -> None:
        """A statement that changed rows and returned them cannot be left out."""
        begin(history, empty_database)
        cut_at(
            history,
            empty_database,
            f"op.get_bind().execute(sa.text('INSERT INTO a VALUES (1) RETURNING id')).all()\n{BLOCK}\n{CUT}",
        )
        with pytest.raises(RevisionHalfAppliedError, match=r"two.py, line 12\) returned rows"):
            runner.apply(history.project, empty_database.direct)

    def test_gives_a_left_out_statement_its_count(self, history: History, empty_database: Database) -> None:
        """A loop of batches that asks how many rows were changed takes the way that it took before."""
        begin(history, empty_database)
        loop = (
            "with op.get_context().autocommit_block():\n"
            "    while True:\n"
            "        done = op.get_bind().execute(sa.text('UPDATE a SET n = -id WHERE id IN "
            "(SELECT id FROM a WHERE n > 0 LIMIT 30)')).rowcount\n"
            "        if done < 30: break\n"
        )
        cut_at(history, empty_database, f"{loop}        {CUT}\n")
        assert query(empty_database.direct, "SELECT count(*) FROM a WHERE n < 0") == [(30,)]
        runner.apply(history.project, empty_database.direct)
        assert query(empty_database.direct, "SELECT count(*) FROM a WHERE n < 0") == [(100,)]

    def test_does_not_go_back_from_the_middle(self, history: History, empty_database: Database) -> None:
        """Undoing what a half applied revision builds on would leave its rest without ground."""
        begin(history, empty_database)
        cut_at(history, empty_database, f"{BLOCK}\n{CUT}")
        with pytest.raises(RevisionHalfAppliedError, match="two is half applied") as failure:
            runner.rollback(history.project, empty_database.direct, to="base")
        assert "bough migrate apply" in (failure.value.hint or "")
        assert tables(empty_database.direct) == {"a"}


class TestRollback:
    """`rollback`, interrupted."""

    def test_goes_on_where_it_was_cut(self, history: History, empty_database: Database) -> None:
        """Until it is undone, nothing is applied."""
        begin(history, empty_database)
        drop = "with op.get_context().autocommit_block():\n    op.execute('DROP INDEX CONCURRENTLY ix_a_n')\n"
        history.write("two", "one", BLOCK, f"{drop}{CUT}")
        runner.apply(history.project, empty_database.direct)
        with pytest.raises(RevisionUncertainError):
            runner.rollback(history.project, empty_database.direct)
        history.write("two", "one", BLOCK, drop)
        with pytest.raises(RevisionHalfAppliedError, match="two is half undone"):
            runner.apply(history.project, empty_database.direct)
        assert runner.rollback(history.project, empty_database.direct).current == ("one",)
        assert query(empty_database.direct, VALID) == []
        assert query(empty_database.direct, NOTED) == []


class TestInvalidIndexes:
    """Indexes that an interrupted CONCURRENTLY left invalid, or that somebody else builds."""

    @pytest.mark.parametrize("option", ["", ", if_not_exists=True"])
    def test_one_of_the_same_name_is_built_again(
        self, history: History, empty_database: Database, option: str
    ) -> None:
        """IF NOT EXISTS would take it for the index asked for; others are left alone."""
        begin(history, empty_database)
        with psycopg.connect(empty_database.direct.libpq(), autocommit=True) as connection:
            connection.execute("INSERT INTO a VALUES (1, 1)")
            for name in ("ix_a_n", "ix_by_hand"):
                with pytest.raises(psycopg.errors.UniqueViolation):
                    connection.execute(f"CREATE UNIQUE INDEX CONCURRENTLY {name} ON a (n)".encode())
        history.write("two", "one", BLOCK.replace("=True", f"=True{option}"))
        said: list[str] = []
        report = runner.apply(history.project, empty_database.direct, announce=said.append)
        assert report.dropped_indexes == ("public.ix_a_n",)
        assert "Dropping index public.ix_a_n, which is not valid" in said
        assert sorted(query(empty_database.direct, VALID)) == [("ix_a_n", True), ("ix_by_hand", False)]

    def test_what_reindex_left_is_dropped(self, history: History, empty_database: Database) -> None:
        """The half-built copy of a failed REINDEX CONCURRENTLY goes before the next try."""
        begin(history, empty_database)
        with psycopg.connect(empty_database.direct.libpq(), autocommit=True) as connection:
            make = "CREATE OR REPLACE FUNCTION f(n int) RETURNS int IMMUTABLE LANGUAGE sql AS "
            connection.execute(f"{make} 'SELECT n'".encode())
            connection.execute("CREATE INDEX ix_a_n ON a (f(n))")
            connection.execute(f"{make} 'SELECT 1 / (n - n)'".encode())
            reindex = "op.execute('REINDEX INDEX CONCURRENTLY ix_a_n')"
            history.write("two", "one", f"with op.get_context().autocommit_block():\n    {reindex}")
            with pytest.raises(RevisionFailedError, match="division by zero"):
                runner.apply(history.project, empty_database.direct)
            assert len(query(empty_database.direct, VALID)) == 2
            connection.execute(f"{make} 'SELECT n'".encode())
        report = runner.apply(history.project, empty_database.direct)
        assert report.dropped_indexes == ("public.ix_a_n_ccnew",)
        assert query(empty_database.direct, VALID) == [("ix_a_n", True)]

    def test_one_that_another_builds_is_waited_for(self, history: History, empty_database: Database) -> None:
        """It is invalid until it is ready, and is not ours to drop; it is waited for beyond lock_timeout."""
        begin(history, empty_database)
        history.write("two", "one", BLOCK.replace("=True", "=True, if_not_exists=True"))
        url = empty_database.direct.libpq()
        with (
            psycopg.connect(url) as old,
            psycopg.connect(url, autocommit=True) as other,
            ThreadPoolExecutor() as threads,
        ):
            old.execute("INSERT INTO a VALUES (0, 0)")
            built = threads.submit(other.execute, "CREATE INDEX CONCURRENTLY ix_a_n ON a (n)")
            wait_for(empty_database, VALID, [("ix_a_n", False)])
            applied = threads.submit(
                runner.apply, history.project, empty_database.direct, timeouts=Timeouts(lock=0.2)
            )
            waits = "SELECT count(*) FROM pg_locks WHERE NOT granted AND relation = 'a'::regclass"
            wait_for(empty_database, waits, [(1,)])
            time.sleep(0.3)
            old.commit()
            built.result(timeout=30)
            assert applied.result(timeout=30).dropped_indexes == ()
        assert query(empty_database.direct, VALID) == [("ix_a_n", True)]
