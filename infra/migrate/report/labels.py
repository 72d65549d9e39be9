"""Text in a chart: where it fits without covering another."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

#: Width of a character in the chart's units: of a wide font, since the reader's is not known.
LETTER: Final = 7.0
BOLD_LETTER: Final = 8.0
_GAP: Final = 4.0
_FEWEST: Final = 4


@dataclass(frozen=True, slots=True)
class Place:
    """Where a label goes, and what it says there."""

    text: str
    x: float
    beside: bool


class Labels:
    """One lane's labels and the bars that they belong to."""

    def __init__(self, left: float, right: float) -> None:
        """Begin an empty lane that reaches from `left` to `right`."""
        self._left = left
        self._right = right
        self._bars: list[tuple[float, float]] = []
        self._taken: list[tuple[float, float]] = []

    def bar(self, start: float, end: float) -> None:
        """Keep labels that do not fit in their bars off this one; all bars come before the first label."""
        self._bars.append((start, end))

    def inside(self, texts: tuple[str, ...], start: float, end: float) -> Place | None:
        """Return where the label of a bar goes: in it, else beside it, else nowhere.

        A bar that is drawn over others comes before them: its extent is theirs no more, and one that it
        hides has no label.

        Args:
            texts: What it may say, the fullest first.
            start: Of its bar.
            end: Of its bar.
        """
        is_hidden = any(left <= start and end <= right for left, right in self._taken)
        places = (
            place for text in texts for place in (*self._in(text, start, end), *self._by(text, start, end))
        )
        found = None if is_hidden else next(places, None)
        self._taken.append((start, end))
        return self._take(found)

    def above(self, texts: tuple[str, ...], start: float, end: float) -> Place | None:
        """Return where a label goes whose bar is so low that text stands over it, beyond its end too."""
        places = (place for text in texts for place in self._in(text, start, self._right, before=end))
        return self._take(next(places, None))

    def _in(self, text: str, start: float, end: float, *, before: float | None = None) -> Iterator[Place]:
        width = len(text) * LETTER + 2 * _GAP
        last = end if before is None else before
        for x in sorted({start, *(taken for _, taken in self._taken if start < taken < last)}):
            if x + width <= end and not _meets(self._taken, x, x + width):
                yield Place(text, x + _GAP, beside=False)

    def _by(self, text: str, start: float, end: float) -> Iterator[Place]:
        width = len(text) * LETTER
        for x in (end + _GAP, start - _GAP - width):
            is_in = self._left <= x and x + width <= self._right
            if is_in and not _meets([*self._taken, *self._bars], x, x + width):
                yield Place(text, x, beside=True)

    def _take(self, place: Place | None) -> Place | None:
        if place:
            self._taken.append((place.x - _GAP, place.x + len(place.text) * LETTER + _GAP))
        return place


def cut_to(text: str, room: float, letter: float = LETTER) -> str:
    """Return as much of the text as fits, with `…` for the rest; nothing where four characters do not."""
    fitting = int(room / letter)
    if len(text) <= fitting:
        return text
    return text[: fitting - 1] + "…" if fitting >= _FEWEST else ""


def _meets(spans: list[tuple[float, float]], start: float, end: float) -> bool:
    return any(start < other_end and other_start < end for other_start, other_end in spans)
