"""Forks by branches, at each provider: made of the target, proven to be another, and gone at the end."""

from __future__ import annotations

from contextlib import AbstractContextManager, ExitStack
from dataclasses import replace
from typing import TYPE_CHECKING

import psycopg
import pytest

from infra.branches.adoption import adopt
from infra.branches.errors import TargetError
from infra.branches.identity import BranchIdentity
from infra.branches.provider import DatabaseRole
from infra.context import ProviderName
from infra.deadline import Deadline
from infra.migrate.errors import ForkDiffersError
from infra.migrate.rehearsal.fork import BranchForking, Fork, Origin, prove
from infra.migrate.rehearsal.results import ForkKind
from tests.support.branch_hosts import neon_host, supabase_host
from tests.support.histories import query
from tests.support.supabase_stub import APPLICATION

if TYPE_CHECKING:
    from collections.abc import Iterator

    from infra.branches.provider import BranchProvider
    from tests.support.branch_hosts import BranchHost


@pytest.fixture(scope="module", params=["neon", "supabase"])
def host(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[BranchHost]:
    """Each provider in turn, whose default branch has a table with a row and says which one it is."""
    hosts: dict[str, AbstractContextManager[BranchHost]] = {
        "neon": neon_host(tmp_path_factory.mktemp("neon")),
        "supabase": supabase_host(tmp_path_factory.mktemp("supabase")),
    }
    with hosts[request.param] as found:
        found.migrate("CREATE TABLE note (id int PRIMARY KEY)")
        found.migrate("INSERT INTO note VALUES (1)")
        with found.provider() as provider:  # type: ignore[attr-defined]  # adapters are context managers
            adopt(
                provider,
                ProviderName(found.name),
                "main",
                application=APPLICATION,
                deadline=Deadline(30),
                announce=lambda _: None,
            )
        yield found


@pytest.fixture
def provider(host: BranchHost) -> Iterator[BranchProvider]:
    """Its adapter."""
    with ExitStack() as stack:
        yield stack.enter_context(host.provider())  # type: ignore[arg-type]  # as above


@pytest.fixture
def origin(host: BranchHost, provider: BranchProvider) -> tuple[Origin, list[str]]:
    """The default branch as what is forked, and what is said meanwhile."""
    said: list[str] = []
    main = provider.get("main")
    who = BranchIdentity.of(ProviderName(host.name), main)
    return Origin(
        provider.direct_url(main.id, DatabaseRole.OWNER), who, keep=False, announce=said.append
    ), said


def forking(host: BranchHost, provider: BranchProvider) -> BranchForking:
    """Return what is tested."""
    return BranchForking(provider, ProviderName(host.name))


class TestBranchForking:
    """`BranchForking`."""

    def test_fork_has_the_data_is_another_branch_and_is_gone_afterwards(
        self, host: BranchHost, provider: BranchProvider, origin: tuple[Origin, list[str]]
    ) -> None:
        """Both ways into it work; what is changed there is not changed at the target."""
        before = [branch.name for branch in provider.list()]
        with forking(host, provider)(origin[0]) as fork:
            prove(fork, origin[0].identity)
            assert fork.kind is ForkKind.BRANCH
            assert query(fork.direct, "DELETE FROM note RETURNING id") == [(1,)]
            assert fork.pooled is not None
            with psycopg.connect(fork.pooled.libpq(), prepare_threshold=None) as connection:
                assert connection.execute("SELECT count(*) FROM note").fetchone() == (0,)
        assert query(origin[0].url, "SELECT id FROM note") == [(1,)]
        assert [branch.name for branch in provider.list()] == before

    def test_fork_is_gone_after_an_interruption(
        self, host: BranchHost, provider: BranchProvider, origin: tuple[Origin, list[str]]
    ) -> None:
        """Ctrl-C too ends in order."""
        before = [branch.name for branch in provider.list()]
        with pytest.raises(KeyboardInterrupt), forking(host, provider)(origin[0]):
            raise KeyboardInterrupt
        assert [branch.name for branch in provider.list()] == before

    def test_fork_is_kept_on_request(
        self, host: BranchHost, provider: BranchProvider, origin: tuple[Origin, list[str]]
    ) -> None:
        """And it is said how to reach it; where the provider can, it still expires."""
        kept, said = replace(origin[0], keep=True), origin[1]
        with forking(host, provider)(kept) as fork:
            pass
        branch = provider.get(fork.identity.branch_id)
        assert said == [f"The fork stays; the way into it: bough branch url {branch.name}"]
        assert (branch.expires_at is not None) is host.expires
        provider.delete(branch.id)


class TestProve:
    """`prove`."""

    def test_refuses_the_target_for_its_own_fork(self, origin: tuple[Origin, list[str]]) -> None:
        """Whatever a provider answered: nothing is run on it."""
        target, _ = origin
        with pytest.raises(ForkDiffersError, match="the target itself"):
            prove(Fork(target.url, None, ForkKind.BRANCH, target.identity), target.identity)
        other = BranchIdentity(target.identity.provider, target.identity.project_id, "br-other-one-12345678")
        with pytest.raises(TargetError, match="not br-other"):
            prove(Fork(target.url, None, ForkKind.BRANCH, other), target.identity)
