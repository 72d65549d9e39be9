"""Alembic's environment under the plain command, and the revisions' own operations."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import psycopg

from infra.branches import application_role
from infra.migrate import runner
from infra.testing.databases import APPLICATION, OWNER
from tests.support.histories import query, recorded

if TYPE_CHECKING:
    from infra.testing.databases import Database
    from tests.support.histories import History


class TestPlainAlembic:
    """The `alembic` command itself."""

    def test_upgrades_with_the_url_from_the_environment(
        self, history: History, empty_database: Database
    ) -> None:
        """It applies, records, and holds a migration's timeouts."""
        history.write_three_tables()
        history.write(
            "four", "three", "op.execute('CREATE TABLE seen AS SELECT current_setting($$lock_timeout$$)')"
        )
        self.alembic(history, empty_database, "upgrade", "head")
        assert query(empty_database.direct, "SELECT * FROM seen") == [("5s",)]
        assert set(recorded(empty_database.direct)) == {"one", "two", "three", "four"}

    def test_stamps_with_bookkeeping(self, history: History, empty_database: Database) -> None:
        """A stamp up records what lies below it; a stamp down takes the rest away."""
        history.write_three_tables()
        self.alembic(history, empty_database, "stamp", "three")
        assert set(recorded(empty_database.direct)) == {"one", "two", "three"}
        self.alembic(history, empty_database, "stamp", "one")
        assert set(recorded(empty_database.direct)) == {"one"}
        self.alembic(history, empty_database, "stamp", "base")
        assert recorded(empty_database.direct) == {}

    @staticmethod
    def alembic(history: History, database: Database, *arguments: str) -> None:
        """Run the command in the project's folder."""
        subprocess.run(
            [sys.executable, "-m", "alembic", *arguments],
            cwd=history.project.root,
            env={"DATABASE_URL_UNPOOLED": database.direct.libpq(), "PATH": ""},
            check=True,
            capture_output=True,
        )


class TestUpdatedAt:
    """`migrations.operations`."""

    def test_trigger_keeps_updated_at(self, history: History, empty_database: Database) -> None:
        """An UPDATE moves it on, whoever wrote it, also within the transaction of the INSERT."""
        history.write(
            "one",
            None,
            "from migrations import operations\n"
            "op.execute('CREATE TABLE a (n int, updated_at timestamptz NOT NULL DEFAULT now())')\n"
            "operations.create_updated_at_function(op)\n"
            "operations.create_updated_at_trigger(op, 'a')",
            "from migrations import operations\n"
            "operations.drop_updated_at_trigger(op, 'a')\n"
            "operations.drop_updated_at_function(op)\n"
            "op.execute('DROP TABLE a')",
        )
        runner.apply(history.project, empty_database.direct)
        with psycopg.connect(empty_database.direct.libpq()) as connection:
            inserted = connection.execute("INSERT INTO a VALUES (1) RETURNING updated_at").fetchone()
            updated = connection.execute(
                "UPDATE a SET n = 2, updated_at = 'epoch' RETURNING updated_at"
            ).fetchone()
        assert inserted is not None
        assert updated is not None
        assert updated[0] > inserted[0]
        runner.rollback(history.project, empty_database.direct, to="base")
        assert query(empty_database.direct, "SELECT proname FROM pg_proc WHERE proname LIKE 'bough%'") == []


class TestProtection:
    """The bookkeeping's tables."""

    def test_the_application_reads_but_never_writes_them(
        self, history: History, empty_database: Database
    ) -> None:
        """A request must not make the schema look fit, or unfit; provisioning again changes nothing."""
        history.write_three_tables()
        runner.apply(history.project, empty_database.direct)
        with psycopg.connect(empty_database.superuser.libpq()) as connection:
            application_role.grant(connection, owner=OWNER, application=APPLICATION)
        rights = query(
            empty_database.direct,
            """
            SELECT tablename, privilege FROM pg_tables,
                unnest(ARRAY['SELECT', 'INSERT', 'UPDATE', 'DELETE', 'TRUNCATE']) AS privilege
            WHERE schemaname = 'public' AND has_table_privilege('bough_app', tablename::regclass, privilege)
            """,
        )
        assert ("bough_revision", "SELECT") in rights
        assert ("a", "UPDATE") in rights
        assert {right for name, right in rights if name in ("bough_revision", "alembic_version")} == {
            "SELECT"
        }
