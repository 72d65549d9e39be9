"""What the owner and the application role may do, and under which limits."""

from __future__ import annotations

import secrets

import psycopg
import pytest
from psycopg import errors

from api.database.timeouts import Timeouts
from infra.branches import application_role
from infra.testing.databases import APPLICATION, OWNER


@pytest.fixture
def owner(empty_database):
    """The owner's connection past the pooler."""
    with psycopg.connect(empty_database.direct.libpq(), autocommit=True) as connection:
        yield connection


@pytest.fixture
def application(empty_database):
    """The application's connection through the pooler."""
    with psycopg.connect(empty_database.pooled.libpq(), autocommit=True) as connection:
        yield connection


class TestApplicationRole:
    def test_new_tables_are_usable_at_once(self, owner, application):
        """A table that the owner makes later can be read and written without another grant."""
        owner.execute("CREATE TABLE item (id int GENERATED ALWAYS AS IDENTITY, n serial, name text)")
        application.execute("INSERT INTO item (name) VALUES ('a'), ('b')")
        application.execute("UPDATE item SET name = 'c' WHERE name = 'b'")
        application.execute("DELETE FROM item WHERE name = 'a'")
        assert application.execute("SELECT id, n, name FROM item").fetchall() == [(2, 2, "c")]

    @pytest.mark.parametrize(
        "statement",
        [
            "CREATE TABLE other ()",
            "CREATE TEMPORARY TABLE other ()",
            "CREATE SCHEMA other",
            "TRUNCATE item",
            "ALTER TABLE item ADD extra int",
            "DROP TABLE item",
            "CREATE ROLE other",
            "SET ROLE bough_owner",
            "COPY item TO PROGRAM 'true'",
        ],
    )
    def test_nothing_else_is_allowed(self, owner, application, statement):
        """Whoever takes over the application's connection cannot change the schema or become another."""
        owner.execute("CREATE TABLE item (id int)")
        with pytest.raises(errors.InsufficientPrivilege):
            application.execute(statement)

    def test_limits_hold_through_the_pooler(self, application):
        """The role's own timeouts are in force, and JIT is off, with nothing sent by the client."""
        names = [*Timeouts().settings(), "jit"]
        in_force = [application.execute(f"SHOW {name}").fetchone()[0] for name in names]
        assert in_force == ["30s", "5s", "30s", "off"]

    def test_owner_may_migrate_and_has_no_statement_timeout(self, owner):
        """The limits are the application's: a migration sets its own."""
        owner.execute("CREATE TABLE item (); ALTER TABLE item ADD id int; DROP TABLE item")
        assert owner.execute("SHOW statement_timeout").fetchone() == ("0",)


class TestProvision:
    def provision(self, url, **changes):
        arguments = {
            "owner": OWNER,
            "owner_password": 'owner\'s "secret"',
            "application": APPLICATION,
            "application_password": "application's \\secret%s",
            **changes,
        }
        with psycopg.connect(url.libpq()) as connection:
            application_role.provision(connection, **arguments)

    @pytest.fixture
    def roles(self, empty_database):
        """Two role names of the test's own, gone afterwards."""
        names = {"owner": f"owner {secrets.token_hex(4)}", "application": f"app-{secrets.token_hex(4)}"}
        yield names
        with psycopg.connect(empty_database.superuser.libpq()) as connection:
            connection.execute(f'REASSIGN OWNED BY "{names["owner"]}" TO {OWNER}')
            for name in names.values():
                connection.execute(f'DROP OWNED BY "{name}"')
                connection.execute(f'DROP ROLE "{name}"')

    def test_repeating_changes_nothing_but_what_was_asked(self, empty_database, roles):
        """A second run with another password and limit brings both up to date and fails nowhere."""
        self.provision(empty_database.superuser, **roles)
        self.provision(
            empty_database.superuser, **roles, application_password="newer", timeouts=Timeouts(statement=7)
        )
        url = empty_database.direct.replace(user=roles["application"], password="newer")
        with psycopg.connect(url.libpq()) as connection:
            assert connection.execute("SHOW statement_timeout").fetchone() == ("7s",)

    def test_tables_made_before_are_granted_too(self, empty_database, roles):
        """A database that was migrated before it was provisioned becomes usable as it is."""
        self.provision(empty_database.superuser, **roles)
        owner = empty_database.direct.replace(user=roles["owner"], password='owner\'s "secret"')
        with psycopg.connect(owner.libpq()) as connection:
            connection.execute('CREATE TABLE "Old Items" (n serial)')
            connection.execute(f'REVOKE ALL ON "Old Items" FROM "{roles["application"]}"')
        self.provision(empty_database.superuser, **roles)
        app = empty_database.direct.replace(user=roles["application"], password="application's \\secret%s")
        with psycopg.connect(app.libpq()) as connection:
            assert connection.execute('INSERT INTO "Old Items" DEFAULT VALUES RETURNING n').fetchone() == (1,)

    def test_owner_without_superuser_rights_can_provision(self, empty_database, roles):
        """Neon's shape: the connection's role has CREATEROLE, owns the database and is no superuser."""
        password = secrets.token_urlsafe()
        with psycopg.connect(empty_database.superuser.libpq()) as connection:
            connection.execute(f"CREATE ROLE \"{roles['owner']}\" LOGIN CREATEROLE PASSWORD '{password}'")
            connection.execute(f'ALTER DATABASE "{empty_database.name}" OWNER TO "{roles["owner"]}"')
        owner = empty_database.direct.replace(user=roles["owner"], password=password)
        self.provision(owner, **roles)
        with psycopg.connect(owner.libpq()) as connection:
            connection.execute("CREATE TABLE item AS SELECT 1 AS id")
        app = empty_database.direct.replace(user=roles["application"], password="application's \\secret%s")
        with psycopg.connect(app.libpq()) as connection:
            assert connection.execute("SELECT id FROM item").fetchone() == (1,)

    def test_passwords_never_reach_the_servers_log(self, empty_database, roles, cluster):
        """Even a server that logs every statement sees verifiers only."""
        with psycopg.connect(empty_database.superuser.libpq(), autocommit=True) as connection:
            connection.execute(f"ALTER DATABASE \"{empty_database.name}\" SET log_statement = 'all'")
        self.provision(empty_database.superuser, **roles, application_password="very-secret-word")
        log = (cluster.folder / "postgres.log").read_text()
        assert roles["application"] in log
        assert "SCRAM-SHA-256$" in log
        assert "very-secret-word" not in log

    def test_failure_leaves_no_half(self, empty_database, roles):
        """Everything is one transaction: a failing statement takes the roles back."""
        with pytest.raises(psycopg.Error):
            self.provision(empty_database.superuser, **{**roles, "application": "pg_reserved"})
        with psycopg.connect(empty_database.superuser.libpq()) as connection:
            query = "SELECT FROM pg_roles WHERE rolname = %s"
            assert connection.execute(query, [roles["owner"]]).fetchone() is None
        self.provision(empty_database.superuser, **roles)
