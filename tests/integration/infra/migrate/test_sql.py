"""Migrations as a script."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from infra.migrate import runner
from infra.migrate.errors import (
    MigrationError,
    UnknownRevisionError,
)
from infra.migrate.status import status
from tests.support.histories import query, recorded, run_script, schema_of, tables

if TYPE_CHECKING:
    from infra.testing.databases import Database, World
    from tests.support.histories import History


class TestSql:
    """`sql`."""

    def test_yields_the_same_schema(self, history: History, world: World, empty_database: Database) -> None:
        """The script, run by psql, leaves what `apply` leaves, bookkeeping included."""
        history.write_three_tables()
        history.write("four", "three", "op.execute(\"INSERT INTO a SELECT 7 WHERE 'x' LIKE '%x%'\")")
        runner.apply(history.project, empty_database.direct)
        with world.new_database() as other:
            run_script(other.direct, runner.sql(history.project))
            assert schema_of(other.direct) == schema_of(empty_database.direct)
            assert recorded(other.direct) == recorded(empty_database.direct)
            assert query(other.direct, "SELECT * FROM a") == [(7,)]
            assert runner.apply(history.project, other.direct) == runner.Report((), ("four",))

    def test_continues_where_a_database_is(self, history: History, empty_database: Database) -> None:
        """A range starts after its first revision."""
        history.write_three_tables()
        runner.apply(history.project, empty_database.direct, revision="one")
        script = runner.sql(history.project, start="one", end="two")
        run_script(empty_database.direct, script)
        assert tables(empty_database.direct) == {"a", "b"}
        assert recorded(empty_database.direct) == {"one": "expand", "two": "expand"}
        assert status(history.project, empty_database.direct).current == ("two",)

    def test_refuses_an_empty_range(self, history: History) -> None:
        """Nothing is written where nothing is to be done."""
        history.write_three_tables()
        with pytest.raises(UnknownRevisionError):
            runner.sql(history.project, start="three", end="three")

    def test_says_which_revision_needs_a_database(self, history: History) -> None:
        """A revision that reads data cannot be written as SQL."""
        history.write("one", None, "op.get_bind().execute(sa.text('SELECT 1')).scalar()")
        with pytest.raises(MigrationError, match="cannot be written as SQL"):
            runner.sql(history.project)
