"""Two migrations of one database at once."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import psycopg
import pytest

from infra.migrate import lock, runner
from infra.migrate.errors import LockNotHeldError, MigrationLockedError
from tests.support.histories import query, tables
from tests.support.runners import new_results, start_runner

if TYPE_CHECKING:
    from infra.testing.databases import Database
    from tests.support.histories import History


class TestLock:
    """Two migrations of one database."""

    def test_of_ten_runners_one_applies(self, history: History, empty_database: Database) -> None:
        """Each revision runs once, and all ten succeed."""
        history.write_three_tables()
        history.write(
            "two", "one", "op.execute('CREATE TABLE b (id int)')\nop.execute('SELECT pg_sleep(0.5)')"
        )
        results = new_results()
        runners = [start_runner(history.project, empty_database.direct, results) for _ in range(10)]
        ran = sorted(results.get(timeout=60) for _ in runners)
        for process in runners:
            process.join()
        assert ran == [*[[]] * 9, ["one", "two", "three"]]
        assert {process.exitcode for process in runners} == {0}

    def test_is_missed_when_a_revision_lets_go_of_it(
        self, history: History, empty_database: Database
    ) -> None:
        """What ran without the lock is not committed."""
        history.write(
            "one",
            None,
            "op.execute('CREATE TABLE a (id int)')\nop.execute('SELECT pg_advisory_unlock_all()')",
        )
        with pytest.raises(LockNotHeldError) as failure:
            runner.apply(history.project, empty_database.direct)
        assert "pg_advisory_unlock_all" in (failure.value.hint or "")
        assert tables(empty_database.direct) == set()

    def test_names_the_holder_when_the_wait_ends(self, history: History, empty_database: Database) -> None:
        """The error has the holder's process id and name."""
        history.write_three_tables()
        with psycopg.connect(
            empty_database.direct.libpq(), autocommit=True, application_name="the other"
        ) as other:
            other.execute("SELECT pg_advisory_lock(%s)", (lock.KEY,))
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
        results = new_results()
        first = start_runner(history.project, empty_database.direct, results)
        held = (
            f"SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND objid = {lock.KEY & 0xFFFFFFFF}"
        )
        end = time.monotonic() + 30
        while query(empty_database.direct, held) == [(0,)] and time.monotonic() < end:
            time.sleep(0.02)
        assert runner.apply(history.project, empty_database.direct).runs == ()
        assert results.get(timeout=30) == ["one", "two"]
        first.join()
