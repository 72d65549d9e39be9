"""Which previews a sweep removes."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from infra.aws.function import Configuration, Function
from infra.aws.previews import Preview, decide
from infra.branches.pull_requests import GivenPullRequests
from infra.branches.sweep import Rules
from tests.support.branches import NOW, branch

CONFIGURATION = Configuration("app.handler", "role", "python3.13", "arm64", 512, 15)


def function(hours: float = 48) -> Function:
    """Return one that was changed so many hours ago."""
    at = (NOW - timedelta(hours=hours)).strftime("%Y-%m-%dT%H:%M:%S.000+0000")
    return Function("shop-production-pr-12", "arn", "sha", "r-1", at, CONFIGURATION)


WHOLE = Preview(12, function(), None, branch("pr-12"), ("parameter",), "/aws/lambda/shop-production-pr-12")


class TestDecide:
    """`decide`."""

    @pytest.mark.parametrize(
        ("preview", "reason"),
        [
            (WHOLE, None),
            (replace(WHOLE, branch=branch("pr-12", expires_at=NOW + timedelta(days=3))), None),
            (replace(WHOLE, function=None), None),
            (replace(WHOLE, branch=None), None),
            (replace(WHOLE, branch=None, function=None), None),
            (replace(WHOLE, number=15, branch=branch("pr-15")), "pull request 15 is open"),
            (replace(WHOLE, number=15, branch=None), "pull request 15 is open"),
            (replace(WHOLE, function=function(0.5)), "younger than 1:00:00"),
            (replace(WHOLE, branch=branch("pr-12", age=0.5)), "younger than 1:00:00"),
            (replace(WHOLE, branch=branch("pr-12", is_protected=True)), "protected"),
            (replace(WHOLE, branch=branch("pr-12", is_default=True)), "the default branch"),
        ],
    )
    def test_removes_what_surely_belongs_to_a_closed_pull_request(
        self, preview: Preview, reason: str | None
    ) -> None:
        """A part of one, too; an expiry is no reason to keep it, since its function has none."""
        (decision,) = decide([preview], GivenPullRequests(frozenset({15})), NOW, Rules())
        assert (decision.delete, decision.reason) == (
            reason is None,
            reason or "pull request 12 is not open",
        )
