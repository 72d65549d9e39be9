"""Migrations of small histories, on a real PostgreSQL."""

from __future__ import annotations

import logging
import multiprocessing
import subprocess
import sys
import time
from typing import TYPE_CHECKING, Any

import psycopg
import pytest

from api.database.timeouts import Timeouts
from infra.migrate import runner
from infra.migrate.connection import LOCK_KEY
from infra.migrate.errors import (
    DatabaseAheadError,
    DatabaseUnreachableError,
    MigrationError,
    MigrationLockedError,
    MultipleHeadsError,
    NotVerifiedError,
    PooledUrlRefusedError,
    RevisionFailedError,
    RevisionLockTimeoutError,
    RevisionTimeoutError,
    RevisionUncertainError,
    UnknownRevisionError,
)
from tests.support.histories import run_script, schema_of

if TYPE_CHECKING:
    from api.database.connection_url import DirectUrl
    from infra.config import Project
    from tests.support.databases import Database
    from tests.support.histories import History


def query(url: DirectUrl, statement: str) -> list[tuple[Any, ...]]:
    """Return a statement's rows, on a connection of its own."""
    with psycopg.connect(url.libpq(), autocommit=True) as connection:
        return connection.execute(statement).fetchall()  # type: ignore[call-overload]  # a test's own text


def tables(url: DirectUrl) -> set[str]:
    """Return the names of the tables that the history made."""
    rows = query(url, "SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
    return {name for (name,) in rows} - {"alembic_version", "bough_revision"}


def recorded(url: DirectUrl) -> dict[str, str]:
    """Return the phases in `bough_revision` by revision."""
    return dict(query(url, "SELECT id, phase FROM bough_revision"))  # type: ignore[arg-type]  # two columns


def three_tables(history: History) -> None:
    """Write a history of three revisions."""
    history.write("one", None, "op.execute('CREATE TABLE a (id int)')", "op.execute('DROP TABLE a')")
    history.write("two", "one", "op.execute('CREATE TABLE b (id int)')", "op.execute('DROP TABLE b')")
    history.write(
        "three", "two", "op.execute('CREATE TABLE c (id int)')", "op.execute('DROP TABLE c')", "contract"
    )


class TestApply:
    """`apply`."""

    def test_applies_all_in_order_and_records_phases(
        self, history: History, empty_database: Database
    ) -> None:
        """Every revision runs once, and is recorded with its phase."""
        three_tables(history)
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
        three_tables(history)
        runner.apply(history.project, empty_database.direct)
        again = runner.apply(history.project, empty_database.direct)
        assert again == runner.Report((), ("three",))

    def test_does_nothing_without_revisions(self, history: History, empty_database: Database) -> None:
        """An empty history is applied by doing nothing."""
        assert runner.apply(history.project, empty_database.direct) == runner.Report((), ())

    def test_stops_at_the_revision_asked_for(self, history: History, empty_database: Database) -> None:
        """Later revisions stay pending."""
        three_tables(history)
        report = runner.apply(history.project, empty_database.direct, revision="two")
        assert report.current == ("two",)
        assert tables(empty_database.direct) == {"a", "b"}

    def test_keeps_earlier_revisions_when_one_fails(self, history: History, empty_database: Database) -> None:
        """A failing revision is rolled back alone, named with its line; mended, the run goes on there."""
        three_tables(history)
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
        assert runner.status(history.project, empty_database.direct).current == ("one",)

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
        three_tables(history)
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
            "op.execute('INSERT INTO seen SELECT current_setting($$lock_timeout$$), "
            "current_setting($$statement_timeout$$), "
            "current_setting($$idle_in_transaction_session_timeout$$), "
            "count(*) FROM pg_locks WHERE locktype = $$advisory$$ AND pid = pg_backend_pid()')\n"
        )
        history.write(
            "one",
            None,
            "op.execute('CREATE TABLE seen (l text, s text, i text, locks int)')\n"
            f"{look}with op.get_context().autocommit_block():\n    {look}",
        )
        timeouts = Timeouts(statement=77.0, lock=3.0, idle_in_transaction=11.0)
        runner.apply(history.project, empty_database.direct, timeouts=timeouts)
        assert query(empty_database.direct, "SELECT * FROM seen") == [("3s", "77s", "11s", 1)] * 2

    def test_leaves_no_lock_behind(self, history: History, empty_database: Database) -> None:
        """After a failure the next run gets the lock at once."""
        history.write("one", None, "raise RuntimeError")
        for _ in range(2):
            with pytest.raises(RevisionFailedError):
                runner.apply(history.project, empty_database.direct, lock_wait=0)

    def test_gives_up_on_a_busy_table(self, history: History, empty_database: Database) -> None:
        """The wait for a table's lock ends with `lock_timeout`, and is reported as such."""
        history.write("one", None, "op.execute('CREATE TABLE a (id int)')")
        history.write("two", "one", "op.execute('ALTER TABLE a ADD COLUMN n int')")
        runner.apply(history.project, empty_database.direct, revision="one")
        with psycopg.connect(empty_database.direct.libpq()) as busy:
            busy.execute("LOCK TABLE a")
            with pytest.raises(
                RevisionLockTimeoutError, match=r"waited more than 0.2 s for a lock"
            ) as failure:
                runner.apply(history.project, empty_database.direct, timeouts=Timeouts(lock=0.2))
        assert failure.value.revision == "two"

    def test_gives_up_on_a_long_statement(self, history: History, empty_database: Database) -> None:
        """A statement ends with `statement_timeout`, and is reported as such."""
        history.write("one", None, "op.execute('SELECT pg_sleep(60)')")
        with pytest.raises(RevisionTimeoutError, match=r"ran longer than 0.2 s"):
            runner.apply(history.project, empty_database.direct, timeouts=Timeouts(statement=0.2))

    def test_says_when_the_connection_was_lost(self, history: History, empty_database: Database) -> None:
        """A killed backend is not reported as a revision that was rolled back."""
        history.write("one", None, "op.execute('SELECT pg_terminate_backend(pg_backend_pid())')")
        with pytest.raises(RevisionUncertainError) as failure:
            runner.apply(history.project, empty_database.direct)
        assert failure.value.hint == "look at it with: bough migrate status"

    def test_refuses_a_pooled_url(self, history: History, empty_database: Database) -> None:
        """What the types forbid is refused at run time too, without the password."""
        with pytest.raises(PooledUrlRefusedError) as failure:
            runner.apply(history.project, empty_database.pooled)  # type: ignore[arg-type]  # the point of the test
        assert str(empty_database.pooled) in str(failure.value)

    def test_says_when_the_database_cannot_be_reached(
        self, history: History, empty_database: Database
    ) -> None:
        """A wrong password is an error without that password."""
        url = empty_database.direct.replace(password="quite-wrong")
        with pytest.raises(DatabaseUnreachableError, match="password authentication failed") as failure:
            runner.apply(history.project, url)
        assert "quite-wrong" not in str(failure.value)

    def test_refuses_an_unknown_revision(self, history: History, empty_database: Database) -> None:
        """The error lists the latest revisions."""
        three_tables(history)
        with pytest.raises(UnknownRevisionError) as failure:
            runner.apply(history.project, empty_database.direct, revision="nope")
        assert failure.value.hint == "the latest revisions are one, two, three"

    def test_refuses_a_database_that_is_ahead(self, history: History, empty_database: Database) -> None:
        """A version that the code lacks ends the run before anything is changed."""
        three_tables(history)
        runner.apply(history.project, empty_database.direct)
        (history.project.root / "migrations/versions/three.py").unlink()
        with pytest.raises(DatabaseAheadError, match="at three"):
            runner.apply(history.project, empty_database.direct)

    def test_refuses_two_heads(self, history: History, empty_database: Database) -> None:
        """The error says which line of which file joins the history again."""
        three_tables(history)
        history.write("twin", "two", "pass")
        with pytest.raises(MultipleHeadsError, match=r"2 heads: three.py, twin.py") as failure:
            runner.apply(history.project, empty_database.direct)
        assert "in twin.py" in (failure.value.hint or "")
        assert 'down_revision = "three"' in (failure.value.hint or "")

    def test_never_believes_a_run_that_committed_nothing(
        self, history: History, empty_database: Database
    ) -> None:
        """An environment that falls into Alembic's open-transaction trap is found out."""
        three_tables(history)
        (history.project.root / "migrations/env.py").write_text(
            "from alembic import context\n"
            "connection = context.config.attributes['connection']\n"
            "connection.exec_driver_sql('SELECT 1')\n"
            "context.configure(connection=connection, transaction_per_migration=True)\n"
            "with context.begin_transaction():\n"
            "    context.run_migrations()\n"
        )
        with pytest.raises(NotVerifiedError, match="one, three, two"):
            runner.apply(history.project, empty_database.direct)
        assert tables(empty_database.direct) == set()

    def test_leaves_the_loggers_of_the_application_alive(
        self, history: History, empty_database: Database
    ) -> None:
        """Alembic's usual `fileConfig` would disable every logger that exists."""
        logger = logging.getLogger("an.application")
        level = logging.getLogger().level
        three_tables(history)
        runner.apply(history.project, empty_database.direct)
        assert not logger.disabled
        assert logging.getLogger().level == level


def apply_in_another_process(project: Project, url: str, results: Any) -> None:
    """Run `apply` and report the ids that it ran."""
    from api.database.connection_url import DirectUrl

    results.put([run.id for run in runner.apply(project, DirectUrl.parse(url)).runs])


class TestLock:
    """Two migrations of one database."""

    def test_second_runner_waits_and_finds_nothing_to_do(
        self, history: History, empty_database: Database
    ) -> None:
        """Each revision runs once, and both runners succeed."""
        three_tables(history)
        history.write("two", "one", "op.execute('CREATE TABLE b (id int)')\nop.execute('SELECT pg_sleep(1)')")
        context = multiprocessing.get_context("spawn")
        results = context.Queue()
        arguments = (history.project, empty_database.direct.libpq(), results)
        runners = [context.Process(target=apply_in_another_process, args=arguments) for _ in range(2)]
        for process in runners:
            process.start()
        ran = sorted(results.get(timeout=60) for _ in runners)
        for process in runners:
            process.join()
        assert ran == [[], ["one", "two", "three"]]
        assert [process.exitcode for process in runners] == [0, 0]

    def test_names_the_holder_when_the_wait_ends(self, history: History, empty_database: Database) -> None:
        """The error has the holder's process id and name."""
        three_tables(history)
        with psycopg.connect(
            empty_database.direct.libpq(), autocommit=True, application_name="the other"
        ) as other:
            other.execute("SELECT pg_advisory_lock(%s)", (LOCK_KEY,))
            expected = rf"server process {other.info.backend_pid}, the other, connected \d+ s ago"
            with pytest.raises(MigrationLockedError, match=expected):
                runner.apply(history.project, empty_database.direct, lock_wait=0.3)
        assert runner.apply(history.project, empty_database.direct, lock_wait=5).current == ("three",)

    def test_a_waiting_runner_does_not_block_a_concurrent_index(
        self, history: History, empty_database: Database
    ) -> None:
        """A blocking lock would deadlock here: CREATE INDEX CONCURRENTLY waits for every older snapshot."""
        history.write("one", None, "op.execute('CREATE TABLE a (id int)')")
        history.write(
            "two",
            "one",
            "op.execute('SELECT pg_sleep(1)')\n"
            "with op.get_context().autocommit_block():\n"
            "    op.create_index('ix_a_id', 'a', ['id'], postgresql_concurrently=True)",
        )
        context = multiprocessing.get_context("spawn")
        results = context.Queue()
        arguments = (history.project, empty_database.direct.libpq(), results)
        first = context.Process(target=apply_in_another_process, args=arguments)
        first.start()
        held = (
            f"SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND objid = {LOCK_KEY & 0xFFFFFFFF}"
        )
        end = time.monotonic() + 30
        while query(empty_database.direct, held) == [(0,)] and time.monotonic() < end:
            time.sleep(0.02)
        assert runner.apply(history.project, empty_database.direct).runs == ()
        assert results.get(timeout=30) == ["one", "two"]
        first.join()


class TestRollback:
    """`rollback`."""

    def test_up_down_up_leaves_no_trace(self, history: History, empty_database: Database) -> None:
        """The schema after up, down to base and up again is the first one, and base is empty."""
        three_tables(history)
        runner.apply(history.project, empty_database.direct)
        first = schema_of(empty_database.direct)
        report = runner.rollback(history.project, empty_database.direct, to="base")
        assert [run.id for run in report.runs] == ["three", "two", "one"]
        assert report.current == ()
        assert tables(empty_database.direct) == set()
        assert recorded(empty_database.direct) == {}
        runner.apply(history.project, empty_database.direct)
        assert schema_of(empty_database.direct) == first

    def test_undoes_the_last_by_default(self, history: History, empty_database: Database) -> None:
        """`-1` is one revision."""
        three_tables(history)
        runner.apply(history.project, empty_database.direct)
        assert runner.rollback(history.project, empty_database.direct).current == ("two",)
        assert set(recorded(empty_database.direct)) == {"one", "two"}

    def test_keeps_the_target(self, history: History, empty_database: Database) -> None:
        """The revision named stays applied."""
        three_tables(history)
        runner.apply(history.project, empty_database.direct)
        assert runner.rollback(history.project, empty_database.direct, to="one").current == ("one",)
        assert tables(empty_database.direct) == {"a"}

    def test_stops_at_a_revision_that_cannot_be_undone(
        self, history: History, empty_database: Database
    ) -> None:
        """Those undone before it stay undone."""
        three_tables(history)
        history.write(
            "two", "one", "op.execute('CREATE TABLE b (id int)')", "raise NotImplementedError('data is gone')"
        )
        runner.apply(history.project, empty_database.direct)
        with pytest.raises(
            RevisionFailedError, match="data is gone; it was rolled back; 1 before it stays done"
        ):
            runner.rollback(history.project, empty_database.direct, to="base")
        assert runner.status(history.project, empty_database.direct).current == ("two",)

    @pytest.mark.parametrize("target", ["nope", "-9", "three"])
    def test_refuses_a_target_that_is_not_below(
        self, history: History, empty_database: Database, target: str
    ) -> None:
        """An unknown revision, too many steps back, or a revision that is not applied."""
        three_tables(history)
        runner.apply(history.project, empty_database.direct, revision="two")
        with pytest.raises(UnknownRevisionError):
            runner.rollback(history.project, empty_database.direct, to=target)
        assert tables(empty_database.direct) == {"a", "b"}


class TestStatus:
    """`status`."""

    def test_lists_pending_revisions_with_phases(self, history: History, empty_database: Database) -> None:
        """What `apply` would run, in order, and nothing is changed."""
        three_tables(history)
        runner.apply(history.project, empty_database.direct, revision="one")
        status = runner.status(history.project, empty_database.direct)
        assert (status.current, status.head, status.unknown) == (("one",), "three", ())
        assert [(revision.id, revision.phase) for revision in status.pending] == [
            ("two", "expand"),
            ("three", "contract"),
        ]

    def test_changes_nothing_in_an_empty_database(self, history: History, empty_database: Database) -> None:
        """Not even Alembic's table is made."""
        three_tables(history)
        assert runner.status(history.project, empty_database.direct).current == ()
        assert (
            query(empty_database.direct, "SELECT tablename FROM pg_tables WHERE schemaname = 'public'") == []
        )

    def test_names_what_the_code_does_not_know(self, history: History, empty_database: Database) -> None:
        """A database ahead of the code is shown, not refused."""
        three_tables(history)
        runner.apply(history.project, empty_database.direct)
        (history.project.root / "migrations/versions/three.py").unlink()
        assert runner.status(history.project, empty_database.direct).unknown == ("three",)


class TestSql:
    """`sql`."""

    def test_yields_the_same_schema(self, history: History, world: Any, empty_database: Database) -> None:
        """The script, run by psql, leaves what `apply` leaves, bookkeeping included."""
        three_tables(history)
        history.write("four", "three", "op.execute(\"INSERT INTO a SELECT 7 WHERE 'x' LIKE '%x%'\")")
        runner.apply(history.project, empty_database.direct)
        with world.new_database() as other:
            run_script(other.direct, runner.sql(history.project))
            assert schema_of(other.direct) == schema_of(empty_database.direct)
            assert recorded(other.direct) == recorded(empty_database.direct)
            assert query(other.direct, "SELECT * FROM a") == [(7,)]
            assert runner.apply(history.project, other.direct) == runner.Report((), ("four",))

    def test_continues_where_a_database_is(self, history: History, empty_database: Database) -> None:
        """A range starts after its first revision."""
        three_tables(history)
        runner.apply(history.project, empty_database.direct, revision="one")
        script = runner.sql(history.project, start="one", end="two")
        run_script(empty_database.direct, script)
        assert tables(empty_database.direct) == {"a", "b"}
        assert recorded(empty_database.direct) == {"one": "expand", "two": "expand"}
        assert runner.status(history.project, empty_database.direct).current == ("two",)

    def test_refuses_an_empty_range(self, history: History) -> None:
        """Nothing is written where nothing is to be done."""
        three_tables(history)
        with pytest.raises(UnknownRevisionError):
            runner.sql(history.project, start="three", end="three")

    def test_says_which_revision_needs_a_database(self, history: History) -> None:
        """A revision that reads data cannot be written as SQL."""
        history.write("one", None, "op.get_bind().execute(sa.text('SELECT 1')).scalar()")
        with pytest.raises(MigrationError, match="cannot be written as SQL"):
            runner.sql(history.project)


class TestPlainAlembic:
    """The `alembic` command itself."""

    def test_upgrades_with_the_url_from_the_environment(
        self, history: History, empty_database: Database
    ) -> None:
        """It applies, records, and holds a migration's timeouts."""
        three_tables(history)
        history.write(
            "four", "three", "op.execute('CREATE TABLE seen AS SELECT current_setting($$lock_timeout$$)')"
        )
        self.alembic(history, empty_database, "upgrade", "head")
        assert query(empty_database.direct, "SELECT * FROM seen") == [("5s",)]
        assert set(recorded(empty_database.direct)) == {"one", "two", "three", "four"}

    def test_stamps_with_bookkeeping(self, history: History, empty_database: Database) -> None:
        """A stamp up records what lies below it; a stamp down takes the rest away."""
        three_tables(history)
        self.alembic(history, empty_database, "stamp", "three")
        assert set(recorded(empty_database.direct)) == {"one", "two", "three"}
        self.alembic(history, empty_database, "stamp", "one")
        assert set(recorded(empty_database.direct)) == {"one"}
        self.alembic(history, empty_database, "stamp", "base")
        assert recorded(empty_database.direct) == {}

    @staticmethod
    def alembic(history: History, database: Database, *arguments: str) -> None:
        """Run the command in the project's folder."""
        subprocess.run(
            [sys.executable, "-m", "alembic", *arguments],
            cwd=history.project.root,
            env={"DATABASE_URL_UNPOOLED": database.direct.libpq(), "PATH": ""},
            check=True,
            capture_output=True,
        )


class TestUpdatedAt:
    """`migrations.operations`."""

    def test_trigger_keeps_updated_at(self, history: History, empty_database: Database) -> None:
        """An UPDATE moves it on, whoever wrote it, also within the transaction of the INSERT."""
        history.write(
            "one",
            None,
            "from migrations import operations\n"
            "op.execute('CREATE TABLE a (n int, updated_at timestamptz NOT NULL DEFAULT now())')\n"
            "operations.create_updated_at_function(op)\n"
            "operations.create_updated_at_trigger(op, 'a')",
            "from migrations import operations\n"
            "operations.drop_updated_at_trigger(op, 'a')\n"
            "operations.drop_updated_at_function(op)\n"
            "op.execute('DROP TABLE a')",
        )
        runner.apply(history.project, empty_database.direct)
        with psycopg.connect(empty_database.direct.libpq()) as connection:
            inserted = connection.execute("INSERT INTO a VALUES (1) RETURNING updated_at").fetchone()
            updated = connection.execute(
                "UPDATE a SET n = 2, updated_at = 'epoch' RETURNING updated_at"
            ).fetchone()
        assert inserted is not None
        assert updated is not None
        assert updated[0] > inserted[0]
        runner.rollback(history.project, empty_database.direct, to="base")
        assert query(empty_database.direct, "SELECT proname FROM pg_proc WHERE proname LIKE 'bough%'") == []
