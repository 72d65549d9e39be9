"""A database that has a contract, and lacks an expand that was put before it since."""

from __future__ import annotations

from typing import TYPE_CHECKING

import psycopg
import pytest

from infra.migrate import runner
from infra.migrate.errors import ReorderedError
from infra.migrate.plan import plan
from infra.migrate.status import status
from tests.support.histories import query, recorded, run_script, tables

if TYPE_CHECKING:
    from infra.testing.databases import Database
    from tests.support.histories import History

VERSION = "SELECT version_num FROM alembic_version"


@pytest.fixture
def moved(history: History, empty_database: Database) -> History:
    """`one` and the contract `three` are applied, and `two` was put between them afterwards."""
    history.write("one", None, "op.execute('CREATE TABLE a (id int)')", "op.execute('DROP TABLE a')")
    write_contract(history, "one")
    runner.apply(history.project, empty_database.direct)
    history.write("two", "one", "op.execute('CREATE TABLE b (id int)')", "op.execute('DROP TABLE b')")
    write_contract(history, "two")
    return history


def write_contract(history: History, down: str) -> None:
    """Write `three`, which drops the table `a`."""
    up, undo = "op.execute('DROP TABLE a')", "op.execute('CREATE TABLE a (id int)')"
    history.write("three", down, up, undo, "contract")


class TestApply:
    """`apply`."""

    def test_runs_what_is_missing_below(self, moved: History, empty_database: Database) -> None:
        """The contract is not run again, and Alembic goes on after it."""
        moved.write("four", "three", "op.execute('CREATE TABLE d (id int)')")
        url, said = empty_database.direct, list[str]()
        found = status(moved.project, url)
        assert [each.id for each in found.pending] == ["two", "four"]
        report = runner.apply(moved.project, url, announce=said.append)
        assert [run.id for run in report.runs] == ["two", "four"]
        assert (report.current, query(url, VERSION)) == (("four",), [("four",)])
        assert tables(url) == {"b", "d"}
        assert set(recorded(url)) == {"one", "two", "three", "four"}
        assert "two was put before three, which is applied already" in said
        assert runner.apply(moved.project, url).runs == ()

    def test_goes_on_after_an_interruption(self, moved: History, empty_database: Database) -> None:
        """Whether `alembic_version` names what is below the missing one, or that itself."""
        url = empty_database.direct
        moved.write("two", "one", "raise ValueError('not yet')")
        with pytest.raises(Exception, match="not yet"):
            runner.apply(moved.project, url)
        assert query(url, VERSION) == [("one",)]
        moved.write("two", "one", "op.execute('CREATE TABLE b (id int)')")
        assert runner.apply(moved.project, url).current == ("three",)
        run_script(url, "UPDATE alembic_version SET version_num = 'two'")
        again = runner.apply(moved.project, url)
        assert (again.runs, again.current) == ((), ("three",))

    def test_refuses_a_missing_contract(self, moved: History, empty_database: Database) -> None:
        """It waits for the live code, as everywhere; nothing is changed."""
        moved.write("two", "one", "op.execute('DROP TABLE x')", phase="contract")
        with pytest.raises(ReorderedError, match="two was put before what is applied already"):
            runner.apply(moved.project, empty_database.direct)
        assert query(empty_database.direct, VERSION) == [("three",)]

    def test_believes_who_undid_something_by_hand(self, moved: History, empty_database: Database) -> None:
        """What was applied later than the newest is not there any more."""
        url = empty_database.direct
        runner.apply(moved.project, url)
        moved.write("four", "three", "op.execute('CREATE TABLE d (id int)')")
        runner.apply(moved.project, url)
        run_script(url, "DROP TABLE d; UPDATE alembic_version SET version_num = 'three'")
        assert [run.id for run in runner.apply(moved.project, url).runs] == ["four"]

    def test_believes_alembic_where_it_ran_without_records(
        self, moved: History, empty_database: Database
    ) -> None:
        """Another environment than the kit's has applied the newest."""
        url = empty_database.direct
        moved.write("four", "three", "op.execute('CREATE TABLE d (id int)')")
        run_script(url, "UPDATE alembic_version SET version_num = 'four'")
        assert runner.apply(moved.project, url).runs == ()


class TestOthers:
    """What would take a missing revision for applied."""

    def test_refuse(self, moved: History, empty_database: Database) -> None:
        """`apply` is what mends it."""
        with pytest.raises(ReorderedError) as refused:
            plan(moved.project, empty_database.direct)
        assert (refused.value.hint or "").startswith("bring it into order with: bough migrate apply")
        with pytest.raises(ReorderedError):
            runner.rollback(moved.project, empty_database.direct)

    def test_plain_alembic_does_not_record_it(self, moved: History, empty_database: Database) -> None:
        """It cannot run what is missing, and must not say that it was."""
        moved.write("four", "three", "op.execute('CREATE TABLE d (id int)')")
        script = runner.sql(moved.project, start="three", end="four")
        with psycopg.connect(empty_database.direct.libpq(), autocommit=True) as connection:
            connection.execute(script.encode())
        assert set(recorded(empty_database.direct)) == {"one", "three", "four"}
        assert [run.id for run in runner.apply(moved.project, empty_database.direct).runs] == ["two"]
