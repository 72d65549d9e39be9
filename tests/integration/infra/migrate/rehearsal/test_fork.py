"""Forks by branches: made of the target, proven to be another, and gone at the end.

At Supabase, the harder of the providers: it knows no expiry, and its servers do not say which branch they
are. The `bough migrate rehearse` command is tested on local branches, as Neon's.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

import psycopg
import pytest

from infra.branches.adoption import adopt
from infra.branches.errors import TargetError
from infra.branches.identity import BranchIdentity
from infra.branches.provider import DatabaseRole
from infra.context import ProviderName
from infra.deadline import Deadline
from infra.migrate.errors import ForkDiffersError, PoolerUnusableError
from infra.migrate.rehearsal.fork import BranchForking, Fork, Origin, application_url, prove
from infra.migrate.rehearsal.results import ForkKind
from tests.support.branch_hosts import supabase_host
from tests.support.histories import query, run_script
from tests.support.supabase_stub import APPLICATION

if TYPE_CHECKING:
    from collections.abc import Iterator

    from infra.branches.supabase.provider import SupabaseProvider


@pytest.fixture(scope="module")
def provider(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SupabaseProvider]:
    """A project whose default branch has a table with a row, and says which one it is."""
    with supabase_host(tmp_path_factory.mktemp("supabase")) as host, host.provider() as provider:
        host.migrate("CREATE TABLE note (id int PRIMARY KEY)")
        host.migrate("INSERT INTO note VALUES (1)")
        adopt(
            provider,
            ProviderName.SUPABASE,
            "main",
            application=APPLICATION,
            deadline=Deadline(30),
            announce=lambda _: None,
        )
        yield provider


@pytest.fixture
def origin(provider: SupabaseProvider) -> Origin:
    """The default branch as what is forked."""
    main = provider.get("main")
    who = BranchIdentity.of(ProviderName.SUPABASE, main)
    url = provider.direct_url(main.id, DatabaseRole.OWNER)
    return Origin(url, who, keep=False, announce=lambda _: None)


class TestBranchForking:
    """`BranchForking`."""

    def test_fork_has_the_data_is_another_branch_and_is_gone_afterwards(
        self, provider: SupabaseProvider, origin: Origin
    ) -> None:
        """Both ways into it work; what is changed there is not at the target. Ctrl-C ends in order."""
        before = [branch.name for branch in provider.list()]
        with pytest.raises(KeyboardInterrupt), BranchForking(provider, ProviderName.SUPABASE)(origin) as fork:
            prove(fork, origin.identity)
            assert fork.kind is ForkKind.BRANCH
            assert query(fork.direct, "DELETE FROM note RETURNING id") == [(1,)]
            assert fork.pooled is not None
            with psycopg.connect(fork.pooled.libpq(), prepare_threshold=None) as connection:
                assert connection.execute("SELECT count(*) FROM note").fetchone() == (0,)
            raise KeyboardInterrupt
        assert query(origin.url, "SELECT id FROM note") == [(1,)]
        assert [branch.name for branch in provider.list()] == before

    @pytest.mark.prove
    def test_fork_is_kept_on_request_until_a_later_one_is_made(
        self, provider: SupabaseProvider, origin: Origin, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """It is said how to reach it; so does one end that a killed rehearsal has left."""
        before = [branch.name for branch in provider.list()]
        said: list[str] = []
        announced = replace(origin, announce=said.append)
        with BranchForking(provider, ProviderName.SUPABASE)(replace(announced, keep=True)) as fork:
            pass
        kept = provider.get(fork.identity.branch_id)
        assert said == [f"The fork stays for 6 hours; the way into it: bough branch url {kept.name}"]
        with BranchForking(provider, ProviderName.SUPABASE)(announced):
            assert provider.get(kept.id)
        monkeypatch.setattr("infra.migrate.rehearsal.fork._LIFETIME", timedelta())
        with BranchForking(provider, ProviderName.SUPABASE)(announced):
            assert said[1:] == [f"Deleting {kept.name}, which a rehearsal has left"]
        assert [branch.name for branch in provider.list()] == before


class TestProve:
    """`prove`."""

    def test_refuses_the_target_for_its_own_fork(self, origin: Origin) -> None:
        """Whatever a provider answered: nothing is run on it."""
        with pytest.raises(ForkDiffersError, match="the target itself"):
            prove(Fork(origin.url, None, ForkKind.BRANCH, origin.identity), origin.identity)
        other = BranchIdentity("supabase", origin.identity.project_id, "br-other-one-12345678")
        with pytest.raises(TargetError, match="not br-other"):
            prove(Fork(origin.url, None, ForkKind.BRANCH, other), origin.identity)


class TestApplicationUrl:
    """`application_url`."""

    def test_refuses_a_pooler_that_leads_elsewhere(self, origin: Origin, provider: SupabaseProvider) -> None:
        """The application's way is asked by itself: code and clients write there."""
        pooled = provider.pooled_url(origin.identity.branch_id, DatabaseRole.APP)
        here = Fork(origin.url, pooled, ForkKind.BRANCH, origin.identity)
        assert application_url(here) == pooled
        other = BranchIdentity("supabase", origin.identity.project_id, "br-other-one-12345678")
        with pytest.raises(TargetError, match="not br-other"):
            application_url(replace(here, identity=other))
        with pytest.raises(PoolerUnusableError, match="no pooler"):
            application_url(replace(here, pooled=None))
        run_script(origin.url, f"REVOKE SELECT ON public.bough_branch FROM {APPLICATION}")
        with pytest.raises(PoolerUnusableError, match="permission denied for table bough_branch"):
            application_url(here)
        run_script(origin.url, f"GRANT SELECT ON public.bough_branch TO {APPLICATION}")
