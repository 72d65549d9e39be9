"""Backfills of real tables."""

from __future__ import annotations

import random
import signal
import threading
import time
from typing import TYPE_CHECKING

import psycopg
import pytest

from infra.migrate.backfill.errors import (
    BackfillRunningError,
)
from infra.migrate.backfill.pace import Pace
from infra.migrate.backfill.state import Position, states
from tests.support.backfills import defined, make, run_here, start_elsewhere, times
from tests.support.histories import query, run_script

if TYPE_CHECKING:
    from infra.migrate.backfill.run import Progress
    from infra.testing.databases import Database

KEYS = [
    pytest.param("id bigint PRIMARY KEY", "n * n", id="with gaps"),
    pytest.param("a text, b int, PRIMARY KEY (b, a)", "chr(65 + n % 26), n / 10", id="of two columns"),
    pytest.param('"Key %s" uuid PRIMARY KEY', "gen_random_uuid()", id="random"),
    pytest.param("at timestamptz PRIMARY KEY", "now() - n * interval '1.000001 seconds'", id="of time"),
]


class TestRun:
    """`run`."""

    def test_changes_every_row_once(self, empty_database: Database) -> None:
        """In batches that grow while they are quick; a second pass finds nothing left."""
        make(empty_database, 20_000)
        seen: list[Progress] = []
        said: list[str] = []
        state = run_here(empty_database, progress=seen.append, announce=said.append)
        assert times(empty_database) == {1: 20_000}
        assert (state.changed, state.relation) == (20_000, "public.things")
        assert state.position == Position(2, ("60000",), seen=20_000)
        assert state.finished_at is not None
        assert not state.is_running
        assert seen[0].position.seen == 500
        assert seen[1].position.seen == 1500
        assert {each.rows for each in seen} == {20_000}
        assert said[0].startswith("→ test_")

    @pytest.mark.parametrize(("key", "values"), KEYS)
    def test_goes_along_any_key(self, empty_database: Database, key: str, values: str) -> None:
        """Of whatever columns and types it is, over several batches, and with times in any form."""
        database = psycopg.sql.Identifier(empty_database.name).as_string()
        run_script(empty_database.direct, f"ALTER DATABASE {database} SET datestyle = 'German'")
        run_script(
            empty_database.direct,
            f"CREATE TABLE things ({key}, done boolean NOT NULL DEFAULT false);"
            f"INSERT INTO things SELECT {values} FROM generate_series(1, 1200) AS n",
        )
        assert run_here(empty_database).changed == 1200
        assert query(empty_database.direct, "SELECT DISTINCT done FROM things") == [(True,)]

    def test_deletes(self, empty_database: Database) -> None:
        """Only what the definition says; a comment and a percent sign in it are SQL like any other."""
        make(empty_database, 1000)
        state = run_here(empty_database, defined(set=None, where="id::text LIKE '%2%' -- those with a 2"))
        assert state.changed == sum("2" in str(3 * n) for n in range(1, 1001))
        assert query(empty_database.direct, "SELECT count(*) FROM things WHERE id::text LIKE '%2%'") == [(0,)]

    def test_finds_rows_that_come_behind_it(self, empty_database: Database) -> None:
        """Where keys are random, the next pass has them."""
        make(empty_database, 1000)
        behind: list[bool] = []

        def add(_progress: Progress) -> None:
            if not behind:
                behind.append(True)
                run_script(empty_database.direct, "INSERT INTO things VALUES (1)")

        assert run_here(empty_database, progress=add).changed == 1001
        assert times(empty_database) == {1: 1001}

    def test_is_done_once(self, empty_database: Database) -> None:
        """What is finished stays so, unless one asks for it again."""
        make(empty_database, 10)
        first = run_here(empty_database)
        run_script(empty_database.direct, "UPDATE things SET done = false")
        said: list[str] = []
        assert run_here(empty_database, announce=said.append) == first
        assert said[1:] == ["It is finished, and nothing was run; --again starts over"]
        assert run_here(empty_database, again=True).changed == 10

    @pytest.mark.parametrize("kills", [1, pytest.param(6, marks=pytest.mark.prove)])
    def test_loses_and_repeats_nothing_when_killed(self, empty_database: Database, kills: int) -> None:
        """SIGKILL at any moment; the next run goes on after the last batch that was committed."""
        make(empty_database, 1000 * kills)
        # Slow, so that it is killed within batches.
        run_script(
            empty_database.direct,
            "CREATE OR REPLACE FUNCTION count_change() RETURNS trigger LANGUAGE plpgsql AS"
            " 'BEGIN PERFORM pg_sleep(0.0001); NEW.times := OLD.times + 1; RETURN NEW; END'",
        )
        pick = random.Random(7)
        for _ in range(kills):
            process = start_elsewhere(empty_database)
            assert process.stdout is not None
            assert process.stdout.readline() == "batch\n"
            time.sleep(pick.uniform(0, 0.1))
            process.send_signal(signal.SIGKILL)
            process.communicate()
            assert set(times(empty_database)) == {0, 1}
        assert run_here(empty_database).changed == 1000 * kills
        assert times(empty_database) == {1: 1000 * kills}

    def test_comes_back_to_rows_that_others_hold(self, empty_database: Database) -> None:
        """Nobody waits for anybody; a row that its holder then changes is taken as it is."""
        make(empty_database, 1000)
        said: list[str] = []
        with psycopg.connect(empty_database.direct.libpq()) as holder:
            holder.execute("UPDATE things SET times = 40 WHERE id IN (3, 6)")

            def announce(sentence: str) -> None:
                said.append(sentence)
                if "locked" in sentence:
                    holder.commit()

            state = run_here(empty_database, announce=announce)
        assert "Waiting: other sessions have locked 2 rows" in said
        assert state.changed == 1000
        assert times(empty_database) == {1: 998, 2: 2}

    def test_waits_while_the_table_is_locked(self, empty_database: Database) -> None:
        """Also while somebody waits for it: the next batch would be in the way."""
        make(empty_database, 1000)
        said: list[str] = []
        with psycopg.connect(empty_database.direct.libpq()) as holder:

            def lock(_progress: Progress) -> None:
                if not said[1:]:
                    holder.execute("LOCK TABLE things IN SHARE MODE")

            def announce(sentence: str) -> None:
                said.append(sentence)
                if "timeout" in sentence:
                    holder.rollback()

            assert run_here(empty_database, announce=announce, progress=lock).changed == 1000
        assert said[1:] == ["Waiting: canceling statement due to lock timeout"]

    def test_stays_out_of_the_way_of_who_waits_for_the_table(self, empty_database: Database) -> None:
        """A migration that waits for its lock gets it before the next batch."""
        make(empty_database, 1000)
        said: list[str] = []
        waiters: list[threading.Thread] = []
        with psycopg.connect(empty_database.direct.libpq()) as reader:

            def wait_for_the_table(_progress: Progress) -> None:
                if not waiters:
                    reader.execute("SELECT FROM things LIMIT 1")
                    alter = "ALTER TABLE things ADD note text"
                    waiters.append(threading.Thread(target=run_script, args=(empty_database.direct, alter)))
                    waiters[0].start()
                    while not query(empty_database.direct, "SELECT FROM pg_locks WHERE NOT granted"):
                        time.sleep(0.01)

            def announce(sentence: str) -> None:
                said.append(sentence)
                if "waits for a lock" in sentence:
                    reader.rollback()

            run_here(empty_database, announce=announce, progress=wait_for_the_table)
            waiters[0].join()
        assert said[1:] == ["Waiting: another session waits for a lock on the table"]
        assert times(empty_database) == {1: 1000}

    def test_runs_once_at_a_time(self, empty_database: Database) -> None:
        """A second one of its name is refused, another name is not."""
        make(empty_database, 1000)
        refused: list[str] = []
        said: list[str] = []

        def second(_progress: Progress) -> None:
            with pytest.raises(BackfillRunningError) as caught:
                run_here(empty_database, lock_wait=0.1, announce=said.append)
            refused.append(str(caught.value))
            with psycopg.connect(empty_database.direct.libpq()) as connection:
                (found,) = states(connection)
            assert found.is_running
            assert found.finished_at is None

        run_here(empty_database, progress=second)
        assert set(refused) == {"backfill mark is running on this database already"}
        assert said[1] == "Waiting up to 0.1 s for another run of this backfill"
        assert times(empty_database) == {1: 1000}

    def test_keeps_to_a_rate(self, empty_database: Database) -> None:
        """Its batches and pauses are made for it."""
        make(empty_database, 30)
        seen: list[Progress] = []
        run_here(empty_database, pace=Pace(rate=2000, pause=0), progress=seen.append)
        assert seen[0].position.seen == 30
