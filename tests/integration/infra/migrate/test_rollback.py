"""`rollback` of small histories."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from infra.migrate import runner
from infra.migrate.errors import (
    RevisionFailedError,
    UnknownRevisionError,
)
from infra.migrate.status import status
from tests.support.histories import recorded, schema_of, tables

if TYPE_CHECKING:
    from infra.testing.databases import Database
    from tests.support.histories import History


class TestRollback:
    """`rollback`."""

    def test_up_down_up_leaves_no_trace(self, history: History, empty_database: Database) -> None:
        """The schema after up, down to base and up again is the first one, and base is empty."""
        history.write_three_tables()
        runner.apply(history.project, empty_database.direct)
        first = schema_of(empty_database.direct)
        report = runner.rollback(history.project, empty_database.direct, to="base")
        assert [run.id for run in report.runs] == ["three", "two", "one"]
        assert report.current == ()
        assert tables(empty_database.direct) == set()
        assert recorded(empty_database.direct) == {}
        runner.apply(history.project, empty_database.direct)
        assert schema_of(empty_database.direct) == first

    def test_undoes_the_last_by_default(self, history: History, empty_database: Database) -> None:
        """`-1` is one revision."""
        history.write_three_tables()
        runner.apply(history.project, empty_database.direct)
        assert runner.rollback(history.project, empty_database.direct).current == ("two",)
        assert set(recorded(empty_database.direct)) == {"one", "two"}

    def test_keeps_the_target(self, history: History, empty_database: Database) -> None:
        """The revision named stays applied."""
        history.write_three_tables()
        runner.apply(history.project, empty_database.direct)
        assert runner.rollback(history.project, empty_database.direct, to="one").current == ("one",)
        assert tables(empty_database.direct) == {"a"}

    def test_stops_at_a_revision_that_cannot_be_undone(
        self, history: History, empty_database: Database
    ) -> None:
        """Those undone before it stay undone."""
        history.write_three_tables()
        history.write(
            "two", "one", "op.execute('CREATE TABLE b (id int)')", "raise NotImplementedError('data is gone')"
        )
        runner.apply(history.project, empty_database.direct)
        with pytest.raises(
            RevisionFailedError, match="data is gone; it was rolled back; 1 before it stays done"
        ):
            runner.rollback(history.project, empty_database.direct, to="base")
        assert status(history.project, empty_database.direct).current == ("two",)

    @pytest.mark.parametrize("target", ["nope", "-9", "three"])
    def test_refuses_a_target_that_is_not_below(
        self, history: History, empty_database: Database, target: str
    ) -> None:
        """An unknown revision, too many steps back, or a revision that is not applied."""
        history.write_three_tables()
        runner.apply(history.project, empty_database.direct, revision="two")
        with pytest.raises(UnknownRevisionError):
            runner.rollback(history.project, empty_database.direct, to=target)
        assert tables(empty_database.direct) == {"a", "b"}
