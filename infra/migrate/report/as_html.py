"""A rehearsal as one page of HTML that needs nothing else: no script, no request, no font."""

from __future__ import annotations

from itertools import accumulate
from pathlib import Path
from typing import TYPE_CHECKING, Final

from infra.migrate.findings import Verdict
from infra.migrate.rehearsal.blocking import blocked
from infra.migrate.rehearsal.results import Outcome
from infra.migrate.report.details import revision
from infra.migrate.report.elements import document, element, with_code
from infra.migrate.report.figures import change, counted, duration, size
from infra.migrate.report.finding_cards import findings
from infra.migrate.report.summary import (
    NOTES,
    blocked_text,
    headline,
    origin,
    row,
    traffic_text,
)
from infra.migrate.report.tables import numbers, table
from infra.migrate.report.timeline import timeline

if TYPE_CHECKING:
    from collections.abc import Iterator
    from xml.etree.ElementTree import Element

    from infra.migrate.rehearsal.results import Rehearsal
    from infra.migrate.report.summary import Row

_STYLE: Final = Path(__file__).with_name("report.css")
_POLICY: Final = "default-src 'none'; style-src 'unsafe-inline'"
_SIGNS: Final = {Verdict.SAFE: "✓", Verdict.CARE: "!", Verdict.UNSAFE: "✗"}
_OUTCOMES: Final = {Outcome.PASSED: "✓", Outcome.FAILED: "✗", Outcome.SKIPPED: "-"}


def html(rehearsal: Rehearsal, root: Path) -> str:
    """Return the page."""
    title = f"{headline(rehearsal)} · rehearsal of {rehearsal.head}"
    head = element(
        "head",
        element("meta", charset="utf-8"),
        element("meta", http_equiv="Content-Security-Policy", content=_POLICY),
        element("meta", name="viewport", content="width=device-width, initial-scale=1"),
        element("meta", name="color-scheme", content="light dark"),
        element("title", title),
        element("style", _STYLE.read_text(encoding="utf-8")),
    )
    parts = (_verdict, _totals, _chart, findings, _revisions, _checks, _traffic)
    sections = [
        element("main", *(part(rehearsal, root) for part in parts), _details(rehearsal), _footer(rehearsal))
    ]
    return document(element("html", head, element("body", sections), lang="en"))


def _verdict(rehearsal: Rehearsal, _: Path) -> Element:
    verdict = rehearsal.verdict
    way = (element("code", rehearsal.base or "empty"), " → ", element("code", rehearsal.head))
    return element(
        "header",
        element(
            "h1",
            element("span", _SIGNS[verdict], class_="sign", aria_hidden="true"),
            headline(rehearsal),
            class_=verdict.name.lower(),
        ),
        element("p", element("strong", str(rehearsal.target)), ": ", way, class_="way"),
        element("p", f"R{origin(rehearsal)[1:]}", class_="quiet"),
    )


def _totals(rehearsal: Rehearsal, _: Path) -> Element | None:
    measures = [result.measure for result in rehearsal.revisions]
    if not measures:
        return None
    longest = next(iter(blocked(lock for each in measures for lock in each.locks)), None)
    statements = [statement for each in measures for statement in each.statements]
    rewritten = {name for statement in statements for name in statement.rewrites}
    tiles = {
        "Longest blocked": duration(longest.seconds) if longest else "nothing",
        "Upgrade": duration(sum(each.seconds for each in measures)),
        "Rewritten": counted(len(rewritten), "relation") if rewritten else "nothing",
        "WAL": size(sum(each.wal_bytes for each in statements)),
        "Size": change(sum(each.size_change for each in measures)),
    }
    notes = {"Longest blocked": f"{longest.relation}, {longest.blocks.value}"} if longest else {}
    return element(
        "dl",
        (
            element(
                "div",
                element("dt", name),
                element("dd", value, element("small", notes[name]) if name in notes else None),
            )
            for name, value in tiles.items()
        ),
        class_="totals",
    )


def _chart(rehearsal: Rehearsal, _: Path) -> Element | None:
    if not any(result.measure.statements for result in rehearsal.revisions):
        return None
    chart = timeline(rehearsal)
    notes = ["Each lane is a relation that was there before. Point at a bar to read what it is."]
    if not chart.is_even:
        notes.append(
            "Time is compressed: a bar's width grows with the cube root of its time, so that the short can be"
            " seen beside the long."
        )
    if chart.left_out:
        notes.append(
            f"{counted(chart.left_out, 'more relation')} that were blocked less are in the tables only."
        )
    if chart.abbreviations:
        notes.append(f"{', '.join(f'{short}: {name}' for short, name in chart.abbreviations.items())}.")
    keys = (
        ("everything", "blocks reads and writes"),
        ("writes", "blocks writes"),
        ("passes", "blocks neither"),
        ("passes sampled", "sampled: times are estimates"),
    )
    legend = (element("li", element("span", class_=f"key {kind}"), text) for kind, text in keys)
    return element(
        "section",
        element("h2", "Locks over time", id="chart"),
        element(
            "figure",
            element("ul", legend, class_="legend"),
            element("div", chart.svg, class_="scroll", tabindex=0, role="region", aria_labelledby="chart"),
            element("figcaption", " ".join(notes)),
        ),
    )


def _revisions(rehearsal: Rehearsal, _: Path) -> Element | None:
    if not rehearsal.revisions:
        return None
    head = (
        "#",
        "Revision",
        "Phase",
        "Verdict",
        "Time",
        "Longest blocked",
        "Rows changed",
        "Rewritten",
        "WAL",
        "Size",
    )
    rows = (_row(row(number, each)) for number, each in enumerate(rehearsal.revisions, start=1))
    return element("section", element("h2", "Revisions"), table("Revisions", head, rows))


def _row(of: Row) -> Iterator[Element]:
    found = of.longest
    yield numbers(of.number)
    yield element("td", element("a", of.id, href=f"#r{of.number}"))
    yield element("td", of.phase)
    yield element("td", element("span", of.verdict.value, class_=f"pill {of.verdict.name.lower()}"))
    yield numbers(of.time)
    yield element(
        "td", (element("code", found.relation), f" {blocked_text(found)}") if found else "-", class_="names"
    )
    yield numbers(f"{of.changed:,}")
    yield element("td", ", ".join(of.rewrites) or "-", class_="names")
    yield numbers(of.wal)
    yield numbers(of.size)


def _checks(rehearsal: Rehearsal, _: Path) -> Element | None:
    if not rehearsal.checks:
        return None
    rows = (
        (
            element(
                "td",
                element(
                    "span", f"{_OUTCOMES[each.outcome]} {each.outcome.value}", class_=f"pill {each.outcome}"
                ),
            ),
            element("td", each.name),
            element("td", with_code(each.detail), class_="names"),
        )
        for each in rehearsal.checks
    )
    return element("section", element("h2", "Checks"), table("Checks", ("Outcome", "Check", "Detail"), rows))


def _traffic(rehearsal: Rehearsal, _: Path) -> Element | None:
    traffic = rehearsal.traffic
    if traffic is None:
        return None
    rows = (
        (numbers(f"{times:,}"), element("td", message, class_="names"))
        for message, times in traffic.errors.items()
    )
    errors = table("Errors", ("Times", "Error"), rows) if traffic.errors else None
    return element("section", element("h2", "Traffic"), element("p", traffic_text(traffic)), errors)


def _details(rehearsal: Rehearsal) -> Iterator[Element]:
    counts = (len(result.measure.statements) for result in rehearsal.revisions)
    firsts = accumulate(counts, initial=1)
    for number, (result, first) in enumerate(zip(rehearsal.revisions, firsts, strict=False), start=1):
        yield revision(number, result, first)


def _footer(rehearsal: Rehearsal) -> Element:
    print_ = element("code", rehearsal.fingerprint)
    return element(
        "footer", element("p", " ".join(NOTES)), element("p", "Fingerprint ", print_), class_="quiet"
    )
