"""What is Supabase's own: runs with steps, projects that sleep, hosts and passwords that the API tells."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise

import psycopg
import pytest

from infra.branches import identity
from infra.branches.errors import (
    BranchBusyError,
    BranchDiffersError,
    BranchError,
    BranchLimitError,
    BranchProtectedError,
    HistoryError,
    NotSupportedError,
)
from infra.branches.identity import BranchIdentity
from infra.branches.provider import BranchSpec, BranchState, Compute, DatabaseRole
from infra.context import ProviderName

OWNER, APP = DatabaseRole.OWNER, DatabaseRole.APP


@pytest.fixture
def provider(supabase, said):
    """An adapter of the test's own."""
    with supabase.provider(said.append) as provider:
        yield provider


def query(url, statement):
    with psycopg.connect(url.libpq(), autocommit=True) as connection:
        return connection.execute(statement).fetchall()


class TestCreate:
    def test_failed_step_is_named(self, supabase, provider):
        """A branch whose migrations failed is not passed off as ready, the second time neither."""
        supabase.stub.failing_step = "migrate"
        for _ in range(2):
            with pytest.raises(BranchError, match="at the step migrate of the branch 'broken'") as caught:
                provider.create(BranchSpec("broken", with_data=False))
            assert "dashboard" in caught.value.hint
        provider.delete("broken")

    @pytest.mark.parametrize("loses_answer", [False, True])
    def test_paused_branch_is_started(self, supabase, provider, project, said, loses_answer):
        """Supabase pauses previews that nobody uses; whoever asks for one wants to use it."""
        if loses_answer:
            supabase.stub.fail("POST /v1/projects/[a-z]+/restore", after_work=True)
        project.status = "INACTIVE"
        assert provider.get("feature").state is BranchState.ARCHIVED
        assert provider.create(BranchSpec("feature", with_data=False)).state is BranchState.READY
        assert "the branch feature is paused; starting it" in said

    @pytest.mark.parametrize("status", ["INIT_FAILED", "REMOVED"])
    def test_project_that_will_never_be_ready_is_told_at_once(self, provider, feature, project, status):
        """There is nothing to wait for."""
        project.status = status
        with pytest.raises(BranchError, match=status):
            provider.create(BranchSpec("feature", with_data=False))

    def test_wait_ends_at_the_deadline(self, supabase, feature, project):
        """With what Supabase was at, and how to go on."""
        project.status = "COMING_UP"
        with (
            supabase.provider(deadline=0.3) as hurried,
            pytest.raises(BranchBusyError, match="COMING_UP") as e,
        ):
            hurried.create(BranchSpec("feature", with_data=False))
        assert "run this again" in e.value.hint

    def test_every_state_is_announced_once(self, provider, feature, said):
        """Whoever waits minutes sees what for, however often it is looked."""
        provider.reset("feature")
        waits = [each for each in said if each.startswith("waiting for Supabase")]
        assert waits
        assert all(before != after for before, after in pairwise(waits))

    @pytest.mark.parametrize(
        "changes",
        [
            {"expires_at": datetime.now(UTC) + timedelta(days=1)},
            {"compute": Compute(suspend_after=60)},
        ],
        ids=["expiry", "compute"],
    )
    def test_what_supabase_does_not_have_is_refused_before_anything_is_sent(
        self, supabase, provider, changes
    ):
        """Not left out in silence."""
        before = len(supabase.asked)
        with pytest.raises(NotSupportedError):
            provider.create(BranchSpec("other", **changes))
        assert len(supabase.asked) == before

    def test_other_parent_than_the_default_branch_is_refused(self, provider, feature):
        """Supabase knows no other."""
        with pytest.raises(NotSupportedError, match="feature"):
            provider.create(BranchSpec("other", parent="feature", with_data=False))

    def test_branch_without_data_is_not_taken_for_one_with(self, provider, feature):
        """What it was made with cannot be changed: it says how to go on."""
        with pytest.raises(BranchDiffersError, match="made without data") as caught:
            provider.create(BranchSpec("feature", with_data=True))
        assert "bough branch delete feature" in caught.value.hint

    def test_branch_with_data_says_what_it_takes(self, supabase, provider, feature):
        """Without the add-on Supabase copies none; its own words come with the way on."""
        supabase.stub.pitr = False
        with pytest.raises(BranchError, match="PITR") as caught:
            provider.create(BranchSpec("with-data"))
        supabase.stub.pitr = True
        assert "--schema-only" in caught.value.hint

    def test_limit_says_how_many_there_are_and_which_could_go(self, supabase, provider, feature):
        """The default branch is not among them."""
        there_are = len(provider.list())
        supabase.stub.limit = there_are - 1
        try:
            with pytest.raises(BranchLimitError, match=f"has {there_are} branches") as caught:
                provider.create(BranchSpec("one-too-many", with_data=False))
        finally:
            supabase.stub.limit = 50
        assert "feature" in caught.value.hint
        assert "main" not in caught.value.hint


class TestMark:
    def test_created_branch_says_which_it_is(self, supabase, provider, feature):
        """Supabase's servers do not: the mark is there when the branch is returned, and after a reset."""
        expected = BranchIdentity(ProviderName.SUPABASE.value, supabase.stub.ref, feature.id)
        for _ in range(2):
            with psycopg.connect(provider.direct_url("feature", OWNER).libpq()) as connection:
                assert identity.read(connection) == expected
            provider.reset("feature")


class TestRestore:
    def test_branch_is_what_it_was_at_that_second(self, supabase, provider):
        """Its rows, and its application role with the password that it has now."""
        made = provider.create(BranchSpec("restored"))
        project = supabase.stub.projects[made.id]
        at = datetime.now(UTC).replace(microsecond=0)
        project.backups = dict.fromkeys([at, at + timedelta(hours=1)], project.database.back_up())
        with psycopg.connect(provider.direct_url("restored", OWNER).libpq()) as connection:
            # It is a copy, and the mark its own.
            assert identity.read(connection).branch_id == made.id
            connection.execute("DELETE FROM note")
        assert provider.restore("restored", at).id == made.id
        assert query(provider.pooled_url("restored", APP), "SELECT body FROM note") == [("production",)]
        with pytest.raises(HistoryError) as caught:
            provider.restore("restored", at - timedelta(hours=1))
        assert at.isoformat().replace("+00:00", "Z") in caught.value.hint
        provider.delete("restored")

    def test_project_without_the_add_on_keeps_nothing(self, supabase, provider, feature):
        """It says what it takes."""
        supabase.stub.pitr = False
        with pytest.raises(HistoryError) as caught:
            provider.restore("feature", datetime.now(UTC) - timedelta(minutes=5))
        supabase.stub.pitr = True
        assert "PITR" in caught.value.hint

    def test_present_cannot_be_kept(self, provider, feature):
        """Nothing is restored then."""
        with pytest.raises(NotSupportedError):
            provider.restore("feature", datetime.now(UTC) - timedelta(minutes=5), preserve_as="before")


class TestProtection:
    def test_default_branch_stays_protected(self, supabase, provider):
        """Who could take it away could have production deleted next."""
        with pytest.raises(BranchProtectedError, match="is the default branch"):
            provider.protect(supabase.stub.ref, on=False)
        assert provider.get(supabase.stub.ref).is_protected


class TestDeletion:
    def test_scheduled_deletion_is_the_expiry_and_can_be_taken_back(self, provider, feature, project):
        """Somebody deleted it in the dashboard, with an hour's grace."""
        project.deletion_scheduled_at = "2026-12-01T12:00:00Z"
        assert provider.get("feature").expires_at == datetime(2026, 12, 1, 12, tzinfo=UTC)
        assert provider.set_expiry("feature", None).expires_at is None
        assert project.deletion_scheduled_at is None

    def test_deletion_whose_answer_was_lost_is_a_deletion(self, supabase, provider):
        """Asked for again, Supabase knows no such branch: that is what was wanted."""
        provider.create(BranchSpec("lost-deletion", with_data=False))
        supabase.stub.fail("DELETE .*", after_work=True)
        provider.delete("lost-deletion")
        assert "lost-deletion" not in [each.name for each in provider.list()]

    def test_persistent_branch_that_only_supabase_knows_of_is_refused_too(self, supabase, provider, feature):
        """Protected by somebody else between our look and our request."""
        refusal = supabase.refuse_persistent()
        with pytest.raises(BranchProtectedError, match=refusal):
            provider.delete("feature")


class TestSchema:
    def test_supabases_own_schemas_are_left_out(self, provider, feature):
        """The difference of two branches is the owner's work; the mark is no part of it either."""
        schema = provider.schema("feature")
        assert "CREATE TABLE public.note" in schema
        assert "auth" not in schema
        assert "bough_branch" not in schema


class TestRequests:
    def test_are_as_few_as_can_be(self, supabase, provider, feature):
        """An account has few requests a minute, and goes without for the next when they are used up."""
        counts = {}
        for name, act in {
            "get": lambda: provider.get("feature"),
            "list": provider.list,
            "pooled": lambda: provider.pooled_url("feature", APP),
            "direct": lambda: provider.direct_url("feature", APP),
            "create": lambda: provider.create(BranchSpec("feature", with_data=False)),
        }.items():
            before = len(supabase.asked)
            act()
            counts[name] = len(supabase.asked) - before
        assert counts == {"get": 1, "list": 1, "pooled": 3, "direct": 2, "create": 4}
