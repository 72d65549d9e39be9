"""Revisions that are tried again."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import psycopg
import pytest

from api.database.timeouts import Timeouts
from infra.migrate import runner
from infra.migrate.errors import RevisionLockTimeoutError
from tests.support.histories import query, recorded

if TYPE_CHECKING:
    import sqlalchemy as sa

    from api.database.connection_url import DirectUrl
    from infra.migrate.history import Revision
    from infra.testing.databases import Database
    from tests.support.histories import History

QUICK = Timeouts(lock=0.2)


@pytest.fixture
def tables(history: History, empty_database: Database) -> None:
    """Two tables, and two pending revisions, of which the second needs a lock on `a`."""
    history.write("one", None, "op.execute('CREATE TABLE a (id int)')\nop.execute('CREATE TABLE b (id int)')")
    runner.apply(history.project, empty_database.direct)
    history.write("two", "one", "op.execute('CREATE TABLE c (id int)')")
    history.write("three", "two", "op.execute('ALTER TABLE a ADD COLUMN n int')")


class Watching:
    """Notes what the runner says to an observer."""

    def __init__(self) -> None:
        self.seen: list[Any] = []

    def attempt(self, connection: sa.Connection, url: DirectUrl, plan: tuple[Revision, ...]) -> None:
        assert not connection.in_transaction()
        self.seen.append([revision.id for revision in plan])

    def done(self, revision: Revision) -> None:
        self.seen.append(revision.id)

    def ended(self) -> None:
        self.seen.append("ended")


@pytest.mark.usefixtures("tables")
class TestApply:
    """`apply`, when a revision meets others."""

    def test_waits_for_a_busy_table_and_names_who_holds_it(
        self, history: History, empty_database: Database
    ) -> None:
        """Each wait is announced, the report counts the tries, and only what is left is run again."""
        said: list[str] = []
        watching = Watching()
        with psycopg.connect(empty_database.direct.libpq(), application_name="a report") as busy:
            busy.execute("LOCK TABLE a")
            threading.Timer(0.5, busy.commit).start()
            report = runner.apply(
                history.project,
                empty_database.direct,
                timeouts=QUICK,
                announce=said.append,
                observer=watching,
            )
            pid = busy.info.backend_pid
        tries = report.runs[1].attempts
        assert [(run.id, run.attempts) for run in report.runs] == [("two", 1), ("three", tries)]
        assert tries > 1
        waits = [line for line in said if line.startswith("three: ")]
        assert len(waits) == tries - 1
        expected = (
            f"three: a is locked by server process {pid} (a report), whose transaction has been open for"
        )
        assert waits[0].startswith(expected)
        assert "try 2 of 5 in " in waits[0]
        assert watching.seen == [
            ["two", "three"],
            "two",
            "ended",
            *[["three"], "ended"] * (tries - 2),
            ["three"],
            "three",
            "ended",
        ]

    def test_gives_up_after_the_tries_that_are_set(self, history: History, empty_database: Database) -> None:
        """The error says how often, and who stood in the way last."""
        with psycopg.connect(empty_database.direct.libpq()) as busy:
            busy.execute("LOCK TABLE a")
            with pytest.raises(
                RevisionLockTimeoutError, match=r"0.2 s for a lock, 2 times \(a is locked by .*; 1 before it"
            ):
                runner.apply(history.project, empty_database.direct, timeouts=QUICK, attempts=2)
        assert set(recorded(empty_database.direct)) == {"one", "two"}

    def test_tries_again_after_a_deadlock(self, history: History, empty_database: Database) -> None:
        """The victim is this migration, and nothing of its try stays."""
        history.write(
            "two", "one", "op.execute('LOCK TABLE a')\nop.execute('ALTER TABLE b ADD COLUMN n int')"
        )
        waiting = "SELECT count(*) FROM pg_locks WHERE NOT granted AND relation = 'b'::regclass"
        with psycopg.connect(empty_database.direct.libpq()) as other, ThreadPoolExecutor() as threads:
            other.execute("LOCK TABLE b")
            applied = threads.submit(runner.apply, history.project, empty_database.direct)
            while query(empty_database.direct, waiting) == [(0,)]:
                time.sleep(0.01)
            # It looks for a deadlock after a second; the other one would look later.
            time.sleep(0.2)
            other.execute("LOCK TABLE a")
            other.commit()
            assert [run.attempts for run in applied.result(timeout=30).runs] == [2, 1]
