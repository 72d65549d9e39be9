"""The Neon adapter on a real control plane: real branches, connected to."""

from __future__ import annotations

from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

import psycopg
import pytest

from infra.branches.errors import BranchDiffersError, BranchNotFoundError, HistoryError
from infra.branches.neon import NeonProvider
from infra.branches.provider import BranchSpec, BranchState, DatabaseRole
from tests.support.neon_api import neon_api
from tests.support.published_schema import published_schema
from tests.support.recording_proxy import RecordingProxy


@pytest.fixture(scope="module")
def plane(tmp_path_factory):
    """A control plane with one project."""
    with neon_api(tmp_path_factory.mktemp("neon")) as api:
        api.project_id = api.new_project()
        yield api


@pytest.fixture(scope="module")
def proxy(plane):
    """Every exchange with it, held to Neon's published document."""
    proxy = RecordingProxy(plane.base_url, published_schema("neon"))
    yield proxy
    proxy.stop()


@pytest.fixture(scope="module")
def provider(plane, proxy):
    """The adapter on that project."""
    with NeonProvider(
        plane.project_id, plane.api_key, base_url=proxy.url, announce=lambda _: None, deadline=60.0
    ) as provider:
        provider.create(BranchSpec("main-child"))
        yield provider


def query(url, statement):
    with psycopg.connect(url.libpq(), autocommit=True, prepare_threshold=None) as connection:
        cursor = connection.execute(statement)
        return cursor.fetchall() if cursor.description else None


def requests(proxy):
    return [f"{each.method} {each.path.rpartition('/')[2]}" for each in proxy.take()]


@contextmanager
def branch(provider, name, **spec):
    made = provider.create(BranchSpec(name, **spec))
    yield made
    provider.delete(made.id)


class TestCreate:
    def test_branch_is_ready_for_both_roles_both_ways(self, provider):
        """What comes back has answered: owner and application, direct and pooled, with their rights."""
        with branch(provider, "one") as made:
            assert (made.state, made.is_protected, made.expires_at) == (BranchState.READY, False, None)
            owner = provider.direct_url("one", DatabaseRole.OWNER)
            query(owner, "CREATE TABLE item AS SELECT 7 AS n")
            for url in (provider.pooled_url, provider.direct_url):
                assert query(url(made.id, DatabaseRole.APP), "SELECT n FROM item") == [(7,)]
                assert query(url("one", DatabaseRole.OWNER), "SELECT n FROM item") == [(7,)]
            app = provider.pooled_url("one", DatabaseRole.APP)
            assert query(app, "SHOW statement_timeout") == [("30s",)]
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                query(app, "CREATE TABLE mine ()")
            assert query(owner, "SELECT current_setting('neon.branch_id')") == [(made.id,)]

    def test_application_password_of_the_parent_does_not_open_it(self, provider):
        """A branch inherits its parent's roles: the password is made its own before anybody connects."""
        parents = provider.direct_url("main-child", DatabaseRole.APP)
        assert query(parents, "SELECT 1") == [(1,)]
        with branch(provider, "grandchild", parent="main-child"):
            own = provider.direct_url("grandchild", DatabaseRole.APP)
            for url in (own, provider.pooled_url("grandchild", DatabaseRole.APP)):
                there = parents.replace(host=url.host, port=url.port)
                with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
                    query(there, "SELECT 1")
            assert query(own, "SELECT 1") == [(1,)]

    def test_branch_with_the_schema_only_is_found_as_such(self, provider):
        """It has the parent's tables and none of their rows, and is verified like any other."""
        owner = provider.direct_url("main-child", DatabaseRole.OWNER)
        query(owner, "CREATE TABLE IF NOT EXISTS kept AS SELECT 1 AS n")
        spec = BranchSpec("empty", parent="main-child", with_data=False)
        with branch(provider, "empty", parent="main-child", with_data=False) as made:
            assert query(provider.pooled_url("empty", DatabaseRole.APP), "SELECT n FROM kept") == []
            assert provider.create(spec) == made
            with pytest.raises(BranchDiffersError, match="with the schema only, not with the data"):
                provider.create(BranchSpec("empty", parent="main-child"))

    def test_branch_that_is_there_takes_seven_requests(self, provider, proxy):
        """Look, is anything under way, has it a compute, and how to connect; nothing is written."""
        proxy.take()
        provider.create(BranchSpec("main-child"))
        asked = requests(proxy)
        assert [line.split()[0] for line in asked] == ["GET"] * 6
        assert asked[0] == "GET branches"
        assert asked[-2:] == ["GET connection_uri"] * 2

    def test_branch_without_a_compute_gets_one(self, provider, plane):
        """As made in the console or by another tool."""
        body = {"branch": {"name": "bare"}}
        plane.done(plane.call("POST", f"/projects/{plane.project_id}/branches", body))
        with branch(provider, "bare"):
            assert query(provider.pooled_url("bare", DatabaseRole.APP), "SELECT 1") == [(1,)]


class TestReset:
    def test_branch_is_as_its_parent_and_its_urls_work(self, provider):
        """Its own changes are gone, the parent's are there, and who had the URLs goes on with them."""
        parent = provider.direct_url("main-child", DatabaseRole.OWNER)
        with branch(provider, "work", parent="main-child"):
            app, owner = (
                provider.pooled_url("work", role) for role in (DatabaseRole.APP, DatabaseRole.OWNER)
            )
            query(owner, "CREATE TABLE own ()")
            query(parent, "CREATE TABLE later AS SELECT 3 AS n")
            assert "own" in provider.diff("main-child", "work")
            assert provider.reset("work").name == "work"
            assert query(app, "SELECT n FROM later") == [(3,)]
            assert query(owner, "SELECT to_regclass('own')") == [(None,)]
            assert provider.diff("main-child", "work") == ""
            assert "CREATE TABLE public.later" in provider.schema("work")

    def test_past_that_is_not_kept_is_said(self, provider):
        """The local control plane keeps no history: Neon's own error, in the kit's words."""
        with pytest.raises(HistoryError):
            provider.restore("main-child", datetime.now(UTC) - timedelta(days=1))


class TestChange:
    def test_expiry_and_protection_are_kept(self, provider):
        """As they are asked for, one after the other."""
        at = (datetime.now(UTC) + timedelta(days=2)).replace(microsecond=0)
        assert provider.set_expiry("main-child", at).expires_at == at
        assert provider.get("main-child").expires_at == at
        assert provider.set_expiry("main-child", None).expires_at is None
        assert provider.protect("main-child", on=True).is_protected
        assert not provider.protect("main-child", on=False).is_protected

    def test_deleted_branch_is_gone(self, provider):
        """For every method, under its id and its name; deleting it once more does nothing."""
        with branch(provider, "short") as made:
            pass
        provider.delete("short")
        for name in ("short", made.id):
            with pytest.raises(BranchNotFoundError):
                provider.get(name)
