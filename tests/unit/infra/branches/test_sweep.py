"""Which branches a sweep takes, and which it never does."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from infra.branches.errors import (
    BranchBusyError,
    ProviderAuthError,
    PullRequestsUnknownError,
    SweepPatternError,
)
from infra.branches.pull_requests import GivenPullRequests
from infra.branches.sweep import NamePattern, Outcome, Rules, execute, plan
from tests.support.branches import MAIN, NOW, Provider, branch

RULES = Rules()
NOTHING: frozenset[int] = frozenset()
NO_PULL_REQUESTS = GivenPullRequests(NOTHING)


def doomed(*branches: Any, opened: frozenset[int] = NOTHING, rules: Rules = RULES) -> list[str]:
    return [each.branch.name for each in plan(branches, opened, NOW, rules) if each.delete]


def reasons(*branches: Any, opened: frozenset[int] = NOTHING, rules: Rules = RULES) -> dict[str, str]:
    return {each.branch.name: each.reason for each in plan(branches, opened, NOW, rules)}


class TestNamePattern:
    @pytest.mark.parametrize(
        ("pattern", "name", "number"),
        [
            ("pr-{number}", "pr-12", 12),
            ("pr-{number}", "pr-12-fix", None),
            ("pr-{number}", "my-pr-12", None),
            ("pr-{number}", "pr-", None),
            ("pr-{number}", "pr-١٢", None),
            ("pr-{number}", "pr-12\n", None),
            ("preview/pr-{number}-*", "preview/pr-12-fix-7", 12),
            ("preview/pr-{number}-*", "preview/pr-12", None),
            ("{number}*", "123", 123),
            ("a.{number}", "ab12", None),
        ],
    )
    def test_finds_the_number(self, pattern, name, number):
        """The whole name must fit, and the number is never cut."""
        assert NamePattern(pattern).number_of(name) == number

    @pytest.mark.parametrize(
        "pattern", ["", "pr-*", "*{number}", "{number}{number}", "v2{number}", "{number}0"]
    )
    def test_refuses_what_could_be_read_in_two_ways(self, pattern):
        """A number taken for another one would delete a branch in use."""
        with pytest.raises(SweepPatternError) as failure:
            NamePattern(pattern)
        assert failure.value.exit_code == 2


class TestPlan:
    def test_deletes_what_nothing_keeps(self):
        """Every branch is decided about, with the reason."""
        found = reasons(
            MAIN,
            branch("pr-1"),
            branch("pr-2"),
            branch("pr-3", is_protected=True),
            branch("pr-4", expires_at=NOW + timedelta(days=1)),
            branch("pr-5", age=0.5),
            branch("dev"),
            branch("pr-6", is_default=True),
            opened=frozenset({2}),
        )
        assert found == {
            "pr-1": "pull request 1 is not open",
            "main": "the default branch",
            "pr-2": "pull request 2 is open",
            "pr-3": "protected",
            "pr-4": "expires by itself at 2026-11-22T12:00:00+00:00",
            "pr-5": "younger than 1:00:00",
            "dev": "its name is not pr-{number}",
            "pr-6": "the default branch",
        }

    def test_keeps_the_parents_of_what_stays(self):
        """Up to the root; a parent whose children all go, goes after them."""
        chain = [branch("pr-1"), branch("pr-2", "br-pr-1"), branch("pr-3", "br-pr-2")]
        assert doomed(MAIN, *chain) == ["pr-3", "pr-2", "pr-1"]
        found = reasons(MAIN, *chain, opened=frozenset({3}))
        assert found["pr-2"] == "parent of pr-3, which stays"
        assert found["pr-1"] == "parent of pr-2, which stays"

    def test_waits_for_an_age(self):
        """`older_than` and the grace both hold."""
        young, old = branch("pr-1", age=30), branch("pr-2", age=80)
        assert doomed(MAIN, young, old, rules=Rules(older_than=timedelta(days=3))) == ["pr-2"]
        assert doomed(MAIN, young, rules=Rules(grace=timedelta(days=2))) == []

    def test_branch_from_the_future_is_young(self):
        """A clock that is wrong deletes nothing."""
        assert doomed(branch("pr-1", age=-5), rules=Rules(grace=timedelta())) == []

    @given(data=st.data())
    def test_never_takes_what_must_stay(self, data):
        """Whatever the branches: no default, protected, parent or open one, and nothing else is forgotten."""
        branches: list[Any] = [MAIN]
        for number in data.draw(st.lists(st.integers(1, 30), unique=True, max_size=12)):
            branches.append(
                branch(
                    data.draw(st.sampled_from([f"pr-{number}", f"feature-{number}"])),
                    data.draw(st.sampled_from(branches)).id,
                    age=data.draw(st.sampled_from([0.1, 5, 500])),
                    is_default=data.draw(st.booleans()),
                    is_protected=data.draw(st.booleans()),
                    expires_at=data.draw(st.sampled_from([None, None, NOW + timedelta(hours=1)])),
                )
            )
        opened = data.draw(st.frozensets(st.integers(1, 30)))
        decisions = plan(data.draw(st.permutations(branches)), opened, NOW, RULES)
        assert sorted(each.branch.id for each in decisions) == sorted(each.id for each in branches)
        taken = [each.branch for each in decisions if each.delete]
        gone: set[str] = set()
        for each in taken:
            assert each.name.startswith("pr-")
            assert (each.is_default, each.is_protected, each.expires_at) == (False, False, None)
            assert int(each.name.removeprefix("pr-")) not in opened
            assert NOW - each.created_at >= RULES.grace
            assert {child.id for child in branches if child.parent_id == each.id} <= gone
            gone.add(each.id)
        for each in decisions:
            if not each.delete and "parent of" not in each.reason:
                assert RULES.why_keep(each.branch, GivenPullRequests(opened), NOW) == each.reason


class Reopened(GivenPullRequests):
    """A list in which every pull request was opened again since."""

    def why_keep(self, number: int) -> str | None:
        return f"pull request {number} is open"


class TestExecute:
    def run(self, provider: Any, pull_requests: Any = NO_PULL_REQUESTS) -> tuple[Outcome, list[str]]:
        said: list[str] = []
        decisions = plan(tuple(provider.branches.values()), NOTHING, NOW, RULES)
        outcome = execute(provider, decisions, pull_requests, NOW, RULES, announce=said.append)
        return outcome, said

    def test_deletes_by_id_and_says_so(self):
        """Children first; what stays is not touched."""
        provider = Provider(MAIN, branch("pr-1"), branch("pr-2", "br-pr-1"), branch("dev"))
        outcome, said = self.run(provider)
        assert provider.deleted == ["br-pr-2", "br-pr-1"]
        assert said == [f"Deleted pr-{n} (br-pr-{n}): pull request {n} is not open" for n in (2, 1)]
        assert (outcome.kept, outcome.failed) == ((), ())

    @pytest.mark.parametrize(
        ("change", "reason"),
        [
            ({"is_protected": True}, "protected"),
            ({"is_default": True}, "the default branch"),
            ({"name": "staging"}, "now called staging"),
            ({"expires_at": NOW + timedelta(days=1)}, "expires by itself at 2026-11-22T12:00:00+00:00"),
        ],
    )
    def test_looks_again_right_before(self, change, reason):
        """What somebody did to the branch since it was listed counts."""

        def since_then(provider: Provider, name: str) -> None:
            provider.branches[name] = replace(provider.branches[name], **change)

        provider = Provider(MAIN, branch("pr-1"), before_get=since_then)
        outcome, said = self.run(provider)
        assert provider.deleted == said == []
        assert [each.reason for each in outcome.kept] == [reason]

    def test_gone_already_is_no_failure(self):
        """Somebody else was faster."""
        provider = Provider(MAIN, branch("pr-1"), before_get=lambda it, name: it.branches.pop(name))
        outcome, _ = self.run(provider)
        assert ([each.reason for each in outcome.kept], outcome.failed) == (["gone already"], ())

    def test_asks_for_the_pull_request_again(self):
        """One that was opened again keeps its branch."""
        provider = Provider(MAIN, branch("pr-1"))
        outcome, _ = self.run(provider, Reopened(NOTHING))
        assert [each.reason for each in outcome.kept] == ["pull request 1 is open"]
        assert provider.deleted == []

    def test_one_failure_does_not_hold_up_the_others(self):
        """It is reported with what the provider said."""

        def busy(_: Provider, name: str) -> None:
            if name == "br-pr-1":
                raise BranchBusyError("still at work on pr-1")

        provider = Provider(MAIN, branch("pr-1"), branch("pr-2"), before_get=busy)
        outcome, _ = self.run(provider)
        assert provider.deleted == ["br-pr-2"]
        assert [each.reason for each in outcome.failed] == ["still at work on pr-1"]

    @pytest.mark.parametrize("error", [ProviderAuthError("no"), PullRequestsUnknownError("no")])
    def test_ends_where_every_other_would_fail_too(self, error):
        """Nothing more is tried, and nothing is passed over in silence."""

        def refuse(*_: object) -> None:
            raise error

        provider = Provider(MAIN, branch("pr-1"), branch("pr-2"), before_get=refuse)
        outcome, _ = self.run(provider)
        assert provider.deleted == []
        assert [each.reason for each in outcome.failed] == ["no", "not tried"]
