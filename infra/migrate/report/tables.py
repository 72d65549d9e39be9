"""Tables of the page: they scroll in their own place, by keyboard too, so that the page need not."""

from __future__ import annotations

from typing import TYPE_CHECKING

from infra.migrate.report.elements import element

if TYPE_CHECKING:
    from collections.abc import Iterable
    from xml.etree.ElementTree import Element


def table(name: str, columns: Iterable[str], rows: Iterable[Iterable[Element]]) -> Element:
    """Return a table of cells.

    Args:
        name: For those who do not see it.
        columns: Their headings.
        rows: Cells; the elements of `numbers` are right-aligned.
    """
    head = element("tr", (element("th", column, scope="col") for column in columns))
    body = (element("tr", row) for row in rows)
    return element(
        "div",
        element("table", element("thead", head), element("tbody", body)),
        class_="scroll",
        tabindex=0,
        role="region",
        aria_label=name,
    )


def numbers(value: object) -> Element:
    """Return a cell of figures."""
    return element("td", str(value), class_="figures")
