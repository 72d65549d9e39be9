"""What is measured where a revision handles its transactions itself, or is tried again."""

from __future__ import annotations

from typing import TYPE_CHECKING

import psycopg

from api.database.timeouts import Timeouts
from infra.migrate import blockers, runner
from infra.migrate.rehearsal.measurement import Measurement
from infra.migrate.rehearsal.verdict import judge
from tests.support.histories import run_script
from tests.support.measurements import TABLES, locks_of, measured, read, statement
from tests.support.tcp_proxy import TcpProxy

if TYPE_CHECKING:
    import pytest

    from infra.testing.databases import Database
    from tests.support.histories import History

ADD = statement("ALTER TABLE users ADD COLUMN a int")


class TestTransactions:
    """A revision's own transactions."""

    def test_a_savepoint_that_is_rolled_back_ends_its_locks(
        self, history: History, empty_database: Database
    ) -> None:
        """The lock is held until then, not to the end; and nothing counts as rewritten by coming back."""
        run_script(empty_database.direct, TABLES)
        (measure,) = measured(
            history,
            empty_database,
            "with op.get_bind().begin_nested() as savepoint:\n"
            f"    {statement('ALTER TABLE users ALTER age TYPE bigint')}\n"
            "    savepoint.rollback()\n"
            f"{statement('SELECT pg_sleep(0.2)')}",
        )
        assert [each.tag for each in measure.statements] == ["SAVEPOINT", "ALTER TABLE", "ROLLBACK", "SELECT"]
        assert [len(each.rewrites) for each in measure.statements] == [0, 2, 0, 0]
        (lock,) = measure.locks
        assert lock.released <= measure.statements[3].started
        assert {each.transaction for each in measure.statements} == {0}

    def test_a_commit_of_its_own_ends_its_locks(self, history: History, empty_database: Database) -> None:
        """What follows is another transaction."""
        run_script(empty_database.direct, TABLES)
        (measure,) = measured(
            history, empty_database, f"{ADD}\n{statement('COMMIT')}\n{statement('UPDATE users SET a = 1')}"
        )
        add, commit, update = measure.statements
        assert (add.transaction, commit.transaction, update.transaction) == (0, 0, 1)
        exclusive, rows = measure.locks
        assert (exclusive.mode, exclusive.released) == (
            "AccessExclusiveLock",
            commit.started + commit.seconds,
        )
        assert (rows.mode, rows.statement) == ("RowExclusiveLock", 2)

    def test_leaves_the_first_snapshot_to_the_revision(
        self, history: History, empty_database: Database
    ) -> None:
        """Isolation can be set in two steps, which no query may precede."""
        run_script(empty_database.direct, TABLES)
        isolation = "\n".join(
            statement(f"SET TRANSACTION {each}") for each in ("ISOLATION LEVEL SERIALIZABLE", "READ WRITE")
        )
        _, measure = measured(
            history, empty_database, "pass", f"{isolation}\n{statement('SELECT count(*) FROM users')}"
        )
        assert read(measure.statements[-1]) == {"users": 2000}

    def test_finds_an_index_that_was_left_unfinished(
        self, history: History, empty_database: Database
    ) -> None:
        """Also where the revision swallows the error."""
        run_script(empty_database.direct, f"{TABLES} UPDATE users SET age = 1")
        (measure,) = measured(
            history,
            empty_database,
            "with op.get_context().autocommit_block():\n    try:\n"
            f"        {statement('CREATE UNIQUE INDEX CONCURRENTLY ix ON users (age)')}\n"
            "    except sa.exc.IntegrityError:\n        pass",
        )
        assert measure.invalid_indexes == ("public.ix",)
        assert (measure.statements[0].tag, measure.statements[0].rows) == ("", None)
        assert [finding.rule for finding in judge(measure, history.project.migrate)] == ["index-left-invalid"]

    def test_measures_the_try_that_came_through(self, history: History, empty_database: Database) -> None:
        """A statement that waited in vain is forgotten with its try."""
        run_script(empty_database.direct, TABLES)
        history.write("r0", None, f"{statement('SELECT count(*) FROM posts')}\n{ADD}")
        measurement = Measurement()
        with psycopg.connect(empty_database.direct.libpq()) as other:
            other.execute("SELECT FROM users LIMIT 1")
            report = runner.apply(
                history.project,
                empty_database.direct,
                observer=measurement,
                timeouts=Timeouts(lock=0.1),
                announce=lambda text: other.rollback() if "try 2" in text else None,
            )
        assert [run.attempts for run in report.runs] == [2]
        (measure,) = measurement.results()
        assert [each.tag for each in measure.statements] == ["SELECT", "ALTER TABLE"]
        assert locks_of(measure) == {("posts", "AccessShare"), ("users", "AccessExclusive")}
        assert measure.started > 0.5  # the wait between the two


class TestCounts:
    """What is counted, and what counting costs."""

    def test_counts_what_parallel_workers_read(self, history: History, empty_database: Database) -> None:
        """They hand in their numbers when they end, before the statement does."""
        run_script(empty_database.direct, f"{TABLES} ALTER TABLE users SET (parallel_workers = 2)")
        (measure,) = measured(history, empty_database, statement("CREATE INDEX ix ON users (age)"))
        assert read(measure.statements[0]) == {"users": 2000}

    def test_scales_to_the_rows_that_a_copy_lacks(self, history: History, empty_database: Database) -> None:
        """Some rows stand for all; of none, a scan stands for one of all."""
        run_script(empty_database.direct, f"{TABLES} TRUNCATE posts")
        history.write(
            "r0",
            None,
            f"{ADD}\n{statement('UPDATE users SET a = 1 WHERE id <= 1000')}\n"
            f"{statement('ALTER TABLE posts ALTER body SET NOT NULL')}",
        )
        measurement = Measurement({"public.users": 1_000_000, "public.posts": 3_000_000})
        runner.apply(history.project, empty_database.direct, observer=measurement)
        (measure,) = measurement.results()
        _, update, not_null = measure.statements
        assert (update.rows, update.changed, read(update)) == (1000, 500_000, {"users": 1_000_000})
        assert read(not_null) == {"posts": 3_000_000}
        assert {lock.rows for lock in measure.locks} == {1_000_000, 3_000_000}

    def test_asks_once_after_each_statement(
        self, history: History, empty_database: Database, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """One round trip each, one for each revision, and three for the run."""
        # Who blocks is asked over the same proxy, where a run takes longer than this.
        monkeypatch.setattr(blockers, "_LONGEST_INTERVAL", 60.0)
        history.write("r0", None, "pass")
        history.write("r1", "r0", "\n".join([statement("SELECT 1")] * 10))
        runner.apply(history.project, empty_database.direct)
        counts = []
        with TcpProxy(empty_database.direct.port) as proxy:
            url = empty_database.direct.replace(port=proxy.port)
            for observer in (None, Measurement()):
                runner.rollback(history.project, empty_database.direct, to="base")
                proxy.reset()
                runner.apply(history.project, url, observer=observer, timeouts=Timeouts(lock=300))
                counts.append(proxy.round_trips)
        assert counts[1] - counts[0] == 10 + 2 + 3
