"""The workflow as data."""

from __future__ import annotations

from api.tasks.models import OPEN, TaskStatus
from api.tasks.workflow import TRANSITIONS, sources


class TestTransitions:
    """What each status may become."""

    def test_no_status_is_a_dead_end_or_out_of_reach(self) -> None:
        """Each can be left, and reached from the first."""
        assert set(TRANSITIONS) == set(TaskStatus)
        assert all(TRANSITIONS.values())
        reached, new = set(), {TaskStatus.TODO}
        while new:
            reached |= new
            new = {after for before in reached for after in TRANSITIONS[before]} - reached
        assert reached == set(TaskStatus)

    def test_nothing_stays_by_a_transition(self) -> None:
        """To repeat a request is no transition."""
        assert all(status not in after for status, after in TRANSITIONS.items())

    def test_sources_are_the_same_seen_from_the_other_side(self) -> None:
        """For every pair."""
        pairs = {(before, after) for before, targets in TRANSITIONS.items() for after in targets}
        assert {(before, after) for after in TaskStatus for before in sources(after)} == pairs

    def test_what_is_open_is_neither_done_nor_cancelled(self) -> None:
        """The index's condition names these two."""
        assert [status for status in TaskStatus if f"'{status}'" in OPEN] == ["done", "cancelled"]
