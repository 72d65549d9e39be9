"""Two migrations of one database at once."""

from __future__ import annotations

import multiprocessing
import time
from typing import TYPE_CHECKING, Any

import psycopg
import pytest

from infra.migrate import lock, runner
from infra.migrate.errors import (
    MigrationLockedError,
)
from tests.support.histories import query

if TYPE_CHECKING:
    from infra.config import Project
    from infra.testing.databases import Database
    from tests.support.histories import History


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
        history.write_three_tables()
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
        context = multiprocessing.get_context("spawn")
        results = context.Queue()
        arguments = (history.project, empty_database.direct.libpq(), results)
        first = context.Process(target=apply_in_another_process, args=arguments)
        first.start()
        held = (
            f"SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND objid = {lock.KEY & 0xFFFFFFFF}"
        )
        end = time.monotonic() + 30
        while query(empty_database.direct, held) == [(0,)] and time.monotonic() < end:
            time.sleep(0.02)
        assert runner.apply(history.project, empty_database.direct).runs == ()
        assert results.get(timeout=30) == ["one", "two"]
        first.join()
