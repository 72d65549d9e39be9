"""What is proven, adopted and swept on real branches, by the real control plane."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import psycopg
import pytest

from infra.branches import identity, sweep
from infra.branches.adoption import adopt
from infra.branches.errors import TargetError
from infra.branches.identity import BranchIdentity
from infra.branches.neon.provider import NeonProvider
from infra.branches.provider import BranchSpec, DatabaseRole
from infra.branches.pull_requests import GivenPullRequests
from infra.context import ProviderName
from infra.deadline import Deadline
from infra.migrate import runner
from tests.support.histories import query
from tests.support.neon_api import neon_api

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.support.histories import History


@pytest.fixture(scope="module")
def provider(tmp_path_factory: pytest.TempPathFactory) -> Iterator[NeonProvider]:
    """The adapter on a control plane, with `main` and its child `pr-1`."""
    with (
        neon_api(tmp_path_factory.mktemp("local")) as api,
        NeonProvider(
            api.new_project(), api.api_key, base_url=api.base_url, announce=lambda _: None
        ) as provider,
    ):
        provider.create(BranchSpec("pr-1"))
        yield provider


def expected(provider: NeonProvider, name: str) -> BranchIdentity:
    return BranchIdentity.of(ProviderName.LOCAL, provider.get(name))


class TestLocalBranches:
    """Identity, adoption and sweep together."""

    def test_each_says_which_one_it_is(self, provider: NeonProvider, history: History) -> None:
        """Though one's data is a copy of the other's; what was meant for one never runs on the other."""
        history.write_three_tables()
        url = provider.direct_url("pr-1", DatabaseRole.OWNER)
        with pytest.raises(TargetError, match=r"not main \(br-"):
            runner.apply(history.project, url, expected=expected(provider, "main"))
        assert query(url, "SELECT to_regclass('alembic_version')") == [(None,)]
        said: list[str] = []
        runner.apply(
            history.project, url, expected=expected(provider, "pr-1"), announce=said.append, revision="one"
        )
        assert said == [f"→ pr-1 ({provider.get('pr-1').id}) of project {provider.project_id}"]

    def test_owner_cannot_change_what_its_server_says(self, provider: NeonProvider) -> None:
        """Its rights do not reach settings that would be copied with the data."""
        with psycopg.connect(
            provider.direct_url("pr-1", DatabaseRole.OWNER).libpq(), autocommit=True
        ) as owner:
            for subject in ("DATABASE app", "ROLE bough_owner", "SYSTEM"):
                with pytest.raises(psycopg.errors.InsufficientPrivilege):
                    owner.execute(f"ALTER {subject} SET neon.branch_id = 'br-other'".encode())

    def test_adoption_finds_nothing_to_do(self, provider: NeonProvider) -> None:
        """The server's word needs no mark."""
        adopted = adopt(
            provider,
            ProviderName.LOCAL,
            "pr-1",
            application="bough_app",
            deadline=Deadline(30),
            announce=lambda _: None,
        )
        assert adopted.identity == adopted.before == expected(provider, "pr-1")
        with psycopg.connect(provider.direct_url("pr-1", DatabaseRole.OWNER).libpq()) as owner:
            assert identity.read(owner) == adopted.identity
            assert owner.execute("SELECT to_regclass('bough_branch')").fetchone() == (None,)

    def test_sweep_deletes_what_is_not_open(self, provider: NeonProvider) -> None:
        """And only that; main stays."""
        now, rules = datetime.now(UTC) + timedelta(hours=2), sweep.Rules()
        for opened, left in ({1}, ["main", "pr-1"]), (set(), ["main"]):
            pull_requests = GivenPullRequests(frozenset(opened))
            decisions = sweep.plan(provider.list(), pull_requests.open_numbers(), now, rules)
            outcome = sweep.execute(provider, decisions, pull_requests, now, rules, announce=lambda _: None)
            assert outcome.failed == outcome.kept == ()
            assert [branch.name for branch in provider.list()] == left
