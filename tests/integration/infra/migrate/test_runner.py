"""`apply` and `status` of small histories, on a real PostgreSQL."""

from __future__ import annotations

from typing import TYPE_CHECKING

import psycopg
import pytest

from api.database.timeouts import Timeouts
from infra.migrate import runner
from infra.migrate.errors import (
    RevisionFailedError,
)
from infra.migrate.status import status
from tests.support.histories import query, recorded, tables

if TYPE_CHECKING:
    from infra.testing.databases import Database
    from tests.support.histories import History


class TestApply:
    """`apply`."""

    def test_applies_all_in_order_and_records_phases(
        self, history: History, empty_database: Database
    ) -> None:
        """Every revision runs once, and is recorded with its phase."""
        history.write_three_tables()
        report = runner.apply(history.project, empty_database.direct)
        assert [(run.id, run.phase) for run in report.runs] == [
            ("one", "expand"),
            ("two", "expand"),
            ("three", "contract"),
        ]
        assert report.runs[0].message == "Revision one."
        assert all(run.seconds >= 0 for run in report.runs)
        assert report.current == ("three",)
        assert tables(empty_database.direct) == {"a", "b", "c"}
        assert recorded(empty_database.direct) == {"one": "expand", "two": "expand", "three": "contract"}

    def test_does_nothing_when_run_again(self, history: History, empty_database: Database) -> None:
        """A second run reports no revision."""
        history.write_three_tables()
        runner.apply(history.project, empty_database.direct)
        again = runner.apply(history.project, empty_database.direct)
        assert again == runner.Report((), ("three",))

    def test_does_nothing_without_revisions(self, history: History, empty_database: Database) -> None:
        """An empty history is applied by doing nothing."""
        assert runner.apply(history.project, empty_database.direct) == runner.Report((), ())

    def test_stops_at_the_revision_asked_for(self, history: History, empty_database: Database) -> None:
        """Later revisions stay pending."""
        history.write_three_tables()
        report = runner.apply(history.project, empty_database.direct, revision="two")
        assert report.current == ("two",)
        assert tables(empty_database.direct) == {"a", "b"}

    def test_keeps_earlier_revisions_when_one_fails(self, history: History, empty_database: Database) -> None:
        """A failing revision is rolled back alone, named with its line; mended, the run goes on there.

        Contracts too: it was filling an empty database, which no code can use until that has ended.
        """
        history.write_three_tables()
        history.write("two", "one", "op.execute('CREATE TABLE b (id int)')\nop.execute('SELECT 1/0')")
        with pytest.raises(RevisionFailedError) as failure:
            runner.apply(history.project, empty_database.direct)
        assert failure.value.revision == "two"
        assert "(two.py, line 13) failed: division by zero" in str(failure.value)
        assert tables(empty_database.direct) == {"a"}
        assert recorded(empty_database.direct) == {"one": "expand"}
        history.write("two", "one", "op.execute('CREATE TABLE b (id int)')")
        report = runner.apply(history.project, empty_database.direct)
        assert [run.id for run in report.runs] == ["two", "three"]
        assert query(empty_database.direct, "SELECT count(*) FROM bough_first_fill") == [(0,)]
        assert tables(empty_database.direct) == {"a", "b", "c"}

    def test_names_the_revision_whose_commit_fails(self, history: History, empty_database: Database) -> None:
        """A constraint that is checked at COMMIT belongs to its revision, not to the next."""
        history.write(
            "one",
            None,
            "op.execute('CREATE TABLE a (id int PRIMARY KEY, b int REFERENCES a INITIALLY DEFERRED)')",
        )
        history.write("two", "one", "op.execute('INSERT INTO a VALUES (1, 2)')")
        history.write("three", "two", "op.execute('CREATE TABLE c (id int)')")
        with pytest.raises(RevisionFailedError) as failure:
            runner.apply(history.project, empty_database.direct)
        assert failure.value.revision == "two"
        assert status(history.project, empty_database.direct).current == ("one",)

    def test_names_the_line_of_a_python_error(self, history: History, empty_database: Database) -> None:
        """A bug in a revision is reported with its place and rolled back."""
        history.write("one", None, "op.execute('CREATE TABLE a (id int)')\nmisspelt()")
        with pytest.raises(
            RevisionFailedError, match=r"\(one.py, line 13\) failed: NameError: name 'misspelt'"
        ):
            runner.apply(history.project, empty_database.direct)
        assert tables(empty_database.direct) == set()

    def test_builds_an_index_concurrently(self, history: History, empty_database: Database) -> None:
        """An autocommit block works, and the index is valid."""
        history.write("one", None, "op.execute('CREATE TABLE a (id int)')")
        history.write(
            "two",
            "one",
            "with op.get_context().autocommit_block():\n"
            "    op.create_index('ix_a_id', 'a', ['id'], postgresql_concurrently=True)",
        )
        history.write("three", "two", "op.execute('CREATE TABLE c (id int)')")
        runner.apply(history.project, empty_database.direct)
        rows = query(
            empty_database.direct, "SELECT indisvalid FROM pg_index WHERE indexrelid = 'ix_a_id'::regclass"
        )
        assert rows == [(True,)]
        assert set(recorded(empty_database.direct)) == {"one", "two", "three"}

    def test_takes_long_ids(self, history: History, empty_database: Database) -> None:
        """An id of 200 characters fits, where Alembic's own table takes 32."""
        history.write("x" * 200, None, "op.execute('CREATE TABLE a (id int)')")
        assert runner.apply(history.project, empty_database.direct).current == ("x" * 200,)

    def test_takes_over_a_database_of_plain_alembic(self, history: History, empty_database: Database) -> None:
        """Its narrow version column is widened, and what it had is recorded."""
        history.write_three_tables()
        history.write("y" * 40, "three", "op.execute('CREATE TABLE d (id int)')")
        with psycopg.connect(empty_database.direct.libpq()) as connection:
            connection.execute("CREATE TABLE alembic_version (version_num varchar(32) PRIMARY KEY)")
            connection.execute("INSERT INTO alembic_version VALUES ('three')")
        report = runner.apply(history.project, empty_database.direct)
        assert [run.id for run in report.runs] == ["y" * 40]
        assert recorded(empty_database.direct) == {
            "one": "expand",
            "two": "expand",
            "three": "contract",
            "y" * 40: "expand",
        }

    def test_holds_timeouts_and_lock_inside_a_revision(
        self, history: History, empty_database: Database
    ) -> None:
        """The statements run under the timeouts and the lock, also in an autocommit block."""
        look = (
            "op.execute('INSERT INTO seen SELECT current_setting($$client_connection_check_interval$$), "
            "current_setting($$lock_timeout$$), "
            "current_setting($$statement_timeout$$), "
            "current_setting($$idle_in_transaction_session_timeout$$), "
            "count(*) FROM pg_locks WHERE locktype = $$advisory$$ AND pid = pg_backend_pid()')\n"
        )
        history.write(
            "one",
            None,
            "op.execute('CREATE TABLE seen (c text, l text, s text, i text, locks int)')\n"
            f"{look}with op.get_context().autocommit_block():\n    {look}",
        )
        timeouts = Timeouts(statement=77.0, lock=3.0, idle_in_transaction=11.0)
        runner.apply(history.project, empty_database.direct, timeouts=timeouts)
        assert query(empty_database.direct, "SELECT * FROM seen") == [("2s", "3s", "77s", "11s", 1)] * 2

    def test_leaves_no_lock_behind(self, history: History, empty_database: Database) -> None:
        """After a failure the next run gets the lock at once."""
        history.write("one", None, "raise RuntimeError")
        for _ in range(2):
            with pytest.raises(RevisionFailedError):
                runner.apply(history.project, empty_database.direct, lock_wait=0)


class TestStatus:
    """`status`."""

    def test_lists_pending_revisions_with_phases(self, history: History, empty_database: Database) -> None:
        """What `apply` would run, in order, and nothing is changed."""
        history.write_three_tables()
        runner.apply(history.project, empty_database.direct, revision="one")
        found = status(history.project, empty_database.direct)
        assert (found.current, found.head, found.unknown) == (("one",), "three", ())
        assert [(revision.id, revision.phase) for revision in found.pending] == [
            ("two", "expand"),
            ("three", "contract"),
        ]

    def test_changes_nothing_in_an_empty_database(self, history: History, empty_database: Database) -> None:
        """Not even Alembic's table is made."""
        history.write_three_tables()
        assert status(history.project, empty_database.direct).current == ()
        assert tables(empty_database.direct) == set()
        assert query(empty_database.direct, "SELECT to_regclass('alembic_version')") == [(None,)]

    def test_names_what_the_code_does_not_know(self, history: History, empty_database: Database) -> None:
        """A database ahead of the code is shown, not refused."""
        history.write_three_tables()
        runner.apply(history.project, empty_database.direct)
        (history.project.root / "migrations/versions/three.py").unlink()
        assert status(history.project, empty_database.direct).unknown == ("three",)
