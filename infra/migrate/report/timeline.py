"""The locks of an upgrade over time, as a chart: what nobody could read or write, when, and why."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import count
from typing import TYPE_CHECKING, Final

from infra.migrate.report.elements import element
from infra.migrate.report.figures import counted, duration
from infra.migrate.report.labels import BOLD_LETTER, LETTER, cut_to
from infra.migrate.report.lanes import ABBREVIATIONS, BAR, LANE, THINNEST, draw, lanes
from infra.migrate.report.time_axis import TimeAxis

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from xml.etree.ElementTree import Element

    from infra.migrate.rehearsal.results import Rehearsal, RevisionResult, Statement

#: In the chart's units, as all lengths here; the page scales it.
_WIDTH: Final = 1120.0
_MARGIN: Final = 2.0
_HEAD: Final = 40.0
_AXIS: Final = 22.0
#: Relations that have a lane; the tables have them all.
_MOST_LANES: Final = 40


@dataclass(frozen=True, slots=True)
class Timeline:
    """The chart, and what a reader must be told about it.

    Args:
        svg: The element.
        is_even: Whether equal times have equal widths.
        left_out: How many relations have no lane: those that were blocked least.
        abbreviations: Names of the lock modes that it shortens, by what it calls them.
    """

    svg: Element
    is_even: bool
    left_out: int
    abbreviations: dict[str, str]


def timeline(rehearsal: Rehearsal) -> Timeline:
    """Return the chart of a rehearsal."""
    results = rehearsal.revisions
    axis = TimeAxis([each.measure for each in results], _MARGIN, _WIDTH - 2 * _MARGIN)
    every = lanes(results)
    most_blocked = set(sorted(every, key=lambda lane: lane.weight, reverse=True)[:_MOST_LANES])
    shown = [lane for lane in every if lane in most_blocked]
    top = _HEAD + _AXIS
    height = top + LANE * (len(shown) + 1) + 4
    drawing = [_stripes(), *_bands(results, axis, height), *_ticks(axis, height)]
    drawing += _statements(results, axis, top)
    for row, lane in enumerate(shown, start=1):
        drawing += draw(lane, axis, top + row * LANE)
    svg = element(
        "svg",
        drawing,
        viewBox=f"0 0 {_WIDTH:.0f} {height:.0f}",
        role="img",
        aria_label=f"Locks on {counted(len(every), 'relation')} in {duration(axis.end)}, as the tables below",
        class_="timeline",
    )
    words = {(label.text or "").partition(" ")[0] for label in svg.iter("text")}
    abbreviations = {short: name for name, short in ABBREVIATIONS.items() if short in words}
    return Timeline(svg, axis.is_even, len(every) - len(shown), abbreviations)


def _stripes() -> Element:
    pattern = element(
        "pattern",
        element("rect", width=8, height=8, class_="ground"),
        element("rect", width=3, height=8, class_="stripe"),
        id="stripes",
        width=8,
        height=8,
        patternUnits="userSpaceOnUse",
        patternTransform="rotate(45)",
    )
    return element("defs", pattern)


def _bands(results: Sequence[RevisionResult], axis: TimeAxis, height: float) -> Iterator[Element]:
    for number, result in enumerate(results, start=1):
        revision, measure = result.measure.revision, result.measure
        start, end = axis.at(measure.started), axis.at(measure.started + measure.seconds)
        width = max(end - start, 1.0)
        room = width - 8
        name = cut_to(f"{number}. {revision.id}", room, BOLD_LETTER) or cut_to(str(number), width)
        verdict = result.verdict.value
        words = next((w for w in (f"{revision.phase}, {verdict}", verdict) if len(w) * LETTER <= room), "")
        about = f"{number}. {revision.id}: {revision.phase}, {verdict}, {duration(measure.seconds)}"
        style = f"below {result.verdict.name.lower()}"
        yield element(
            "g",
            element("title", about),
            element("rect", x=start, y=0, width=width, height=height, class_=f"band {'odd' * (number % 2)}"),
            element("line", x1=start, x2=start, y1=0, y2=height, class_=f"edge {revision.phase}"),
            element("text", name, x=start + 5, y=15, class_="revision"),
            element("text", words, x=start + 5, y=31, class_=style),
        )


def _ticks(axis: TimeAxis, height: float) -> Iterator[Element]:
    for place, label in axis.ticks(LETTER):
        yield element("line", x1=place, x2=place, y1=_HEAD + 4, y2=height, class_="tick")
        yield element("text", label, x=place + 3, y=_HEAD + 14, class_="time")


def _statements(results: Sequence[RevisionResult], axis: TimeAxis, top: float) -> Iterator[Element]:
    yield element("text", "Statements", x=_MARGIN + 3, y=top + 13, class_="lane")
    numbers = count(1)
    for result in results:
        for statement in result.measure.statements:
            yield _statement(next(numbers), statement, axis, top + 18)


def _statement(number: int, statement: Statement, axis: TimeAxis, y: float) -> Element:
    start, end = axis.at(statement.started), axis.at(statement.started + statement.seconds)
    width = max(end - start, THINNEST)
    took = duration(statement.seconds)
    texts = (f"{number}: {took}", str(number), "")
    text = next(text for text in texts if len(text) * LETTER <= width - 4 or not text)
    return element(
        "a",
        element("title", f"{number}: {statement.sql[:500]} ({took})"),
        element("rect", x=start, y=y, width=width, height=BAR, rx=2, class_="statement"),
        element("text", text, x=start + width / 2, y=y + 16, text_anchor="middle", class_="number"),
        href=f"#s{number}",
        # The table below is the keyboard's way; 200 stops here would be in it.
        tabindex=-1,
    )
