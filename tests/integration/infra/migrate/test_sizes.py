"""How many rows tables are taken to have."""

from __future__ import annotations

from typing import TYPE_CHECKING

import psycopg

from infra.migrate.sizes import estimated_rows
from tests.support.histories import run_script

if TYPE_CHECKING:
    from infra.testing.databases import Database

TABLES = """
    CREATE TABLE parted (id int) PARTITION BY LIST (id);
    CREATE TABLE part PARTITION OF parted DEFAULT;
    INSERT INTO parted SELECT generate_series(1, 30);
    CREATE TABLE "Two Words" AS SELECT generate_series(1, 7);
    CREATE TABLE hidden AS SELECT generate_series(1, 1000);
    ALTER TABLE hidden ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
    CREATE TABLE analysed AS SELECT generate_series(1, 500);
    ANALYZE analysed;
"""


class TestEstimatedRows:
    """`estimated_rows`."""

    def test_has_tables_that_nobody_has_analysed(self, empty_database: Database) -> None:
        """They are counted; by their size, where the role may not see all of their rows."""
        run_script(empty_database.direct, TABLES)
        run_script(
            empty_database.superuser,
            "CREATE SCHEMA theirs; CREATE TABLE theirs.t AS SELECT generate_series(1, 1000)",
        )
        with psycopg.connect(empty_database.direct.libpq(), autocommit=True) as connection:
            found = estimated_rows(connection)
        guessed = {name: found.pop(name) for name in ("public.hidden", "theirs.t")}
        assert found == {
            "public.parted": 30,
            "public.part": 30,
            'public."Two Words"': 7,
            "public.analysed": 500,
        }
        assert all(100 < rows < 10_000 for rows in guessed.values())

    def test_asks_for_a_hundred_at_once(self, empty_database: Database) -> None:
        """The way to a server takes longer than to count the rows of a small table."""
        tables = "".join(f"CREATE TABLE t{i} AS SELECT generate_series(1, {i}); " for i in range(1, 121))
        run_script(empty_database.direct, tables)
        with psycopg.connect(empty_database.direct.libpq(), autocommit=True) as connection:
            sent = CountingConnection(connection)
            assert estimated_rows(sent) == {f"public.t{i}": i for i in range(1, 121)}  # type: ignore[arg-type]
        assert sent.questions == 3


class CountingConnection:
    """A connection that counts what it is asked through libpq."""

    def __init__(self, connection: psycopg.Connection) -> None:
        """Stand before a connection."""
        self.pgconn, self.info = self, connection.info
        self._libpq = connection.pgconn
        self.questions = 0

    def exec_(self, query: bytes) -> object:
        """Pass a question on."""
        self.questions += 1
        return self._libpq.exec_(query)
