"""The connection strings of Supabase branches: reached, told apart, and kept from everybody else."""

from __future__ import annotations

import traceback

import psycopg
import pytest

from infra.branches.errors import NotSupportedError, ProviderAuthError, TargetError
from infra.branches.provider import BranchSpec, DatabaseRole

OWNER, APP = DatabaseRole.OWNER, DatabaseRole.APP


@pytest.fixture
def provider(supabase, said):
    """An adapter of the test's own."""
    with supabase.provider(said.append) as provider:
        yield provider


class TestDirectUrl:
    def test_session_pooler_stands_in_where_the_network_does_not_lead(
        self, supabase, provider, feature, project, said
    ):
        """Found out by trying, said once, and good for migrations: the session is kept."""
        # Link-local without an interface: no network leads there.
        project.detail_changes["db_host"] = "fe80::1"
        url = provider.direct_url("feature", OWNER)
        assert provider.direct_url("feature", APP).user == f"bough_app.{feature.id}"
        assert (url.host, url.port) == ("127.0.0.1", supabase.stub.sessions.port)
        assert [each for each in said if "session pooler" in each] == said[:1] == said
        with psycopg.connect(url.libpq(), autocommit=True) as connection:
            connection.execute("SET lock_timeout = '3s'")
            assert connection.execute("SHOW lock_timeout").fetchone() == ("3s",)

    def test_server_that_refuses_is_not_gone_around(self, provider, feature, project):
        """The network leads there: another way would only hide why it refuses."""
        project.detail_changes["db_port"] = 1
        assert provider.direct_url("feature", OWNER).port == 1

    def test_host_of_somebody_else_gets_nothing(self, provider, feature, project):
        """Who can change an answer of the API would otherwise get the password."""
        project.detail_changes["db_host"] = "db.supabase.co.example.com"
        with pytest.raises(TargetError, match=r"db\.supabase\.co\.example\.com"):
            provider.direct_url("feature", OWNER)

    def test_description_of_another_branch_is_refused(self, provider, feature, project):
        """Its host would be taken for this one's."""
        project.detail_changes["ref"] = "z" * 20
        with pytest.raises(TargetError, match=f"asked how the branch {feature.id} is reached"):
            provider.direct_url("feature", OWNER)


class TestPooledUrl:
    def test_pooler_of_somebody_else_gets_nothing(self, provider, feature, project):
        """Neither another host's nor, on the right host, another project's."""
        project.pooler_changes["db_host"] = "pooler.example.com"
        with pytest.raises(TargetError, match=r"pooler\.example\.com"):
            provider.pooled_url("feature", APP)
        project.pooler_changes.clear()
        project.pooler_changes["db_user"] = "postgres.aaaaaaaaaaaaaaaaaaaa"
        with pytest.raises(TargetError, match="aaaaaaaaaaaaaaaaaaaa"):
            provider.pooled_url("feature", APP)

    @pytest.mark.parametrize("change", [{"pool_mode": "session"}, {"database_type": "READ_REPLICA"}])
    def test_only_the_primarys_transaction_pooler_will_do(self, provider, feature, project, change):
        """Writes to a replica fail, and sessions on a session pooler run out."""
        project.pooler_changes.update(change)
        with pytest.raises(NotSupportedError, match="transaction mode"):
            provider.pooled_url("feature", APP)


class TestPasswords:
    def test_hidden_password_is_asked_for_by_its_variable(self, supabase, provider, feature):
        """A token may see the branch and not its password; then the environment has to tell it."""
        supabase.stub.hides_password = True
        try:
            with pytest.raises(ProviderAuthError) as caught:
                provider.direct_url("feature", OWNER)
            given = supabase.stub.database(feature.id).password
            with supabase.provider(owner_password=given) as told:
                url = told.direct_url("feature", APP)
        finally:
            supabase.stub.hides_password = False
        assert "SUPABASE_DB_PASSWORD" in caught.value.hint
        with psycopg.connect(url.libpq()) as connection:
            assert connection.execute("SELECT current_user").fetchone() == ("bough_app",)

    def test_no_traceback_holds_a_secret(self, supabase, provider, feature, project):
        """Not even one that shows every variable of every frame."""
        project.pooler_changes["db_user"] = "postgres.aaaaaaaaaaaaaaaaaaaa"
        with pytest.raises(TargetError) as caught:
            provider.create(BranchSpec("feature", with_data=False))
        shown = "".join(
            traceback.TracebackException.from_exception(caught.value, capture_locals=True).format()
        )
        assert not [secret for secret in supabase.secrets if secret in shown]
