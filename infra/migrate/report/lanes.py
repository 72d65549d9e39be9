"""The chart's lanes: a relation each, with a bar for each lock on it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from infra.migrate.lock_modes import Blocks, blocks, mode_name
from infra.migrate.report.elements import element
from infra.migrate.report.figures import counted, duration
from infra.migrate.report.labels import BOLD_LETTER, Labels, cut_to

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from xml.etree.ElementTree import Element

    from infra.migrate.rehearsal.results import Lock, RevisionResult
    from infra.migrate.report.time_axis import TimeAxis

#: Heights of a lane and of its highest bar, and the width below which nothing would be seen.
LANE: Final = 48.0
BAR: Final = 24.0
THINNEST: Final = 3.0

ABBREVIATIONS: Final = {
    "ACCESS EXCLUSIVE": "AE",
    "EXCLUSIVE": "E",
    "SHARE ROW EXCLUSIVE": "SRE",
    "SHARE": "S",
    "SHARE UPDATE EXCLUSIVE": "SUE",
    "ROW EXCLUSIVE": "RE",
    "ROW SHARE": "RS",
    "ACCESS SHARE": "AS",
}


@dataclass(frozen=True, slots=True)
class _Look:
    """How a bar is drawn: the more it blocks, the higher, so that it is seen without colours."""

    style: str
    height: float
    #: Of its label, over the bar's bottom; over the bar where that is lower than text.
    baseline: float


_LOOKS: Final = {
    Blocks.NOTHING: _Look("passes", 8, 12),
    Blocks.WRITES: _Look("writes", 16, 4),
    Blocks.READS_AND_WRITES: _Look("everything", BAR, 8),
}


@dataclass(frozen=True, slots=True)
class Held:
    """A lock, and the statement that took it by its number through the upgrade, from 1."""

    lock: Lock
    number: int

    @property
    def blocks(self) -> Blocks:
        """What others could not do."""
        return blocks(self.lock.mode)


@dataclass(frozen=True, slots=True)
class Lane:
    """A relation and the locks on it."""

    relation: str
    held: tuple[Held, ...]

    @property
    def weight(self) -> tuple[int, float]:
        """The more and the longer it was blocked, the greater."""
        return max((held.blocks.rank, held.lock.held) for held in self.held)


def lanes(results: Sequence[RevisionResult]) -> tuple[Lane, ...]:
    """Return a lane for each relation, in the order in which they were locked first."""
    found: dict[str, list[Held]] = {}
    first = 1
    for result in results:
        for lock in result.measure.locks:
            found.setdefault(lock.relation, []).append(Held(lock, first + lock.statement))
        first += len(result.measure.statements)
    every = (Lane(relation, tuple(held)) for relation, held in found.items())
    return tuple(sorted(every, key=lambda lane: min(held.lock.acquired for held in lane.held)))


def draw(lane: Lane, axis: TimeAxis, top: float) -> Iterator[Element]:
    """Yield a lane's elements: its name, its bars, their labels."""
    rows = next((held.lock.rows for held in lane.held if held.lock.rows is not None), None)
    size = f" · {counted(rows, 'row')}" if rows is not None else ""
    name = cut_to(lane.relation, axis.right - axis.left - len(size) * BOLD_LETTER, BOLD_LETTER) + size
    yield element("text", element("title", lane.relation), name, x=axis.left + 3, y=top + 13, class_="lane")
    labels = Labels(axis.left, axis.right)
    bottom = top + 18 + BAR
    bars = sorted(
        ((held, *_extent(held.lock, axis)) for held in lane.held), key=lambda bar: bar[0].blocks.rank
    )
    # A bar that blocks more is drawn over those that block less, and its label has the first choice.
    for held, start, width in bars:
        labels.bar(start, start + width)
        yield _bar(held, start, width, bottom)
    for held, start, width in reversed(bars):
        look = _LOOKS[held.blocks]
        put = labels.above if held.blocks is Blocks.NOTHING else labels.inside
        if place := put(_texts(held.lock), start, start + width):
            style = "beside" if place.beside else look.style
            yield element("text", place.text, x=place.x, y=bottom - look.baseline, class_=f"mode {style}")


def _extent(lock: Lock, axis: TimeAxis) -> tuple[float, float]:
    start = min(axis.at(lock.acquired), axis.right - THINNEST)
    return start, max(axis.at(lock.released) - start, THINNEST)


def _bar(held: Held, start: float, width: float, bottom: float) -> Element:
    lock = held.lock
    look = _LOOKS[held.blocks]
    title = (
        f"{mode_name(lock.mode)} on {lock.relation}: blocks {held.blocks.value}, held "
        f"{'about ' if lock.sampled else ''}{duration(lock.held)}, from {duration(lock.acquired)} on, "
        f"by statement {held.number}"
    )
    style = f"lock {look.style}{' sampled' if lock.sampled else ''}"
    y = bottom - look.height
    return element(
        "g",
        element("title", title),
        element("rect", x=start, y=y, width=width, height=look.height, rx=2, class_=style),
    )


def _texts(lock: Lock) -> tuple[str, ...]:
    name = mode_name(lock.mode)
    short = ABBREVIATIONS.get(name, name)
    held = f"{'≈ ' if lock.sampled else ''}{duration(lock.held)}"
    return f"{name} {held}", f"{short} {held}", short
