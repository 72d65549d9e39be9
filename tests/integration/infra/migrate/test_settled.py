"""Whether a preview's database is known to have everything, asked without Alembic."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from infra.branches import identity
from infra.migrate import runner
from infra.migrate.connection import TIMEOUTS, open_connection
from infra.migrate.settled import is_settled, settle

if TYPE_CHECKING:
    from infra.branches.identity import BranchIdentity
    from infra.testing.databases import Database
    from tests.support.histories import History


@pytest.fixture
def who(history: History, empty_database: Database) -> BranchIdentity:
    """The database, which has all revisions and was said to."""
    history.write_three_tables()
    runner.apply(history.project, empty_database.direct)
    settle(history.project, empty_database.direct)
    with open_connection(empty_database.direct, TIMEOUTS) as connection:
        return identity.verify(connection, None)


class TestIsSettled:
    """`is_settled`."""

    def test_until_a_revision_is_edited(
        self, history: History, empty_database: Database, who: BranchIdentity
    ) -> None:
        """One that is new, edited or renamed has to be looked at."""
        assert is_settled(history.project, empty_database.direct, who)
        history.write("three", "two", "op.execute('CREATE TABLE d (id int)')")
        assert not is_settled(history.project, empty_database.direct, who)

    def test_until_the_database_is_at_another_revision(
        self, history: History, empty_database: Database, who: BranchIdentity
    ) -> None:
        """Whoever rolls it back by hand finds it migrated again."""
        runner.rollback(history.project, empty_database.direct)
        assert not is_settled(history.project, empty_database.direct, who)

    def test_not_before_it_was_said(self, history: History, empty_database: Database) -> None:
        """A new branch is looked at."""
        with open_connection(empty_database.direct, TIMEOUTS) as connection:
            found = identity.verify(connection, None)
        assert not is_settled(history.project, empty_database.direct, found)

    def test_asks_without_alembic(self) -> None:
        """Its import takes longer than asking, so nothing that a preview without news needs brings it."""
        script = (
            "import sys, infra.aws.preview; sys.exit('alembic' in sys.modules or 'sqlalchemy' in sys.modules)"
        )
        assert subprocess.run([sys.executable, "-c", script], check=False).returncode == 0
