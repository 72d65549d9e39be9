"""The databases that tests get: migrated, their own, with production's roles."""

from __future__ import annotations

import psycopg
import pytest
from psycopg import errors

COUNT = "SELECT count(*) FROM bough_revision"
ADD = "INSERT INTO bough_revision (id, phase) VALUES ('from a test', 'expand')"


class TestDatabase:
    @pytest.mark.parametrize("turn", [1, 2])
    def test_no_test_sees_anothers_rows(self, database, template, turn):
        """Each test starts from the migrated template, whatever the one before it wrote."""
        with psycopg.connect(template.direct.libpq()) as connection:
            migrated = connection.execute(COUNT).fetchone()
        with psycopg.connect(database.direct.libpq()) as connection:
            assert connection.execute(COUNT).fetchone() == migrated
            connection.execute(ADD)

    def test_copies_have_the_rights_of_a_provisioned_database(self, database):
        """The application works through the pooler, within its rights, in a copy too."""
        with psycopg.connect(database.pooled.libpq(), autocommit=True) as connection:
            assert connection.execute("SELECT current_user").fetchone() == ("bough_app",)
            assert connection.execute("SHOW statement_timeout").fetchone() == ("30s",)
            for statement in ("CREATE TABLE other ()", "CREATE TEMPORARY TABLE other ()"):
                with pytest.raises(errors.InsufficientPrivilege):
                    connection.execute(statement)

    def test_database_is_dropped_with_connections_open(self, world):
        """A test that leaks a connection does not break the ones after it."""
        with world.new_database() as database:
            connection = psycopg.connect(database.pooled.libpq(), autocommit=True)
            connection.execute("SELECT 1")
        connection.close()
        with psycopg.connect(world.superuser("postgres").libpq()) as postgres:
            query = "SELECT FROM pg_database WHERE datname = %s"
            assert postgres.execute(query, [database.name]).rowcount == 0
