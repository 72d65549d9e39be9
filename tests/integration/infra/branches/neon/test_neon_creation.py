"""One branch of a name at Neon, whatever happens on the way."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta, timezone

import pytest

from infra.branches import errors
from infra.branches.provider import BranchSpec, BranchState, Compute
from tests.support.scripted_api import DROP, Reply
from tests.support.scripted_neon import PREFIX, branch, error

LATE = "2026-06-01T00:00:00Z"
NEXT_YEAR = datetime.now(UTC) + timedelta(days=365)


def tomorrow(**changes):
    return (datetime.now(UTC) + timedelta(days=1)).replace(**changes)


class TestCreate:
    def test_new_branch_takes_these_requests(self, neon, api, provider):
        """Look, make with a compute, await both operations, then ask for what connecting needs."""
        made = provider.create(BranchSpec("one", compute=Compute(0.25, 2, 600)))
        assert (made.name, made.parent_id) == ("one", "br-main")
        shown = [line.replace(PREFIX, "") for line in api.asked]
        assert [re.sub("operations/.*", "operations/…", line) for line in shown] == [
            "GET /branches",
            "POST /branches",
            "GET /operations/…",
            "GET /operations/…",
            f"GET /branches/{made.id}",
            f"GET /branches/{made.id}/databases",
            "GET /connection_uri",
            "GET /connection_uri",
        ]
        assert api.received[1].body == {
            "branch": {"name": "one", "parent_id": "br-main"},
            "endpoints": [
                {
                    "type": "read_write",
                    "autoscaling_limit_min_cu": 0.25,
                    "autoscaling_limit_max_cu": 2,
                    "suspend_timeout_seconds": 600,
                }
            ],
        }

    def test_same_branch_again_is_found(self, neon, api, provider):
        """Nothing is posted; fractions of a second of the expiry do not count, nor does its zone."""
        neon.branches["br-main"]["name"] = "production"
        east = timezone(timedelta(hours=2))
        first = provider.create(BranchSpec("one", expires_at=tomorrow(microsecond=5)))
        same = first.expires_at.replace(microsecond=9).astimezone(east)
        assert provider.create(BranchSpec("one", parent="br-main", expires_at=same)) == first
        assert sum(each.method == "POST" for each in api.received) == 1

    @pytest.mark.parametrize(
        ("there", "message", "hint"),
        [
            (
                {"parent_id": "br-dev"},
                "it was made from dev, not from main",
                "first run: bough branch delete one",
            ),
            ({"protected": True}, "it is protected", "first run: bough branch protect one --off"),
            (
                {"expires_at": "2027-01-01T00:00:00Z"},
                "expires at 2027-01-01T00:00:00Z, not never",
                "first run: bough branch expire one never",
            ),
            ({"init_source": "schema-only"}, "made without data, not with", "branch delete one"),
        ],
    )
    def test_other_branch_of_that_name_is_refused(self, neon, provider, there, message, hint):
        """It says what differs and how to go on, and changes nothing."""
        neon.branches |= {"br-dev": branch("br-dev", "dev"), "br-1": branch("br-1", "one", **there)}
        with pytest.raises(errors.BranchDiffersError, match=message) as caught:
            provider.create(BranchSpec("one"))
        assert hint in caught.value.hint
        assert neon.branches["br-1"] == branch("br-1", "one", **there)

    def test_branch_in_the_making_is_awaited_and_given_a_compute(self, neon, api, provider):
        """One that another run began, and one that was made without a compute."""
        looks = []

        def ready_at_the_third_look(request):
            if request.path == f"{PREFIX}/branches/br-1":
                looks.append(request)
                if len(looks) > 2:
                    neon.branches["br-1"]["current_state"] = "ready"

        neon.branches["br-1"] = branch("br-1", "one", current_state="init", pending_state="ready")
        neon.before = ready_at_the_third_look
        assert provider.create(BranchSpec("one")).state is BranchState.READY
        assert len(looks) == 3
        assert "br-1" in neon.endpoints
        assert f"POST {PREFIX}/endpoints" in api.asked

    def test_lost_answer_is_looked_for(self, neon, api, provider, said):
        """The branch was made: it is found, not made again."""
        neon.lose.append("POST /branches")
        made = provider.create(BranchSpec("one"))
        assert [each["name"] for each in neon.branches.values()].count("one") == 1
        assert made.id in neon.branches
        assert "looking whether the branch 'one' is there" in said[0]

    def test_lost_request_is_sent_again(self, neon, api, provider):
        """The branch was not made: none is no result either."""
        lost = [DROP, Reply(504)]
        neon.before = lambda request: lost.pop(0) if request.method == "POST" and lost else None
        assert provider.create(BranchSpec("one")).name == "one"
        assert api.asked.count(f"POST {PREFIX}/branches") == 3

    def test_lost_for_good_is_said(self, neon, provider):
        """After three tries it ends, with what Neon said last."""
        neon.before = lambda request: error(500, "out of order") if request.method == "POST" else None
        with pytest.raises(errors.ProviderUnavailableError, match=r"after 3 tries.*out of order"):
            provider.create(BranchSpec("one"))

    def test_name_taken_meanwhile_is_looked_at(self, neon, api, provider):
        """Another run was quicker: its branch is the answer."""

        def quicker(request):
            if request.method == "POST" and "br-1" not in neon.branches:
                neon.branches["br-1"] = branch("br-1", "one")
                neon.endpoints.add("br-1")

        neon.before = quicker
        assert provider.create(BranchSpec("one")).id == "br-1"

    def test_wish_that_neon_left_out_is_said(self, neon, provider):
        """A plan without a feature may drop it in silence: the branch is there, and is not passed off."""

        def forget(request):
            if request.method == "POST":
                request.body["branch"].pop("expires_at")

        neon.before = forget
        with pytest.raises(errors.BranchDiffersError, match="expires never, not at"):
            provider.create(BranchSpec("one", expires_at=tomorrow()))

    def test_source_that_neon_does_not_tell_is_not_held_against_it(self, neon, provider):
        """A branch with the schema only is a root; one with a parent has its data, said or not."""
        neon.branches["br-1"] = branch("br-1", "one", parent_id=None)
        assert provider.create(BranchSpec("one", with_data=False)).id == "br-1"
        neon.branches["br-1"]["parent_id"] = "br-main"
        with pytest.raises(errors.BranchDiffersError, match="made with data"):
            provider.create(BranchSpec("one", with_data=False))

    def test_default_branch_is_nobodys_new_branch(self, provider, api):
        """Not as one with the schema only either, and the hint does not have production deleted."""
        for with_data in (True, False):
            with pytest.raises(errors.BranchDiffersError, match="it is the default branch") as caught:
                provider.create(BranchSpec("main", with_data=with_data))
            assert caught.value.hint == "take another name"
        assert {each.split()[0] for each in api.asked} == {"GET"}

    def test_compute_that_cannot_be_had_is_said(self, neon, provider):
        """With Neon's reason; a compute that is there after all is no error."""
        neon.branches["br-1"] = branch("br-1", "one")
        neon.before = lambda request: (
            error(412, "plan") if request.path.endswith("/endpoints") and (request.method == "POST") else None
        )
        with pytest.raises(errors.BranchError, match=r"br-1 got no compute: .*412: plan"):
            provider.create(BranchSpec("one"))

    def test_limit_says_how_many_and_which_could_go(self, neon, provider):
        """Matched by its code, whatever the status; neither parents nor protected ones are offered."""
        neon.branches |= {
            "br-1": branch("br-1", "newer", created_at="2026-03-01T00:00:00Z"),
            "br-2": branch("br-2", "older", created_at="2026-02-01T00:00:00Z"),
            "br-3": branch(
                "br-3", "expired", expires_at="2026-04-01T00:00:00Z", created_at=NEXT_YEAR.isoformat()
            ),
            "br-4": branch("br-4", "kept", protected=True),
            "br-5": branch("br-5", "parent"),
            "br-6": branch("br-6", "child", parent_id="br-5", created_at="2026-05-01T00:00:00Z"),
        }
        refusal = error(422, "no more", "BRANCHES_LIMIT_EXCEEDED")
        neon.before = lambda request: refusal if request.method == "POST" else None
        with pytest.raises(errors.BranchLimitError, match="has 7 branches") as caught:
            provider.create(BranchSpec("one"))
        assert "expired, older, newer, child;" in caught.value.hint

    @pytest.mark.parametrize(
        ("spec", "kind"),
        [
            (BranchSpec("x" * 257), errors.BranchNameInvalidError),
            (BranchSpec("br-d"), errors.BranchNameInvalidError),
            (BranchSpec("a\u0007b"), errors.BranchNameInvalidError),
            (BranchSpec("one", parent="nowhere"), errors.BranchNotFoundError),
            (BranchSpec("one", parent="dying"), errors.BranchError),
            (BranchSpec("one", compute=Compute(0.1)), errors.ComputeInvalidError),
            (BranchSpec("one", compute=Compute(float("nan"))), errors.ComputeInvalidError),
            (BranchSpec("one", compute=Compute(1, float("inf"))), errors.ComputeInvalidError),
            (BranchSpec("one", compute=Compute(2, 1)), errors.ComputeInvalidError),
            (BranchSpec("one", compute=Compute(suspend_after=59)), errors.ComputeInvalidError),
            (BranchSpec("one", expires_at=datetime(2020, 1, 1, tzinfo=UTC)), errors.MomentInvalidError),
            (BranchSpec("one", expires_at=NEXT_YEAR), errors.MomentInvalidError),
            (BranchSpec("one", expires_at=datetime(2026, 1, 1)), errors.MomentInvalidError),  # noqa: DTZ001
            (BranchSpec("one", expires_at=tomorrow(), protected=True), errors.BranchError),
        ],
    )
    def test_bad_input_is_refused_before_anything_is_made(self, neon, api, provider, spec, kind):
        """What Neon would refuse later, or misunderstand."""
        neon.branches["br-d"] = branch("br-d", "dying", expires_at=NEXT_YEAR.isoformat())
        with pytest.raises(kind):
            provider.create(spec)
        assert not any(each.method == "POST" for each in api.received)
