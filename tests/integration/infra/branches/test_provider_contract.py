"""What every provider of branches must do, on a real database behind each."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import psycopg
import pytest

from infra.branches.errors import (
    BranchDiffersError,
    BranchNameInvalidError,
    BranchNameMissingError,
    BranchNotFoundError,
    BranchProtectedError,
    HistoryError,
    NotSupportedError,
    ProviderAuthError,
)
from infra.branches.provider import BranchSpec, BranchState, DatabaseRole

OWNER, APP = DatabaseRole.OWNER, DatabaseRole.APP


@pytest.fixture(scope="module")
def provider(host):
    """An adapter."""
    with host.provider() as provider:
        yield provider


@pytest.fixture(scope="module")
def preview(provider):
    """A branch with the parent's data, which tests may read and leave as it is."""
    return provider.create(BranchSpec("preview"))


@pytest.fixture
def default(provider):
    """The default branch as it is now."""
    return next(branch for branch in provider.list() if branch.is_default)


def query(url, statement):
    with psycopg.connect(url.libpq(), autocommit=True) as connection:
        cursor = connection.execute(statement)
        return cursor.fetchall() if cursor.description else None


def names(provider):
    return [branch.name for branch in provider.list()]


class TestCreate:
    def test_branch_has_the_parents_tables_and_rows(self, provider, preview, default):
        """A branch is ready when it is returned, and is a copy of the default branch."""
        assert (preview.name, preview.state) == ("preview", BranchState.READY)
        assert (preview.parent_id, preview.project_id) == (default.id, provider.project_id)
        assert (preview.is_default, preview.is_protected) == (False, False)
        assert preview.expires_at is None
        assert preview.created_at.tzinfo is not None
        url = provider.direct_url("preview", APP)
        assert query(url, "SELECT body FROM note") == [("production",)]

    def test_asking_again_returns_the_same_branch(self, provider, preview):
        """A pipeline that runs twice has one branch."""
        assert provider.create(BranchSpec("preview")).id == preview.id
        assert names(provider).count("preview") == 1

    def test_asking_for_another_thing_changes_nothing(self, provider, preview):
        """A branch of that name which is not protected is not passed off as one that is."""
        with pytest.raises(BranchDiffersError, match="protect") as caught:
            provider.create(BranchSpec("preview", protected=True))
        assert "bough branch protect preview" in caught.value.hint
        assert provider.get("preview") == preview

    def test_default_branch_is_not_taken_for_a_new_one(self, provider, default):
        """Whoever asks for a preview named as production does not get production."""
        with pytest.raises(BranchDiffersError):
            provider.create(BranchSpec(default.name))

    def test_unknown_parent_is_refused(self, provider, preview):
        """With the nearest name; and no branch is made."""
        with pytest.raises(BranchNotFoundError) as caught:
            provider.create(BranchSpec("of-nothing", parent="preveiw"))
        assert caught.value.hint == "did you mean preview?"
        assert "of-nothing" not in names(provider)

    def test_one_branch_is_made_when_many_ask(self, host, provider):
        """All get the same one."""
        spec = BranchSpec("race", with_data=host.copies_quickly)
        with ThreadPoolExecutor(4) as pool:
            made = list(pool.map(lambda _: provider.create(spec), range(4)))
        assert len({branch.id for branch in made}) == 1
        assert names(provider).count("race") == 1
        provider.delete("race")

    @pytest.mark.parametrize("lose", ["lose_answer", "lose_request"])
    def test_lost_answer_leaves_exactly_one_branch(self, host, lose):
        """It is looked for before it is asked for again, whether it had been made or not."""
        getattr(host, lose)()
        said = []
        with host.provider(said.append) as provider:
            made = provider.create(BranchSpec("lost", with_data=host.copies_quickly))
            assert [branch.id for branch in provider.list() if branch.name == "lost"] == [made.id]
            assert any("looking" in each for each in said)
            provider.delete("lost")


class TestApplicationRole:
    def test_parents_password_does_not_open_the_branch(self, host, provider, preview, default):
        """A branch has its parent's roles; production's application password is not among them."""
        parents = provider.direct_url(default.id, APP)
        own = provider.direct_url("preview", APP)
        taken = parents.replace(host=own.host, port=own.port)
        with pytest.raises(psycopg.OperationalError, match=r"password|authentication"):
            query(taken, "SELECT 1")

    @pytest.mark.parametrize("pooled", [False, True])
    def test_may_write_rows_and_change_no_schema(self, provider, preview, pooled):
        """What requests need, and nothing more, on both ways."""
        url = (provider.pooled_url if pooled else provider.direct_url)("preview", APP)
        with psycopg.connect(url.libpq()) as connection:
            connection.execute("UPDATE note SET body = 'changed'")
            connection.rollback()
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                connection.execute("CREATE TABLE other (id int)")

    def test_tables_to_come_are_granted(self, provider, preview):
        """A migration on the branch needs no grant of its own."""
        query(provider.direct_url("preview", OWNER), "CREATE TABLE later AS SELECT 7 AS id")
        assert query(provider.pooled_url("preview", APP), "SELECT id FROM later") == [(7,)]
        query(provider.direct_url("preview", OWNER), "DROP TABLE later")


class TestNames:
    @pytest.mark.parametrize("name", ["", "  "])
    def test_empty_name_never_leaves_the_machine(self, host, provider, name):
        """Providers take an empty name for production: nothing is sent at all."""
        now = datetime.now(UTC)
        before = len(host.asked)
        for act in (
            lambda: provider.create(BranchSpec(name)),
            lambda: provider.get(name),
            lambda: provider.reset(name),
            lambda: provider.restore(name, now),
            lambda: provider.set_expiry(name, now + timedelta(days=1)),
            lambda: provider.protect(name, on=True),
            lambda: provider.delete(name),
            lambda: provider.direct_url(name, OWNER),
            lambda: provider.pooled_url(name, APP),
            lambda: provider.schema(name),
            lambda: provider.diff(name, "preview"),
        ):
            with pytest.raises(BranchNameMissingError):
                act()
        assert len(host.asked) == before

    def test_what_cannot_be_a_name_is_refused(self, host, provider, preview):
        """What is too long or would not show, before anything is sent; and what already means another."""
        before = len(host.asked)
        for name in ("x" * 257, "a\0b", "a\nb", "\ud800", "a\u202eb"):
            with pytest.raises(BranchNameInvalidError):
                provider.create(BranchSpec(name, with_data=False))
        assert len(host.asked) == before
        with pytest.raises(BranchNameInvalidError, match="is the id of the branch 'preview'"):
            provider.create(BranchSpec(preview.id, with_data=False))

    def test_id_and_name_mean_the_same(self, provider, preview):
        """Both are accepted everywhere."""
        assert provider.get(preview.id) == provider.get(preview.name) == preview

    def test_unknown_branch_is_told_with_the_nearest(self, provider, preview):
        """As with every method that needs one."""
        for act in (provider.get, provider.reset, provider.schema):
            with pytest.raises(BranchNotFoundError, match="'previw'") as caught:
                act("previw")
            assert caught.value.hint == "did you mean preview?"


class TestList:
    def test_oldest_comes_first(self, provider, preview):
        """The default branch is the oldest, and always there."""
        listed = provider.list()
        assert listed[0].is_default
        assert [branch.created_at for branch in listed] == sorted(branch.created_at for branch in listed)
        assert preview in listed


class TestReset:
    def test_own_changes_are_gone_and_urls_stay(self, host, provider, preview):
        """The branch is what its parent is, as far as the provider's reset goes, and usable at once."""
        before = {role: provider.direct_url("preview", role) for role in (OWNER, APP)}
        query(before[OWNER], "CREATE TABLE own (id int)")
        host.migrate("CREATE TABLE IF NOT EXISTS newer (id int)")
        assert provider.reset("preview").id == preview.id
        assert {role: provider.direct_url("preview", role) for role in (OWNER, APP)} == before
        tables = query(before[OWNER], "SELECT to_regclass('own'), to_regclass('newer') IS NOT NULL")
        assert tables == [(None, True)]
        rows = query(provider.pooled_url("preview", APP), "SELECT body FROM note")
        assert rows == ([("production",)] if host.resets_to_data else [])

    def test_default_branch_is_refused(self, provider, default):
        """It has no parent."""
        with pytest.raises(NotSupportedError):
            provider.reset(default.name)


class TestRestore:
    def test_past_that_is_not_kept_is_refused(self, provider, preview):
        """Nothing is changed, and the reason is one of its own."""
        with pytest.raises(HistoryError):
            provider.restore("preview", datetime.now(UTC) - timedelta(days=400))


class TestExpiry:
    def test_expiry_is_set_and_taken_away(self, host, provider, preview):
        """Or is refused with what there is instead, before anything is sent."""
        at = datetime.now(UTC).replace(microsecond=0) + timedelta(days=2)
        if host.expires:
            assert provider.set_expiry("preview", at).expires_at == at
        else:
            with pytest.raises(NotSupportedError) as caught:
                provider.set_expiry("preview", at)
            assert "sweep" in caught.value.hint
        assert provider.set_expiry("preview", None).expires_at is None


class TestProtection:
    def test_protected_branch_is_neither_reset_nor_deleted(self, provider, preview):
        """Until it is protected no longer."""
        assert provider.protect("preview", on=True).is_protected
        try:
            for act in (provider.reset, provider.delete):
                with pytest.raises(BranchProtectedError):
                    act("preview")
            assert provider.get("preview").is_protected
        finally:
            assert not provider.protect("preview", on=False).is_protected


class TestDelete:
    def test_deleted_branch_is_gone_and_again_is_harmless(self, host, provider):
        """Its name is free when the method returns."""
        provider.create(BranchSpec("short-lived", with_data=host.copies_quickly))
        provider.delete("short-lived")
        assert "short-lived" not in names(provider)
        provider.delete("short-lived")

    def test_default_branch_is_refused(self, provider, default):
        """Whatever it is named."""
        for named in (default.id, default.name):
            with pytest.raises(BranchProtectedError):
                provider.delete(named)


class TestUrls:
    @pytest.mark.parametrize("role", [OWNER, APP])
    def test_each_leads_to_the_branch_as_the_role(self, provider, preview, role):
        """Pooled and direct, and both say the same of themselves."""
        marked = "SELECT current_user, current_database()"
        direct = query(provider.direct_url("preview", role), marked)
        assert direct == query(provider.pooled_url("preview", role), marked)

    def test_passwords_show_nowhere(self, host, provider, preview):
        """Neither in what prints a URL nor in the adapter."""
        shown = [repr(provider), repr(preview)]
        for role in (OWNER, APP):
            shown += [repr(provider.direct_url("preview", role)), str(provider.pooled_url("preview", role))]
        assert not [secret for secret in host.secrets if secret in "\n".join(shown)]


class TestSchema:
    def test_difference_is_what_the_branch_changed(self, provider, preview, default):
        """Nothing between a branch and itself, the new column against its parent."""
        query(provider.direct_url("preview", OWNER), "ALTER TABLE note ADD mood text")
        assert "mood text" in provider.schema("preview")
        assert provider.diff("preview", "preview") == ""
        changed = provider.diff(default.name, "preview").splitlines()
        assert "+    mood text" in changed
        assert not [line for line in changed if line.startswith("-") and "mood" in line]
        query(provider.direct_url("preview", OWNER), "ALTER TABLE note DROP mood")


class TestRequests:
    def test_wait_is_announced(self, host):
        """Whoever waits is told why and for how long."""
        host.turn_away()
        said = []
        with host.provider(said.append) as provider:
            provider.list()
        assert ["trying again in" in each for each in said] == [True]

    def test_wrong_token_is_told(self, host):
        """With the exit code for it, and without the token."""
        with host.provider(token="a-wrong-token") as provider, pytest.raises(ProviderAuthError) as caught:
            provider.list()
        assert caught.value.exit_code == 4
        assert "a-wrong-token" not in str(caught.value) + str(caught.value.hint)
