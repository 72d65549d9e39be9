"""What a backfill refuses, and what ends it: nothing is lost, and the next step is said."""

from __future__ import annotations

from typing import TYPE_CHECKING

import psycopg
import pytest

from infra.branches.errors import TargetError
from infra.branches.identity import BranchIdentity
from infra.migrate.backfill.errors import (
    BackfillBlockedError,
    BackfillEndlessError,
    BackfillFailedError,
    BackfillInvalidError,
)
from infra.migrate.errors import PooledUrlRefusedError
from tests.support.backfills import defined, make, run_here, run_here_at, times
from tests.support.histories import query, run_script

if TYPE_CHECKING:
    from infra.migrate.backfill.run import Progress
    from infra.testing.databases import Database


class TestRefusals:
    """`run`."""

    def test_does_not_run_after_rows_that_never_end(self, empty_database: Database) -> None:
        """The application still writes what the backfill mends: that is to be mended first."""
        make(empty_database, 10)

        def add(_progress: Progress) -> None:
            run_script(empty_database.direct, "INSERT INTO things SELECT min(id) - 1 FROM things")

        with pytest.raises(BackfillEndlessError, match="after 10 passes there are still new rows"):
            run_here(empty_database, progress=add)

    def test_refuses_to_go_on_in_another_table(self, empty_database: Database) -> None:
        """A position in one says nothing about the other; starting over is asked for."""
        make(empty_database, 10)
        run_here(empty_database)
        run_script(empty_database.direct, "ALTER TABLE things RENAME TO others")
        other = defined(table="others", where="times = 1", set="times = 0")
        with pytest.raises(BackfillInvalidError, match=r"was begun on another table or key: public\.things"):
            run_here(empty_database, other)
        run_script(empty_database.direct, "ALTER TABLE others DISABLE TRIGGER USER")
        assert run_here(empty_database, other, again=True).changed == 10

    def test_refuses_to_go_on_as_something_else(self, empty_database: Database) -> None:
        """What is finished, or half done, was another change."""
        make(empty_database, 10)
        run_here(empty_database)
        other = defined(set="done = true, times = 7", where="times < 7")
        with pytest.raises(BackfillInvalidError, match="was begun with another set or where"):
            run_here(empty_database, other)

    def test_gives_up_on_rows_that_are_held_for_good(self, empty_database: Database) -> None:
        """All others are changed, and the next run has only these to do."""
        make(empty_database, 1000)
        with psycopg.connect(empty_database.direct.libpq()) as holder:
            holder.execute("SELECT FROM things WHERE id = 3 FOR UPDATE")
            with pytest.raises(BackfillBlockedError, match=r"1 rows of public\.things are locked"):
                run_here(empty_database)
        assert times(empty_database) == {0: 1, 1: 999}
        assert run_here(empty_database).changed == 1000

    def test_refuses_to_begin_on_a_locked_table(self, empty_database: Database) -> None:
        """Nothing is begun then."""
        make(empty_database, 10)
        with psycopg.connect(empty_database.direct.libpq()) as holder:
            holder.execute("LOCK TABLE things")
            with pytest.raises(BackfillBlockedError, match="is locked by other sessions"):
                run_here(empty_database)

    def test_refuses_a_definition_that_never_ends(self, empty_database: Database) -> None:
        """A changed row that still meets the condition would be changed by each run: nothing is kept."""
        make(empty_database, 100)
        with pytest.raises(BackfillEndlessError, match="100 rows still meet its where"):
            run_here(empty_database, defined(where="id > 0"))
        assert times(empty_database) == {0: 100}

    def test_refuses_rows_that_a_trigger_keeps(self, empty_database: Database) -> None:
        """No session holds them, and no run would ever change them."""
        make(empty_database, 100)
        run_script(
            empty_database.direct,
            "CREATE OR REPLACE FUNCTION count_change() RETURNS trigger LANGUAGE plpgsql AS"
            " 'BEGIN IF NEW.id > 30 THEN RETURN NULL; END IF; RETURN NEW; END'",
        )
        with pytest.raises(BackfillEndlessError, match="a trigger keeps 90 rows as they are"):
            run_here(empty_database)

    def test_refuses_rows_that_it_may_not_see(self, empty_database: Database) -> None:
        """Row-level security would hide them, and the backfill be finished without them."""
        make(empty_database, 10)
        run_script(
            empty_database.superuser,
            "ALTER TABLE things ENABLE ROW LEVEL SECURITY; GRANT ALL ON things TO bough_app",
        )
        run_script(empty_database.direct, "ALTER TABLE things FORCE ROW LEVEL SECURITY")
        with pytest.raises(BackfillInvalidError, match="row-level security policy") as caught:
            run_here(empty_database)
        assert "sees all of its rows" in (caught.value.hint or "")

    def test_says_what_the_server_refused(self, empty_database: Database) -> None:
        """A value that a row cannot have: batches before it stay, and so does the record of them."""
        make(empty_database, 1000)
        failing = defined(set="done = (1 / (id - 3000) < 1)")
        with pytest.raises(BackfillFailedError, match="backfill mark: division by zero") as caught:
            run_here(empty_database, failing)
        assert "run it again" in (caught.value.hint or "")
        assert query(empty_database.direct, "SELECT count(*) FROM things WHERE done") == [(500,)]
        run_script(empty_database.direct, "DELETE FROM things WHERE id = 3000")
        assert run_here(empty_database, failing).changed == 999

    @pytest.mark.parametrize(
        ("changes", "said"),
        [
            ({"table": "nothing"}, "there is no table 'nothing'"),
            ({"table": "a.b.c.d"}, "refuses table"),
            ({"table": "keyless"}, "public.keyless has no primary key"),
            ({"table": "seen"}, "public.seen is no table"),
            ({"where": "NOT done) OR (NOT done"}, "syntax error"),
            ({"set": "nope = 1"}, 'column "nope"'),
            ({"where": "nope"}, 'column "nope" does not exist'),
            ({"where": "done AND"}, "syntax error"),
        ],
    )
    def test_refuses_what_the_server_cannot_run(self, empty_database: Database, changes, said: str) -> None:
        """Before anything is changed, the kit's own tables included."""
        make(empty_database, 10)
        run_script(empty_database.direct, "CREATE TABLE keyless (); CREATE VIEW seen AS SELECT 1 AS id")
        with pytest.raises(BackfillInvalidError, match=said):
            run_here(empty_database, defined(**changes))
        assert query(empty_database.direct, "SELECT to_regclass('bough_backfill')") == [(None,)]

    def test_refuses_other_targets(self, empty_database: Database) -> None:
        """A pooled URL, on which its lock would not hold, and another branch than was named."""
        make(empty_database, 10)
        with pytest.raises(PooledUrlRefusedError):
            run_here_at(empty_database.pooled)
        with pytest.raises(TargetError):
            run_here(empty_database, expected=BranchIdentity("postgres", "tests", "other"))
        assert times(empty_database) == {0: 10}
