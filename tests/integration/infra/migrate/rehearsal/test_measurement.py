"""What is measured of revisions, on a real PostgreSQL: times, rows, transactions, lines."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from infra.migrate import runner
from infra.migrate.errors import MeasurementError, RevisionFailedError
from infra.migrate.rehearsal.measurement import Measurement
from tests.support.histories import run_script
from tests.support.measurements import TABLES, in_autocommit, measured, read, statement

if TYPE_CHECKING:
    from infra.testing.databases import Database
    from tests.support.histories import History


class TestLocks:
    """For how long locks are held."""

    def test_holds_a_lock_to_the_end_of_the_transaction(
        self, history: History, empty_database: Database
    ) -> None:
        """ADD COLUMN takes no time; the UPDATE after it makes its lock last."""
        run_script(empty_database.direct, TABLES)
        (measure,) = measured(
            history,
            empty_database,
            f"{statement('ALTER TABLE users ADD COLUMN active bool')}\n"
            f"{statement('UPDATE users SET active = true')}\n{statement('SELECT pg_sleep(0.2)')}",
        )
        add, update, sleep = measure.statements
        (lock,) = measure.locks
        assert (lock.relation, lock.mode, lock.rows, lock.statement) == (
            "public.users",
            "AccessExclusiveLock",
            2000,
            add.index,
        )
        assert lock.acquired == add.started
        assert lock.released >= sleep.started + sleep.seconds
        assert lock.held > 0.2
        assert (update.tag, update.rows, update.changed, update.transaction) == ("UPDATE", 2000, 2000, 0)
        assert measure.started + measure.seconds >= lock.released


class TestStatements:
    """What counts as a statement, and where it comes from."""

    def test_names_the_line(self, history: History, empty_database: Database) -> None:
        """That of the revision's file, through helpers too; bookkeeping is left out."""
        run_script(empty_database.direct, TABLES)
        (measure,) = measured(
            history,
            empty_database,
            "from migrations import operations\n"
            "operations.enable_row_level_security(op, 'users')\n"
            "op.bulk_insert(sa.table('posts', sa.column('body')), [{'body': 'a'}, {'body': 'b'}])",
        )
        assert [(each.tag, each.line, each.rows) for each in measure.statements] == [
            ("ALTER TABLE", 13, None),
            ("INSERT", 14, 2),
        ]

    def test_sees_a_copy_that_passes_sqlalchemy_by(self, history: History, empty_database: Database) -> None:
        """COPY is psycopg's own."""
        run_script(empty_database.direct, TABLES)
        (measure,) = measured(
            history,
            empty_database,
            "cursor = op.get_bind().connection.driver_connection.cursor()\n"
            "with cursor.copy('COPY posts (body) FROM STDIN') as copy:\n    copy.write_row(['a'])",
        )
        (copy,) = measure.statements
        assert (copy.sql, copy.tag, copy.rows, copy.changed) == ("COPY posts (body) FROM STDIN", "COPY", 1, 1)

    def test_measures_revisions_apart(self, history: History, empty_database: Database) -> None:
        """Each has statements, times and rows of its own; one without statements has none."""
        run_script(empty_database.direct, TABLES)
        first, empty, last = measured(
            history,
            empty_database,
            statement("SELECT count(*) FROM posts"),
            "pass",
            f"{statement('CREATE INDEX ix_users_age ON users (age)')}\n"
            f"{in_autocommit('CREATE INDEX CONCURRENTLY ix_posts_user_id ON posts (user_id)')}\n"
            f"{statement('INSERT INTO posts (body) VALUES (1)')}",
        )
        assert [read(each) for each in first.statements] == [{"posts": 2000}]
        assert (empty.statements, empty.locks, empty.size_change) == ((), (), 0)
        assert first.started < empty.started < last.started
        index, concurrently, insert = last.statements
        assert [each.transaction for each in last.statements] == [0, None, 1]
        assert read(index) == {"users": 2000}
        assert read(concurrently) == {"posts": 4000}
        assert (insert.changed, read(insert)) == (1, {})
        assert index.wal_bytes > 0
        assert last.size_change > 0


class TestFailures:
    """What goes wrong."""

    def test_forgets_an_attempt_that_failed(self, history: History, empty_database: Database) -> None:
        """What was measured of a revision that did not come through is not told."""
        run_script(empty_database.direct, TABLES)
        history.write("r0", None, statement("SELECT 1"))
        history.write("r1", "r0", f"{statement('SELECT 2')}\n{statement('SELECT 1/0')}")
        measurement = Measurement()
        with pytest.raises(RevisionFailedError):
            runner.apply(history.project, empty_database.direct, observer=measurement)
        assert [each.revision.id for each in measurement.results()] == ["r0"]
        history.write("r1", "r0", statement("SELECT 2"))
        runner.apply(history.project, empty_database.direct, observer=measurement)
        assert [len(each.statements) for each in measurement.results()] == [1, 1]

    def test_tells_of_a_question_that_was_refused(self, history: History, empty_database: Database) -> None:
        """The revision runs; its measures are refused, with the reason."""
        run_script(
            empty_database.superuser, "REVOKE EXECUTE ON FUNCTION pg_current_wal_insert_lsn() FROM PUBLIC"
        )
        history.write("r0", None, statement("SELECT 1"))
        measurement = Measurement()
        assert runner.apply(history.project, empty_database.direct, observer=measurement).current == ("r0",)
        with pytest.raises(MeasurementError, match="cannot be measured: permission denied"):
            measurement.results()

    def test_survives_the_end_of_the_second_connection(
        self, history: History, empty_database: Database
    ) -> None:
        """The revision runs on; what was measured without its locks is refused."""
        end = (
            "SELECT pg_terminate_backend(pid), pg_sleep(0.1) FROM pg_stat_activity "
            "WHERE pid <> pg_backend_pid() AND usename = current_user AND datname = current_database()"
        )
        history.write("r0", None, in_autocommit(end, "VACUUM"))
        measurement = Measurement()
        assert runner.apply(history.project, empty_database.direct, observer=measurement).current == ("r0",)
        with pytest.raises(MeasurementError, match="cannot be measured"):
            measurement.results()
