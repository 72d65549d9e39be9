"""What a batch sends to the server."""

from __future__ import annotations

import tempfile
from typing import TYPE_CHECKING

import psycopg

from infra.migrate.backfill.statements import Change, Statements
from tests.support.backfills import COUNTED, DONE
from tests.support.histories import run_script

if TYPE_CHECKING:
    from infra.testing.databases import Database


class TestStatements:
    """`Statements`."""

    def test_a_batch_of_any_size_is_two_statements(self, empty_database: Database) -> None:
        """Where it ends, and the change; rows do not leave the server."""
        run_script(empty_database.direct, COUNTED.format(rows=1000))
        with (
            psycopg.connect(empty_database.direct.libpq(), autocommit=True) as connection,
            tempfile.TemporaryFile("w+") as trace,
        ):
            statements = Statements.of(connection, DONE)
            connection.pgconn.trace(trace.fileno())
            end = statements.end_of_batch(connection, ("3",), 900)
            assert end == (("2703",), 900)
            done = Change(changed=900, skipped=0, kept=0, again=0)
            assert statements.change(connection, ("3",), end[0]) == done
            connection.pgconn.untrace()
            trace.seek(0)
            lines = [line.split("\t") for line in trace.read().splitlines()]
        messages = [tuple(line[1:4:2]) for line in lines]
        assert messages.count(("F", "Sync")) == 2
        assert messages.count(("B", "DataRow")) == 2

    def test_a_batch_is_found_in_the_keys_index(self, empty_database: Database) -> None:
        """However far it is, nothing before it is read."""
        run_script(empty_database.direct, COUNTED.format(rows=5000))
        with psycopg.connect(empty_database.direct.libpq(), autocommit=True) as connection:
            plan = Statements.of(connection, DONE).plan(connection, ("12000",), 100)
        assert "Index Scan using things_pkey on things" in plan
        assert "Seq Scan" not in plan

    def test_a_partitioned_table_has_the_rows_of_its_partitions(self, empty_database: Database) -> None:
        """Once each, also where the table itself was analysed."""
        run_script(
            empty_database.direct,
            "CREATE TABLE things (id bigint PRIMARY KEY, done boolean NOT NULL DEFAULT false)"
            " PARTITION BY RANGE (id);"
            "CREATE TABLE few PARTITION OF things FOR VALUES FROM (0) TO (100);"
            "CREATE TABLE many PARTITION OF things FOR VALUES FROM (100) TO (MAXVALUE);"
            "INSERT INTO things SELECT generate_series(1, 700); ANALYZE things",
        )
        with psycopg.connect(empty_database.direct.libpq(), autocommit=True) as connection:
            assert Statements.of(connection, DONE).rows == 700
