"""Branches at Neon restored, given an expiry, protected and deleted."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

import pytest

from infra.branches import errors
from tests.support.scripted_api import DROP
from tests.support.scripted_neon import PREFIX, branch, error

NEXT_YEAR = datetime.now(UTC) + timedelta(days=365)


def tomorrow(**changes):
    return (datetime.now(UTC) + timedelta(days=1)).replace(**changes)


class TestRestore:
    @pytest.fixture
    def one(self, neon):
        """A branch to restore."""
        neon.branches["br-1"] = branch("br-1", "one")
        return datetime(2026, 1, 1, 12, tzinfo=UTC)

    def test_reset_names_the_parent(self, one, api, provider):
        """Neon has no mode for it: the parent is read, and named as the source."""
        provider.reset("one")
        assert [each.body for each in api.received if each.method == "POST"] == [
            {"source_branch_id": "br-main"}
        ]

    def test_restore_keeps_the_present_under_a_name(self, one, api, provider, said):
        """Neon insists on one; without one given it says which it took."""
        provider.restore("one", one, preserve_as="kept")
        provider.restore("br-1", one)
        bodies = [each.body for each in api.received if each.method == "POST"]
        assert bodies[0] == {
            "source_branch_id": "br-1",
            "source_timestamp": "2026-01-01T12:00:00Z",
            "preserve_under_name": "kept",
        }
        assert re.fullmatch(r"one-before-\d{8}T\d{6}Z", bodies[1]["preserve_under_name"])
        assert bodies[1]["preserve_under_name"] in said[-1]

    @pytest.mark.parametrize("preserve_as", [None, "kept"])
    def test_lost_answer_is_looked_for(self, one, neon, api, provider, preserve_as):
        """It was done: not twice, which would keep another present."""
        neon.lose.append("POST /branches/br-1/restore")
        provider.restore("one", one, preserve_as=preserve_as)
        assert api.asked.count(f"POST {PREFIX}/branches/br-1/restore") == 1

    def test_lost_request_is_sent_again(self, one, neon, api, provider):
        """It was not done."""
        lost = [DROP]
        neon.before = lambda request: lost.pop() if request.method == "POST" and lost else None
        provider.reset("one")
        assert api.asked.count(f"POST {PREFIX}/branches/br-1/restore") == 2

    def test_moment_that_is_not_kept_is_said(self, one, neon, provider, said):
        """Neon's own words, and what to do; nothing claims that the present was kept."""
        refusal = error(400, "timestamp precedes the history retention period")
        neon.before = lambda request: refusal if request.method == "POST" else None
        with pytest.raises(errors.HistoryError, match="precedes") as caught:
            provider.restore("one", one)
        assert "later moment" in caught.value.hint
        assert said == []

    def test_what_cannot_be_restored_is_refused_before_anything_is_sent(self, one, neon, api, provider):
        """Roots, parents, protected branches, names that are taken, moments to come."""
        neon.branches |= {
            "br-2": branch("br-2", "child", parent_id="br-1"),
            "br-3": branch("br-3", "kept", protected=True),
        }
        with pytest.raises(errors.NotSupportedError, match="has no parent"):
            provider.reset("main")
        with pytest.raises(errors.BranchProtectedError, match="parent of child"):
            provider.reset("one")
        for call in (provider.reset, lambda name: provider.restore(name, one)):
            with pytest.raises(errors.BranchProtectedError, match="protected, and cannot be re"):
                call("kept")
        with pytest.raises(errors.BranchError, match="there is a branch 'kept' already"):
            provider.restore("one", one, preserve_as="kept")
        with pytest.raises(errors.MomentInvalidError, match="still to come"):
            provider.restore("one", tomorrow())
        assert not any(each.method == "POST" for each in api.received)


class TestChange:
    def test_expiry_is_sent_in_whole_seconds_or_as_null(self, neon, api, provider):
        """As Neon's API takes it."""
        neon.branches["br-1"] = branch("br-1", "one")
        at = tomorrow(microsecond=123)
        assert provider.set_expiry("one", at).expires_at == at.replace(microsecond=0)
        assert provider.set_expiry("one", None).expires_at is None
        assert [each.body for each in api.received if each.method == "PATCH"] == [
            {"branch": {"expires_at": f"{at:%Y-%m-%dT%H:%M:%SZ}"}},
            {"branch": {"expires_at": None}},
        ]

    def test_protection_is_set_once(self, neon, api, provider):
        """Asked for what is so already, nothing is sent."""
        neon.branches["br-1"] = branch("br-1", "one")
        assert provider.protect("one", on=True).is_protected
        assert provider.protect("one", on=True).is_protected
        assert not provider.protect("one", on=False).is_protected
        assert [each.method for each in api.received].count("PATCH") == 2

    @pytest.mark.parametrize(
        ("name", "reason"),
        [("main", "default branch"), ("kept", "protected"), ("parent", "parent of child")],
    )
    def test_what_must_stay_neither_expires_nor_is_deleted(self, neon, api, provider, name, reason):
        """The default branch, a protected one, and the parent of others, with their names."""
        neon.branches |= {
            "br-1": branch("br-1", "kept", protected=True),
            "br-2": branch("br-2", "parent"),
            "br-3": branch("br-3", "child", parent_id="br-2"),
        }
        with pytest.raises(errors.BranchProtectedError, match=f"{reason}.*cannot expire"):
            provider.set_expiry(name, tomorrow())
        with pytest.raises(errors.BranchProtectedError, match=f"{reason}.*cannot be deleted"):
            provider.delete(name)
        assert {each.method for each in api.received} == {"GET"}

    @pytest.mark.parametrize(
        ("act", "what"),
        [
            (lambda p: p.protect("one", on=True), "protection"),
            (lambda p: p.set_expiry("one", datetime.now(UTC) + timedelta(days=1)), "expiry"),
        ],
    )
    def test_change_that_neon_left_out_is_no_success(self, neon, provider, act, what):
        """A plan without a feature may take the request and do nothing."""
        neon.branches["br-1"] = branch("br-1", "one")
        neon.before = lambda request: request.body["branch"].clear() if request.method == "PATCH" else None
        with pytest.raises(errors.BranchError, match=f"left the branch 'one' with its old .*{what}"):
            act(provider)

    def test_branch_that_expires_cannot_be_protected(self, neon, provider):
        """Neon refuses both at once; the error says which to give up."""
        neon.branches["br-1"] = branch("br-1", "one", expires_at=NEXT_YEAR.isoformat())
        with pytest.raises(errors.BranchError, match=r"expires at .* cannot be protected"):
            provider.protect("one", on=True)

    def test_deleting_what_is_gone_does_nothing(self, neon, api, provider):
        """Also when it goes while it is asked for, or the answer is lost."""
        neon.branches |= {"br-1": branch("br-1", "one"), "br-2": branch("br-2", "two")}
        neon.lose.append("DELETE /branches/br-1")
        provider.delete("one")
        provider.delete("one")
        neon.before = lambda request: error(404, "gone") if request.method == "DELETE" else None
        provider.delete("two")
        assert [each.method for each in api.received].count("DELETE") == 3
