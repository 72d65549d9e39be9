"""A revision's part of the page: its statements and locks, which the chart shows, as tables."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from infra.migrate.findings import Verdict
from infra.migrate.lock_modes import blocks, mode_name
from infra.migrate.report.elements import element
from infra.migrate.report.figures import counted, duration, size
from infra.migrate.report.tables import numbers, table

if TYPE_CHECKING:
    from collections.abc import Iterator
    from xml.etree.ElementTree import Element

    from infra.migrate.rehearsal.results import Lock, RevisionResult, Statement

_STATEMENTS: Final = ("#", "Statement", "Line", "Time", "Rows", "Rewritten", "Read from end to end", "WAL")
_LOCKS: Final = ("Relation", "Rows", "Mode", "Blocks", "Held", "From", "By statement")
#: Characters of SQL in a cell; more is opened, and what is longer still is cut.
_SHORT_SQL: Final = 240
_LONGEST_SQL: Final = 20_000


def revision(number: int, result: RevisionResult, first: int) -> Element:
    """Return the part of a revision; `first` is the number of its first statement, through the upgrade."""
    measure = result.measure
    invalid = measure.invalid_indexes
    statements = (_statement(each, first + index) for index, each in enumerate(measure.statements))
    locks = (_lock(each, first + each.statement) for each in measure.locks)
    return element(
        "details",
        element(
            "summary",
            element("h2", f"{number}. {measure.revision.id}"),
            element("span", result.verdict.value, class_=f"pill {result.verdict.name.lower()}"),
            element(
                "span",
                f"{counted(len(measure.statements), 'statement')}, {counted(len(measure.locks), 'lock')},"
                f" {duration(measure.seconds)}",
                class_="quiet",
            ),
        ),
        element("p", measure.revision.message),
        element("p", f"Indexes left unfinished: {', '.join(invalid)}.") if invalid else None,
        table(f"Statements of {measure.revision.id}", _STATEMENTS, statements)
        if measure.statements
        else None,
        table(f"Locks of {measure.revision.id}", _LOCKS, locks) if measure.locks else None,
        id=f"r{number}",
        open=None if result.verdict is Verdict.SAFE else "",
    )


def _statement(statement: Statement, number: int) -> Iterator[Element]:
    yield element("td", element("span", str(number), id=f"s{number}"), class_="figures")
    yield element("td", _sql(statement.sql), class_="sql")
    yield numbers(statement.line or "-")
    yield numbers(duration(statement.seconds))
    yield numbers("-" if statement.rows is None or statement.rows < 0 else f"{statement.rows:,}")
    yield element("td", ", ".join(statement.rewrites) or "-", class_="names")
    scans = (f"{scan.relation} ({counted(scan.rows, 'row')})" for scan in statement.scans)
    yield element("td", ", ".join(scans) or "-", class_="names")
    yield numbers(size(statement.wal_bytes))


def _sql(sql: str) -> Element:
    text = sql.strip()
    if len(text) <= _SHORT_SQL:
        return element("pre", text)
    left_out = len(text) - _LONGEST_SQL
    end = f"\n… {left_out:,} more characters" if left_out > 0 else ""
    return element(
        "details",
        element("summary", element("pre", text[: _SHORT_SQL - 1] + "…")),
        element("pre", text[:_LONGEST_SQL] + end),
    )


def _lock(lock: Lock, number: int) -> Iterator[Element]:
    about = "≈ " if lock.sampled else ""
    yield element("td", lock.relation, class_="names")
    yield numbers("-" if lock.rows is None else f"{lock.rows:,}")
    yield element("td", mode_name(lock.mode))
    yield element("td", blocks(lock.mode).value)
    yield numbers(about + duration(lock.held))
    yield numbers(duration(lock.acquired))
    yield element("td", element("a", str(number), href=f"#s{number}"), class_="figures")
