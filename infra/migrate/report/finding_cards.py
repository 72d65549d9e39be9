"""The page's findings: a card for each place, the worst first, and one for the checks that failed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from infra.migrate.rehearsal.results import Outcome
from infra.migrate.report.elements import element, with_code
from infra.migrate.report.paths import relative
from infra.migrate.report.summary import all_findings

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path
    from xml.etree.ElementTree import Element

    from infra.migrate.findings import Finding
    from infra.migrate.rehearsal.results import Check, Rehearsal


def findings(rehearsal: Rehearsal, root: Path) -> Element | None:
    """Return the section, `None` where nothing was found."""
    cards = []
    if failed := [check for check in rehearsal.checks if check.outcome is Outcome.FAILED]:
        cards.append(_card("Checks", "unsafe", map(_check, failed)))
    places: dict[str, list[Finding]] = {}
    for finding in all_findings(rehearsal):
        places.setdefault(f"{relative(finding.path, root)}:{finding.line}", []).append(finding)
    # Each place's first is its worst.
    cards += [_card(place, _style(found[0]), map(_finding, found)) for place, found in places.items()]
    if not cards:
        return None
    return element(
        "section", element("h2", "Findings", id="findings"), element("ul", cards, class_="findings")
    )


def _card(title: str, style: str, items: Iterable[Element]) -> Element:
    return element("li", element("p", element("code", title), class_="quiet"), items, class_=style)


def _check(check: Check) -> Element:
    pill = element("span", "failed", class_="pill failed")
    return element("p", pill, " ", element("strong", check.name), " ", with_code(check.detail))


def _finding(finding: Finding) -> Element:
    style = _style(finding)
    word = finding.verdict.value if finding.suppressed is None else "accepted"
    reasons = {"Hint": finding.hint, "Accepted": finding.suppressed}
    return element(
        "p",
        element("span", word, class_=f"pill {style}"),
        " ",
        element("strong", finding.rule),
        " ",
        with_code(finding.message),
        (
            element("small", f"{name}: ", with_code(reason), class_="quiet")
            for name, reason in reasons.items()
            if reason is not None
        ),
    )


def _style(finding: Finding) -> str:
    return "accepted" if finding.suppressed is not None else finding.verdict.name.lower()
