"""What a target database keeps of rehearsals, and for how long."""

from __future__ import annotations

from typing import TYPE_CHECKING

import psycopg

from infra.migrate import records
from infra.migrate.catalog import Catalog, snapshot

if TYPE_CHECKING:
    from infra.migrate.connection import Connection
    from infra.testing.databases import Database


def record(connection: Connection, *schemas: Catalog) -> None:
    """Record a rehearsal that has seen schemas."""
    remembered = {"fingerprint": "", "base": None, "head": "one", "verdict": "safe"}
    steps = [{"schema": schema.digest} for schema in schemas]
    records.record_rehearsal(connection, {**remembered, "steps": steps}, {}, schemas)


class TestRecordRehearsal:
    """`record_rehearsal`."""

    def test_keeps_the_newest_and_what_those_have_seen(self, empty_database: Database) -> None:
        """A hundred of them, and each schema once."""
        with psycopg.connect(empty_database.direct.libpq(), autocommit=True) as connection:
            before = snapshot(connection)
            record(connection, before)
            connection.execute("CREATE TABLE a (id int PRIMARY KEY)")
            after = snapshot(connection)
            connection.execute(
                "INSERT INTO bough_rehearsal (fingerprint, head, verdict, steps, report)"
                " SELECT fingerprint, head, verdict, '[]', '{}' FROM bough_rehearsal, generate_series(1, 98)"
            )
            record(connection, after)
            assert records.schema(connection, before.digest) == before
            record(connection, after)
            assert [each.steps for each in records.rehearsals(connection)] == [
                [{"schema": after.digest}],
                [{"schema": after.digest}],
                *([[]] * 98),
            ]
            assert records.schema(connection, before.digest) is None
            assert records.schema(connection, after.digest) == after
