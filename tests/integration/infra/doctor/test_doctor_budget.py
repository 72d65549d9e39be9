from __future__ import annotations

import pytest

from infra.doctor.budget import Load, budget
from infra.doctor.checks import Status


class TestBudget:
    @pytest.mark.parametrize(
        ("load", "status", "said"),
        [
            (Load(2, 500, 1, 1000), Status.OK, "2 functions of 500 environments with a pool of 1 make 1000"),
            (Load(1, 501, 2, 1000), Status.FAILED, "make 1002 connections, and the pooler takes only 1000"),
            (Load(1, 10), Status.WARNING, "how many clients the pooler takes is not known"),
        ],
    )
    def test_compares_all_environments_with_the_pooler(self, pooled, direct, load, status, said):
        """The sum is told with its parts, and what the server itself runs."""
        finding = budget(pooled, direct, load)
        assert finding.status is status
        assert said in finding.found
        assert "behind it the server runs at most" in finding.found

    def test_says_what_would_fit(self, pooled, direct):
        """The fix has the number to reserve."""
        finding = budget(pooled, direct, Load(3, 1000, 2, 1000))
        assert finding.fix == "reserve a concurrency of at most 166 for each function"
