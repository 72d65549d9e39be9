"""How fast a backfill goes."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from infra.migrate.backfill.pace import TARGET, Pace


class TestPace:
    """`Pace`."""

    @given(st.integers(10, 50_000), st.floats(0, 100))
    def test_size_follows_the_time_in_steps(self, size: int, seconds: float) -> None:
        """At most half or twice as many, and never too few or too many."""
        found = Pace().next_size(size, seconds)
        assert 10 <= found <= 50_000
        assert size / 2 - 1 <= found <= size * 2 or found == 10
        if seconds > TARGET:
            assert found <= size or found == 10

    @given(st.floats(0.00001, 1.0))
    def test_size_comes_to_the_target(self, seconds_per_row: float) -> None:
        """Where rows take the same time, batches come to take what they should."""
        size = 500
        for _ in range(20):
            size = Pace().next_size(size, size * seconds_per_row)
        assert size == pytest.approx(min(max(TARGET / seconds_per_row, 10), 50_000), rel=0.1, abs=1)

    def test_rests_for_a_part_of_what_the_batch_took(self) -> None:
        """So the server has a third of its time for others."""
        assert Pace().rest(1000, 0.2) == pytest.approx(0.1)

    def test_rests_as_long_as_a_rate_asks(self) -> None:
        """100 rows at 200 a second take half a second."""
        assert Pace(rate=200).rest(100, 0.1) == pytest.approx(0.4)
        assert Pace(rate=1_000_000).rest(100, 0.2) == pytest.approx(0.1)

    def test_batches_are_no_larger_than_a_second_of_the_rate(self) -> None:
        """So it does not come in bursts."""
        assert Pace(rate=50).next_size(5000, 0.001) == 50
        assert (Pace().first_size, Pace(rate=50).first_size, Pace(rate=1).first_size) == (500, 50, 10)
