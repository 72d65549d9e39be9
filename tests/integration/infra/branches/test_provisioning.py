"""A copied branch made usable: its own application password, its rights, its readiness."""

from __future__ import annotations

import secrets
import socket
import time
import traceback
from concurrent.futures import ThreadPoolExecutor

import psycopg
import pytest
from psycopg import sql

from api.database.timeouts import Timeouts
from infra.branches import application_role
from infra.branches.errors import BranchError, BranchNotReadyError
from infra.branches.provisioning import BranchUrls, password_of, provision
from infra.deadline import Deadline


class Branch:
    """A database whose owner is no superuser, as at Neon; the direct URLs stand in for the pooled."""

    def __init__(self, database):
        self.application = f"app_{secrets.token_hex(4)}"
        self.owner = f"owner_{secrets.token_hex(4)}"
        self.superuser = database.superuser
        with psycopg.connect(self.superuser.libpq()) as connection:
            connection.execute(f"CREATE ROLE {self.owner} LOGIN CREATEROLE PASSWORD 'owner-password'")
            connection.execute(f'ALTER DATABASE "{database.name}" OWNER TO {self.owner}')

    def urls(self, password="derived", **changes):
        direct = self.superuser.replace(user=self.owner, password="owner-password")
        application = direct.replace(user=self.application, password=password)
        ways = {
            "owner_direct": direct,
            "owner_pooled": direct,
            "application_direct": application,
            "application_pooled": application,
            **changes,
        }
        return BranchUrls(**ways)

    def provision(self, seconds=10.0, *, urls=None, say=lambda _: None, **options):
        provision(
            urls or self.urls(),
            application=self.application,
            deadline=Deadline(seconds),
            announce=say,
            **options,
        )

    def as_owner(self, *statements):
        with psycopg.connect(self.urls().owner_direct.libpq(), autocommit=True) as connection:
            for statement in statements:
                connection.execute(statement)

    def as_application(self, statement):
        with psycopg.connect(self.urls().application_direct.libpq(), autocommit=True) as connection:
            return connection.execute(statement).fetchall()

    def verifier(self):
        with psycopg.connect(self.superuser.libpq()) as connection:
            query = "SELECT rolpassword FROM pg_authid WHERE rolname = %s"
            return connection.execute(query, [self.application]).fetchone()


@pytest.fixture
def branch(empty_database):
    """A fresh database whose roles are gone afterwards."""
    branch = Branch(empty_database)
    yield branch
    with psycopg.connect(branch.superuser.libpq()) as connection:
        connection.execute(f"REASSIGN OWNED BY {branch.owner} TO CURRENT_USER")
        for name in (branch.application, branch.owner):
            exists = "SELECT FROM pg_roles WHERE rolname = %s"
            if connection.execute(exists, [name]).fetchone() is not None:
                connection.execute(sql.SQL("DROP OWNED BY {0}; DROP ROLE {0}").format(sql.Identifier(name)))


class TestProvision:
    def test_application_role_is_made_with_limits_and_rights(self, branch):
        """It logs in with its password, uses tables made before and after, and has its timeouts."""
        branch.as_owner("CREATE TABLE before AS SELECT 1 AS n")
        branch.provision()
        branch.as_owner("CREATE TABLE after AS SELECT 2 AS n")
        assert branch.as_application("SELECT n FROM before UNION SELECT n FROM after ORDER BY n") == [
            (1,),
            (2,),
        ]
        assert branch.as_application("SHOW statement_timeout") == [("30s",)]

    def test_password_of_the_parent_opens_the_branch_no_more(self, branch):
        """What the copy brought is replaced by the branch's own."""
        branch.provision(urls=branch.urls("of-the-parent"))
        branch.provision()
        with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
            psycopg.connect(branch.urls("of-the-parent").application_direct.libpq())
        assert branch.as_application("SELECT 1") == [(1,)]

    def test_nothing_is_altered_where_it_is_complete(self, branch):
        """The very verifier stays: another would break logins through a pooler that knows this one."""
        branch.provision()
        before = branch.verifier()
        branch.provision()
        assert branch.verifier() == before

    @pytest.mark.parametrize(
        "loss",
        [
            "REVOKE SELECT ON item FROM {application}",
            "ALTER DEFAULT PRIVILEGES IN SCHEMA public REVOKE ALL ON SEQUENCES FROM {application}",
            "ALTER ROLE {application} RESET statement_timeout",
            "GRANT TEMPORARY ON DATABASE {database} TO PUBLIC",
        ],
    )
    def test_lost_rights_come_back_and_the_password_stays(self, branch, loss):
        """What somebody took away or gave too much is put right, without another verifier."""
        branch.as_owner("CREATE TABLE item (n serial)")
        branch.provision()
        before = branch.verifier()
        database = branch.superuser.database
        branch.as_owner(loss.format(application=branch.application, database=f'"{database}"'))
        branch.provision()
        assert branch.verifier() == before
        assert branch.as_application("INSERT INTO item DEFAULT VALUES RETURNING n") == [(1,)]
        assert branch.as_application("SHOW statement_timeout") == [("30s",)]
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            branch.as_application("CREATE TEMPORARY TABLE mine ()")

    def test_other_limits_are_set(self, branch):
        """Limits that changed since reach a role that is there."""
        branch.provision()
        branch.provision(timeouts=Timeouts(statement=7))
        assert branch.as_application("SHOW statement_timeout") == [("7s",)]

    def test_many_callers_agree(self, branch):
        """Fifty at once: one makes the role, all find it complete."""
        with ThreadPoolExecutor(50) as pool:
            list(pool.map(lambda _: branch.provision(30.0), range(50)))
        assert branch.as_application("SELECT 1") == [(1,)]

    def test_mark_is_written_with_the_role(self, branch):
        """Both or neither, by the owner, and again whenever asked."""
        marked = []

        def mark(connection):
            marked.append(application_role.own_role(connection))
            connection.execute("CREATE TABLE IF NOT EXISTS marked ()")

        branch.provision(mark=mark)
        branch.provision(mark=mark)
        assert marked == [branch.owner] * 2
        assert branch.as_application("SELECT * FROM marked") == []

    def test_branch_that_is_not_the_one_meant_is_left_alone(self, branch):
        """Nothing is made before the connection has proved where it leads."""

        def prove(_):
            raise BranchError("another branch")

        with pytest.raises(BranchError, match="another branch"):
            branch.provision(prove=prove)
        assert branch.verifier() is None

    @pytest.mark.parametrize("grantee", ["{}", "PUBLIC"])
    def test_records_of_migrations_are_read_only_again(self, branch, grantee):
        """Plain Alembic makes its table with the rights of any other: they are taken away."""
        branch.provision()
        to = grantee.format(branch.application)
        branch.as_owner("CREATE TABLE alembic_version (v text)", f"GRANT ALL ON alembic_version TO {to}")
        branch.provision()
        assert branch.as_application("SELECT v FROM alembic_version") == []
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            branch.as_application("INSERT INTO alembic_version VALUES ('x') RETURNING v")

    def test_failing_mark_takes_the_role_back(self, branch):
        """No branch has the role and not the mark."""

        def mark(connection):
            connection.execute("SELECT no_such_function()")

        with pytest.raises(BranchError, match=r"could not be made .* no_such_function"):
            branch.provision(mark=mark)
        assert branch.verifier() is None


class TestRefused:
    def test_role_with_too_many_rights_is_refused(self, branch):
        """One made through Neon's API is more than an application may be; the error says what."""
        with psycopg.connect(branch.superuser.libpq()) as connection:
            connection.execute(f"CREATE ROLE {branch.application} LOGIN CREATEDB PASSWORD 'derived'")
            connection.execute(f"GRANT pg_monitor TO {branch.application}")
            connection.execute(f"GRANT {branch.application} TO {branch.owner} WITH ADMIN OPTION")
        with pytest.raises(BranchError, match="can create databases, is a member of pg_monitor"):
            branch.provision()

    def test_role_that_owns_tables_is_refused(self, branch):
        """An owner changes the schema, and is above the policies of its tables."""
        branch.provision()
        with psycopg.connect(branch.superuser.libpq()) as connection:
            connection.execute("CREATE TABLE note ()")
            connection.execute(f"ALTER TABLE note OWNER TO {branch.application}")
        with pytest.raises(BranchError, match="owns note") as caught:
            branch.provision()
        assert "REASSIGN OWNED" in caught.value.hint

    def test_role_of_somebody_else_is_refused(self, branch):
        """The owner cannot alter it: said, with the server's reason and without the verifier."""
        with psycopg.connect(branch.superuser.libpq()) as connection:
            connection.execute(f"CREATE ROLE {branch.application} LOGIN PASSWORD 'other'")
        with pytest.raises(BranchError, match="permission denied") as caught:
            branch.provision()
        lines = traceback.TracebackException.from_exception(caught.value, capture_locals=True).format()
        assert "SCRAM" not in "".join(lines)
        assert branch.owner in caught.value.hint


class TestReadiness:
    def test_branch_that_does_not_answer_is_awaited_until_the_deadline(self, branch):
        """Announced once; at the end the error names the way that failed, without a password."""
        said = []
        with socket.create_server(("127.0.0.1", 0)) as listener:
            port = listener.getsockname()[1]
        pooled = branch.urls().owner_direct.replace(port=port)
        with pytest.raises(BranchNotReadyError, match=f"127.0.0.1:{port}") as caught:
            branch.provision(1.0, urls=branch.urls(owner_pooled=pooled), say=said.append)
        assert len(said) == 1
        assert said[0].startswith(f"waiting for 127.0.0.1:{port} to answer")
        assert "run this again" in caught.value.hint

    def test_wrong_password_is_not_awaited_for_ever(self, branch, monkeypatch):
        """It may take a provider's proxy a moment, but not all of the time there is."""
        monkeypatch.setattr("infra.branches.provisioning._PASSWORD_GRACE", 0.1)
        urls = branch.urls(owner_direct=branch.urls().owner_direct.replace(password="wrong-word"))
        started = time.monotonic()
        with pytest.raises(BranchNotReadyError, match="password authentication failed") as caught:
            branch.provision(60.0, urls=urls)
        assert time.monotonic() - started < 5
        assert caught.value.__context__ is None
        lines = traceback.TracebackException.from_exception(caught.value, capture_locals=True).format()
        assert "wrong-word" not in "".join(lines)


class TestPasswordOf:
    def test_it_is_what_the_url_holds(self, branch):
        """Decoded, or nothing."""
        url = branch.urls("p@ss/word").application_direct
        assert password_of(url) == "p@ss/word"
        assert password_of(url.replace(password="")) is None
