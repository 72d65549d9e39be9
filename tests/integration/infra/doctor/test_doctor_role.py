from __future__ import annotations

import secrets

import psycopg
import pytest

from api.database.timeouts import Timeouts
from infra.doctor import role
from infra.doctor.checks import Status
from infra.local.names import OWNER
from tests.support.doctor import pooled_target


def run(database, *statements):
    with psycopg.connect(database.superuser.libpq(), autocommit=True) as connection:
        for statement in statements:
            connection.execute(statement)


@pytest.fixture
def made_role(cluster, shared_database):
    """Make login roles with attributes; return their URL past the pooler, which does not know them."""
    names = []

    def make(attributes):
        names.append(f"doctored_{secrets.token_hex(4)}")
        run(shared_database, f"CREATE ROLE {names[-1]} LOGIN PASSWORD 'p' {attributes}")
        return shared_database.pooled.replace(port=cluster.port, user=names[-1], password="p")

    yield make
    for name in names:
        run(shared_database, f"DROP ROLE {name}")


class TestTimeouts:
    def test_are_in_force_as_provisioned(self, pooled):
        """The limits of the role hold through the pooler, and where they come from is said."""
        finding = role.timeouts(pooled, Timeouts())
        assert finding.status is Status.OK
        assert "statement_timeout 30 s (user)" in finding.found

    @pytest.mark.parametrize(
        ("value", "status", "said"),
        [
            ("0", Status.FAILED, "no limit is in force: statement_timeout is 0"),
            ("'10min'", Status.WARNING, "statement_timeout 600 s"),
        ],
    )
    def test_that_are_not_as_provisioned_are_told(self, database, value, status, said):
        """Without a limit a request may hang; with a longer one it may outlive its invocation."""
        run(database, f"ALTER ROLE bough_app IN DATABASE {database.name} SET statement_timeout = {value}")
        finding = role.timeouts(pooled_target(database.pooled), Timeouts())
        assert finding.status is status
        assert said in finding.found


class TestRights:
    def test_are_few_enough_as_provisioned(self, pooled):
        """The application role of a migrated database has none too many."""
        assert role.rights(pooled).status is Status.OK

    @pytest.mark.parametrize(
        ("attributes", "said"),
        [
            ("SUPERUSER", "is superuser"),
            (
                "BYPASSRLS CREATEROLE CREATEDB",
                "is above row level security, can create roles, can create databases",
            ),
            ("IN ROLE pg_write_all_data", "is a member of pg_write_all_data"),
        ],
    )
    def test_of_a_mighty_role_are_told(self, made_role, attributes, said):
        """A role that gets around grants or policies is no application role."""
        finding = role.rights(pooled_target(made_role(attributes)))
        assert finding.status is Status.FAILED
        assert said in finding.found

    def test_of_the_owner_are_told(self, cluster, world, shared_database):
        """The owner's URL in the application's place would let requests change the schema."""
        url = shared_database.pooled.replace(port=cluster.port, user=OWNER, password=world.owner_password)
        finding = role.rights(pooled_target(url))
        assert finding.status is Status.FAILED
        assert "owns " in finding.found

    def test_on_schema_and_bookkeeping_are_told(self, database):
        """Who writes the record of migrations could make an unfit schema look fit."""
        run(
            database,
            "GRANT CREATE ON SCHEMA public TO bough_app",
            "GRANT DELETE ON alembic_version TO bough_app",
        )
        finding = role.rights(pooled_target(database.pooled))
        assert finding.found == "bough_app can create tables, can write alembic_version"
