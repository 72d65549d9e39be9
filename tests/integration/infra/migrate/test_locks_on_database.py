"""The linter's table of locks and work, held against PostgreSQL itself."""

from __future__ import annotations

from typing import TYPE_CHECKING

import psycopg
import pytest

from infra.migrate.linting.effects import Work
from infra.migrate.lock_modes import MODES
from tests.support.locking_statements import BEFORE, STATEMENTS

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

    from infra.testing.databases import World

#: Besides `BEFORE`: what the statements name, and rows that a scan would read.
MORE = """
    INSERT INTO b SELECT generate_series(1, 300);
    INSERT INTO a SELECT i, i, i, i, now(), i FROM generate_series(1, 300) AS i;
    CREATE SCHEMA "A"; CREATE TABLE "A"."b c" ();
    CREATE TABLE p (LIKE a) PARTITION BY LIST (id);
    CREATE TABLE q PARTITION OF p FOR VALUES IN (1000);
    CREATE TABLE pp (id int) PARTITION BY LIST (id);
    CREATE MATERIALIZED VIEW m AS SELECT 1;
    CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';
    CREATE TRIGGER t BEFORE INSERT ON a EXECUTE FUNCTION f();
    ANALYZE a, b;
"""
LOCKS = "SELECT relation, mode FROM pg_locks WHERE pid = pg_backend_pid() AND locktype = 'relation'"
STATE = """
    SELECT c.oid, n.nspname || '.' || relname, pg_relation_filenode(c.oid),
        pg_stat_get_xact_tuples_returned(c.oid)
    FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
    WHERE relkind IN ('r', 'p', 'm') AND nspname IN ('public', 'A')
"""

#: Not in a transaction.
OUTSIDE = ("CONCURRENTLY", "VACUUM")
ROWS = 300


@pytest.fixture(scope="module")
def connection(world: World) -> Iterator[psycopg.Connection[Any]]:
    """A database with the tables; its time zone makes `timestamptz` another value than `timestamp`."""
    with world.new_database() as database, psycopg.connect(database.superuser.libpq()) as opened:
        opened.execute("CREATE TABLE b (id int PRIMARY KEY)")
        opened.execute(BEFORE.encode())
        opened.execute(MORE.encode())
        opened.execute("SET timezone = 'Europe/Berlin'")
        opened.commit()
        yield opened


def run(connection: psycopg.Connection[Any], statement: str) -> tuple[dict[str, str], dict[str, Work]]:
    """Run a statement and roll it back; return the strongest locks, and what was done to the same tables."""
    with connection.transaction(force_rollback=True):
        before = {oid: rest for oid, *rest in connection.execute(STATE.encode())}
        connection.execute(statement.encode())
        locks: dict[str, str] = {}
        # What the statement has made is not there yet; catalogs are everybody's.
        for oid, mode in connection.execute(LOCKS):
            if oid in before and mode != "AccessShareLock":
                name = before[oid][0]
                locks[name] = max(locks.get(name, mode), mode, key=MODES.index)
        works = {}
        for oid, name, file, read in connection.execute(STATE.encode()):
            if oid in before and name in locks:
                scanned = Work.SCAN if read - before[oid][2] >= ROWS else Work.INSTANT
                works[before[oid][0]] = Work.REWRITE if file != before[oid][1] else scanned
    return locks, works


class TestRead:
    """`read`."""

    @pytest.mark.parametrize(
        ("statement", "expected"),
        [each for each in STATEMENTS if not any(word in each[0] for word in OUTSIDE)],
    )
    def test_says_what_postgresql_does(
        self, connection: psycopg.Connection[Any], statement: str, expected: list[tuple[str, str, Work]]
    ) -> None:
        """The strongest lock on each table that was there; whether it was written anew, or read."""
        locks, works = run(connection, statement)
        said = [
            (name if "." in name else f"public.{name}", f"{mode}Lock", work) for name, mode, work in expected
        ]
        assert locks == {name: mode for name, mode, _ in said if name != "public.d"}
        for name, _, work in said:
            # To build an index is to read the table. Changing rows may take an index; emptying is a new file.
            if name in works and work is not Work.ROWS and not statement.startswith("TRUNCATE"):
                assert works[name] is (Work.SCAN if work is Work.BUILD else work), name
