"""Where a moment of the upgrade lies on the chart, so that half a millisecond is seen beside ten minutes."""

from __future__ import annotations

from bisect import bisect_right
from itertools import accumulate, pairwise
from math import cbrt, ceil
from typing import TYPE_CHECKING, Final

from infra.migrate.report.figures import duration

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from infra.migrate.rehearsal.results import RevisionMeasure

#: A statement that would be narrower, in the chart's units, has the axis compressed.
_NARROW: Final = 8.0
_MOST_TICKS: Final = 9
_STEPS: Final = (
    *(base * 10.0**power for power in range(-4, 2) for base in (1, 2, 5)),
    *(60.0 * minutes for minutes in (1, 2, 5, 10, 20, 60, 120, 240)),
)


class TimeAxis:
    """The time of an upgrade, laid out from left to right.

    The axis is even where all statements can be seen on an even one. Otherwise each statement, and each time
    between two, gets room by the cube root of its length: what takes a million times as long is drawn a
    hundred times as wide. Order and overlaps stay true.
    """

    def __init__(self, measures: Sequence[RevisionMeasure], left: float, width: float) -> None:
        """Lay out revisions, at least one, in `width` units from `left` on."""
        self.left = left
        self.right = left + width
        self._starts = sorted(each.started for each in measures)
        self.start = self._starts[0]
        # A moment has no width.
        self.end = max(*(each.started + each.seconds for each in measures), self.start + 1e-6)
        statements = [statement for each in measures for statement in each.statements]
        shortest = min((each.seconds for each in statements), default=self.end)
        self.is_even = shortest / (self.end - self.start) * width >= _NARROW
        knots = {self.start, self.end}
        if not self.is_even:
            knots.update(self._starts)
            knots.update(
                moment for each in statements for moment in (each.started, each.started + each.seconds)
            )
        self._knots = sorted(knot for knot in knots if self.start <= knot <= self.end)
        weights = [cbrt(after - before) for before, after in pairwise(self._knots)]
        total = sum(weights)
        self._places = [left + width * part / total for part in accumulate(weights, initial=0.0)]

    def at(self, moment: float) -> float:
        """Return the place of a moment in seconds; what lies outside is put to the nearer end."""
        if moment >= self.end:
            return self.right
        index = max(bisect_right(self._knots, moment) - 1, 0)
        before, after = self._knots[index], self._knots[index + 1]
        share = (max(moment, self.start) - before) / (after - before)
        return self._places[index] + share * (self._places[index + 1] - self._places[index])

    def ticks(self, letter: float) -> list[tuple[float, str]]:
        """Return places and their labels, none over another and none twice.

        Args:
            letter: Width of a character.
        """
        found: list[tuple[float, str]] = []
        for moment in self._moments():
            place, label = self.at(moment), duration(moment) if moment else "0"
            end = place + _room(label, letter)
            if end <= self.right and all(
                label != other and (end <= there or there + _room(other, letter) <= place)
                for there, other in found
            ):
                found.append((place, label))
        return sorted(found)

    def _moments(self) -> Iterable[float]:
        if not self.is_even:
            # Where revisions begin matters most: they choose their places first.
            return [*self._starts, *self._knots]
        step = next((step for step in _STEPS if (self.end - self.start) / step <= _MOST_TICKS), _STEPS[-1])
        return [step * number for number in range(ceil(self.start / step), int(self.end / step) + 1)]


def _room(label: str, letter: float) -> float:
    return letter * (len(label) + 2)
