"""Moments on the chart: in order, inside, and readable."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from infra.migrate.history import Revision
from infra.migrate.rehearsal.results import RevisionMeasure, Statement
from infra.migrate.report.time_axis import TimeAxis

LENGTHS = st.floats(0, 600) | st.sampled_from([0.0005, 0.001, 0.4, 180.0])


def axis_of(*lengths, start=0.0, gap=0.0):
    statements, clock = [], start
    for index, seconds in enumerate(lengths):
        statements.append(Statement(index, "SELECT", 1, clock, seconds))
        clock += seconds + gap
    revision = Revision("r1", "r1", "expand", Path("r1.py"))
    return TimeAxis([RevisionMeasure(revision, start, clock - start, tuple(statements), (), 0)], 10, 1000)


class TestTimeAxis:
    def test_even_where_everything_can_be_seen(self):
        """Half of the time is half of the width."""
        axis = axis_of(1, 3)
        assert axis.is_even
        assert axis.at(2) == pytest.approx(510)
        assert axis.ticks(7)[0] == (10, "0")
        assert [label for _, label in axis.ticks(7)] == ["0", "500 ms", *(f"{n / 2} s" for n in range(2, 8))]

    def test_half_a_millisecond_is_seen_beside_three_minutes(self):
        """It gets some units of the thousand, and the long one still most of them."""
        axis = axis_of(0.0005, 182.4, 0.0005)
        assert not axis.is_even
        assert axis.at(0.0005) - axis.at(0) > 8
        assert axis.at(0.0005 + 182.4) - axis.at(0.0005) > 900

    def test_two_hundred_statements_are_all_seen(self):
        """Each has at least the width of a bar."""
        axis = axis_of(*([0.0005] * 199), 182.4)
        assert axis.at(0.0005) - axis.at(0) > 3

    def test_axis_begins_with_the_first_revision(self):
        """What was before it is no part of the upgrade."""
        axis = axis_of(1, 1, start=0.9)
        assert axis.at(0.9) == axis.at(0) == 10
        assert axis.ticks(7)[0][1] == "1.0 s"

    @pytest.mark.parametrize("lengths", [(), (0.0,), (0.0, 0.0)])
    def test_no_time_at_all_is_drawn_too(self, lengths):
        """A revision without statements, and a clock that saw nothing pass."""
        axis = axis_of(*lengths)
        assert axis.at(0) == 10
        assert axis.at(1) == 1010
        axis.ticks(7)

    @settings(deadline=None)
    @given(st.lists(LENGTHS, min_size=1, max_size=40), st.floats(0, 5), st.sampled_from([0.0, 0.0003]))
    def test_order_is_kept_and_labels_lie_apart(self, lengths, start, gap):
        """Whatever the lengths: later is never further left, and no label covers another."""
        axis = axis_of(*lengths, start=start, gap=gap)
        moments = [start + (axis.end - start) * share / 50 for share in range(51)]
        places = [axis.at(moment) for moment in moments]
        assert places == sorted(places)
        assert min(places) >= 10
        assert max(places) <= 1010.001
        edges = [edge for place, label in axis.ticks(7) for edge in (place, place + 7 * len(label))]
        assert edges == sorted(edges)
        assert all(edge <= 1010.001 for edge in edges)
