"""What `apply` gives up on and refuses, and that it changes nothing then."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import psycopg
import pytest

from api.database.timeouts import Timeouts
from infra.migrate import runner
from infra.migrate.errors import (
    DatabaseAheadError,
    DatabaseUnreachableError,
    MultipleHeadsError,
    NotVerifiedError,
    PooledUrlRefusedError,
    RevisionFailedError,
    RevisionLockTimeoutError,
    RevisionTimeoutError,
    RevisionUncertainError,
    UnknownRevisionError,
)
from tests.support.histories import tables

if TYPE_CHECKING:
    from infra.testing.databases import Database
    from tests.support.histories import History


class TestApply:
    """`apply`, when it must not or cannot go on."""

    def test_gives_up_on_a_busy_table(self, history: History, empty_database: Database) -> None:
        """The wait for a table's lock ends with `lock_timeout`, and is reported as such."""
        history.write("one", None, "op.execute('CREATE TABLE a (id int)')")
        history.write("two", "one", "op.execute('ALTER TABLE a ADD COLUMN n int')")
        runner.apply(history.project, empty_database.direct, revision="one")
        with psycopg.connect(empty_database.direct.libpq()) as busy:
            busy.execute("LOCK TABLE a")
            with pytest.raises(
                RevisionLockTimeoutError, match=r"waited more than 0.2 s for a lock"
            ) as failure:
                runner.apply(history.project, empty_database.direct, timeouts=Timeouts(lock=0.2), attempts=1)
        assert failure.value.revision == "two"

    def test_gives_up_on_a_long_statement(self, history: History, empty_database: Database) -> None:
        """A statement ends with `statement_timeout`, and is reported as such."""
        history.write("one", None, "op.execute('SELECT pg_sleep(60)')")
        with pytest.raises(RevisionTimeoutError, match=r"ran longer than 0.2 s"):
            runner.apply(history.project, empty_database.direct, timeouts=Timeouts(statement=0.2))

    def test_shows_no_data_of_a_statement_that_cannot_be_sent(
        self, history: History, empty_database: Database
    ) -> None:
        """SQLAlchemy's own errors would quote the parameters."""
        history.write(
            "one", None, "op.get_bind().execute(sa.text('SELECT :a, :b'), {'a': 'anna@example.org'})"
        )
        with pytest.raises(RevisionFailedError, match="bind parameter 'b'") as failure:
            runner.apply(history.project, empty_database.direct)
        assert "anna" not in str(failure.value)

    def test_says_when_the_connection_was_lost(self, history: History, empty_database: Database) -> None:
        """A killed backend is not reported as a revision that was rolled back."""
        history.write("one", None, "op.execute('SELECT pg_terminate_backend(pg_backend_pid())')")
        with pytest.raises(RevisionUncertainError) as failure:
            runner.apply(history.project, empty_database.direct)
        assert failure.value.hint == "look at it with: bough migrate status"

    def test_refuses_a_pooled_url(self, history: History, empty_database: Database) -> None:
        """What the types forbid is refused at run time too, without the password."""
        with pytest.raises(PooledUrlRefusedError) as failure:
            runner.apply(history.project, empty_database.pooled)  # type: ignore[arg-type]  # the point of the test
        assert str(empty_database.pooled) in str(failure.value)

    def test_says_when_the_database_cannot_be_reached(
        self, history: History, empty_database: Database
    ) -> None:
        """A wrong password is an error without that password."""
        url = empty_database.direct.replace(password="quite-wrong")
        with pytest.raises(DatabaseUnreachableError, match="password authentication failed") as failure:
            runner.apply(history.project, url)
        assert "quite-wrong" not in str(failure.value)

    def test_refuses_an_unknown_revision(self, history: History, empty_database: Database) -> None:
        """The error lists the latest revisions."""
        history.write_three_tables()
        with pytest.raises(UnknownRevisionError) as failure:
            runner.apply(history.project, empty_database.direct, revision="nope")
        assert failure.value.hint == "the latest revisions are one, two, three"

    def test_refuses_a_database_that_is_ahead(self, history: History, empty_database: Database) -> None:
        """A version that the code lacks ends the run before anything is changed."""
        history.write_three_tables()
        runner.apply(history.project, empty_database.direct)
        (history.project.root / "migrations/versions/three.py").unlink()
        with pytest.raises(DatabaseAheadError, match="at three"):
            runner.apply(history.project, empty_database.direct)

    def test_refuses_two_heads(self, history: History, empty_database: Database) -> None:
        """The error says which command joins the history again."""
        history.write_three_tables()
        history.write("twin", "two", "pass")
        with pytest.raises(MultipleHeadsError, match=r"2 heads: three.py, twin.py") as failure:
            runner.apply(history.project, empty_database.direct)
        assert failure.value.hint == "put one after the other with: bough migrate rebase"

    def test_never_believes_a_run_that_committed_nothing(
        self, history: History, empty_database: Database
    ) -> None:
        """An environment that falls into Alembic's open-transaction trap is found out."""
        history.write_three_tables()
        (history.project.root / "migrations/env.py").write_text(
            "from alembic import context\n"
            "connection = context.config.attributes['connection']\n"
            "connection.exec_driver_sql('SELECT 1')\n"
            "context.configure(connection=connection, transaction_per_migration=True)\n"
            "with context.begin_transaction():\n"
            "    context.run_migrations()\n"
        )
        with pytest.raises(NotVerifiedError, match="one, three, two"):
            runner.apply(history.project, empty_database.direct)
        assert tables(empty_database.direct) == set()

    def test_leaves_the_loggers_of_the_application_alive(
        self, history: History, empty_database: Database
    ) -> None:
        """Alembic's usual `fileConfig` would disable every logger that exists."""
        logger = logging.getLogger("an.application")
        level = logging.getLogger().level
        history.write_three_tables()
        runner.apply(history.project, empty_database.direct)
        assert not logger.disabled
        assert logging.getLogger().level == level

    def test_does_not_blame_a_revision_for_the_models(
        self, history: History, empty_database: Database
    ) -> None:
        """Models that cannot be imported stop Alembic before any revision runs."""
        history.write_three_tables()
        history.write_models("import no_such_module")
        with pytest.raises(RevisionFailedError, match=r"Alembic stopped: .*no_such_module") as failure:
            runner.apply(history.project, empty_database.direct)
        assert failure.value.revision is None
        assert tables(empty_database.direct) == set()
