"""What the Neon adapter does beyond every provider's contract, on a real control plane."""

from __future__ import annotations

import psycopg
import pytest

from infra.branches.errors import BranchDiffersError, TargetError
from infra.branches.neon.api import NeonApi
from infra.branches.provider import BranchSpec, DatabaseRole


@pytest.fixture(scope="module")
def provider(local_neon):
    """The adapter."""
    with local_neon.provider() as provider:
        yield provider


def query(url, statement):
    with psycopg.connect(url.libpq(), autocommit=True) as connection:
        return connection.execute(statement).fetchall()


class TestCreate:
    def test_branch_with_the_schema_only_is_found_as_such(self, provider, local_neon):
        """It has the parent's tables and none of their rows; found, it is verified, in six requests."""
        spec = BranchSpec("empty", with_data=False)
        made = provider.create(spec)
        assert query(provider.pooled_url("empty", DatabaseRole.APP), "SELECT id FROM note") == []
        before = len(local_neon.asked)
        assert provider.create(spec) == made
        asked = [line.removeprefix("GET /api/v2/projects/") for line in local_neon.asked[before:]]
        assert [line.partition("/")[2].replace(made.id, "ID") for line in asked] == [
            "branches",
            "branches/ID",
            "branches/ID/endpoints",
            "branches/ID/databases",
            "connection_uri",
            "connection_uri",
        ]
        with pytest.raises(BranchDiffersError, match="made without data, not with"):
            provider.create(BranchSpec("empty"))
        provider.delete("empty")

    def test_branch_without_a_compute_gets_one(self, provider, local_neon):
        """As made in the console or by another tool."""
        path = f"/projects/{provider.project_id}/branches"
        local_neon.plane.done(local_neon.plane.call("POST", path, {"branch": {"name": "bare"}}))
        made = provider.create(BranchSpec("bare"))
        url = provider.pooled_url("bare", DatabaseRole.APP)
        assert query(url, "SELECT current_setting('neon.branch_id')") == [(made.id,)]
        provider.delete("bare")


class TestProvision:
    def test_connection_string_for_another_branch_changes_nothing_there(
        self, provider, local_neon, monkeypatch
    ):
        """Were production's taken for a preview's, production's application could log in no more."""
        main = provider.provision("main")
        provider.create(BranchSpec("misled"))
        right = NeonApi.connection_url
        monkeypatch.setattr(
            NeonApi,
            "connection_url",
            lambda api, kind, _, *names, pooled: right(api, kind, main.id, *names, pooled=pooled),
        )
        with pytest.raises(TargetError, match=f"is {main.id} of project .*, not misled"):
            provider.provision("misled")
        monkeypatch.undo()
        assert query(provider.direct_url("main", DatabaseRole.APP), "SELECT 1") == [(1,)]
        provider.delete("misled")
