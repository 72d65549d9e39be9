"""A rehearsal as GitHub's Markdown: a pull request's comment, a step's summary."""

from __future__ import annotations

from html import escape
from itertools import accumulate
from typing import TYPE_CHECKING, Final

from infra.migrate.findings import Verdict
from infra.migrate.rehearsal.results import Outcome
from infra.migrate.report.figures import counted, duration, size
from infra.migrate.report.markdown_text import code, cut, fence, fitting, prose
from infra.migrate.report.paths import relative
from infra.migrate.report.summary import (
    NOTES,
    all_findings,
    blocked_text,
    headline,
    origin,
    row,
    traffic_text,
)

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from infra.migrate.findings import Finding
    from infra.migrate.rehearsal.results import Rehearsal, RevisionResult, Statement
    from infra.migrate.report.summary import Row

#: The comment's first line, which shows nothing: by it the next run finds the comment and edits it.
MARKER: Final = "<!-- bough-rehearsal -->"

#: GitHub takes 65,536 characters of a comment, 1 MiB of a step's summary. Bytes are never fewer.
_COMMENT: Final = 65_536
_SUMMARY: Final = 1_048_576
_LONGEST_SQL: Final = 5_000

_SIGNS: Final = {Verdict.SAFE: "✅", Verdict.CARE: "⚠️", Verdict.UNSAFE: "❌"}
_OUTCOMES: Final = {Outcome.PASSED: "✅", Outcome.FAILED: "❌", Outcome.SKIPPED: "⏭️"}
_COLUMNS: Final = (
    "#|Revision|Phase|Verdict|Time|Longest blocked|Rows changed|Rewritten|WAL|Size",
    "--:|:--|:--|:--|--:|:--|--:|:--|--:|--:",
)


def comment(rehearsal: Rehearsal, root: Path) -> str:
    """Return the body of a pull request's comment; it begins with `MARKER`."""
    return f"{MARKER}\n{_markdown(rehearsal, root, _COMMENT - len(MARKER) - 1)}"


def markdown(rehearsal: Rehearsal, root: Path) -> str:
    """Return the report, in the size that a step's summary may have."""
    return _markdown(rehearsal, root, _SUMMARY)


def _markdown(rehearsal: Rehearsal, root: Path, limit: int) -> str:
    """Put the parts together, each in at most half of the room that those before it left."""
    way = f"{code(rehearsal.base or 'empty')} → {code(rehearsal.head)}"
    text = (
        f"### {_SIGNS[rehearsal.verdict]} {prose(headline(rehearsal))}\n\n"
        f"{prose(str(rehearsal.target), 300)}: {way}, {origin(rehearsal)}\n"
    )
    end = f"\n<sub>{' '.join(NOTES)} Fingerprint {code(rehearsal.fingerprint[:16])}.</sub>\n"
    for part in (_table, _findings, _checks, _traffic, _statements):
        room = (limit - len((text + end).encode())) // 2
        if lines := list(part(rehearsal, root, room)):
            text += "\n" + "\n".join(lines) + "\n"
    return text + end


def _table(rehearsal: Rehearsal, _: Path, room: int) -> Iterator[str]:
    if not rehearsal.revisions:
        return
    yield from (f"|{line}|" for line in _COLUMNS)
    rows = (row(number, result) for number, result in enumerate(rehearsal.revisions, start=1))
    yield from fitting(map(_row, rows), room - 300, "revisions")


def _row(of: Row) -> str:
    blocked = f"{_cell(of.longest.relation)} {blocked_text(of.longest)}" if of.longest else "-"
    rewritten = ", ".join(_cell(name) for name in of.rewrites[:5]) or "-"
    more = f" and {len(of.rewrites) - 5}" if len(of.rewrites) > 5 else ""  # noqa: PLR2004  a cell's worth
    verdict = f"{_SIGNS[of.verdict]} {of.verdict.value}"
    cells = (of.number, _cell(of.id), of.phase, verdict, of.time, blocked)
    return f"|{'|'.join(map(str, cells))}|{of.changed:,}|{rewritten}{more}|{of.wal}|{of.size}|"


def _cell(name: str) -> str:
    # Tables are cut into cells before anything else is read, code too.
    return code(name).replace("|", "\\|")


def _findings(rehearsal: Rehearsal, root: Path, room: int) -> Iterator[str]:
    if found := all_findings(rehearsal):
        yield "#### Findings\n"
        yield from fitting((_finding(each, root) for each in found), room - 200, "findings")


def _finding(finding: Finding, root: Path) -> str:
    place = code(f"{relative(finding.path, root)}:{finding.line}", 300)
    sign = "☑️" if finding.suppressed is not None else _SIGNS[finding.verdict]
    lines = [f"- {sign} **{prose(finding.rule)}** {place}: {prose(finding.message)}"]
    if finding.hint:
        lines.append(f"  <br>hint: {prose(finding.hint)}")
    if finding.suppressed is not None:
        lines.append(f"  <br>accepted: {prose(finding.suppressed)}")
    return "\n".join(lines)


def _checks(rehearsal: Rehearsal, _: Path, room: int) -> Iterator[str]:
    if rehearsal.checks:
        yield "#### Checks\n"
        lines = (
            f"- {_OUTCOMES[check.outcome]} {prose(check.name)}: {check.outcome.value}, {prose(check.detail)}"
            for check in rehearsal.checks
        )
        yield from fitting(lines, room - 200, "checks")


def _traffic(rehearsal: Rehearsal, _: Path, room: int) -> Iterator[str]:
    if traffic := rehearsal.traffic:
        yield f"#### Traffic\n\n{prose(traffic_text(traffic))}{chr(10) if traffic.errors else ''}"
        errors = (f"- {count:,} times {prose(message)}" for message, count in traffic.errors.items())
        yield from fitting(errors, room - 1_500, "errors")


def _statements(rehearsal: Rehearsal, _: Path, room: int) -> Iterator[str]:
    counts = [len(result.measure.statements) for result in rehearsal.revisions]
    if any(counts):
        # The last part may have all that is left, each revision its share of it.
        room = room * 2 - 400
        share = room // len(counts) - 400
        firsts = accumulate(counts, initial=1)
        yield "#### Statements\n"
        blocks = (
            _details(result, first, share)
            for result, first in zip(rehearsal.revisions, firsts, strict=False)
            if result.measure.statements
        )
        yield from fitting(blocks, room, "revisions")


def _details(result: RevisionResult, first: int, room: int) -> str:
    measure = result.measure
    # Inside <summary> Markdown is not read, HTML is.
    title = f"{escape(cut(measure.revision.id, 100))}: {counted(len(measure.statements), 'statement')}"
    statements = (_statement(number, each) for number, each in enumerate(measure.statements, start=first))
    body = fitting(statements, room, "statements")
    return "\n".join([f"<details><summary>{title}</summary>\n", *body, "\n</details>"])


def _statement(number: int, statement: Statement) -> str:
    figures = [duration(statement.seconds), f"WAL {size(statement.wal_bytes)}"]
    if statement.rows is not None and statement.rows >= 0:
        figures.append(f"{statement.rows:,} rows")
    if statement.rewrites:
        figures.append(f"rewrites {', '.join(statement.rewrites)}")
    figures += [f"reads all of {scan.relation}, {scan.rows:,} rows" for scan in statement.scans]
    return f"{number}. {prose('; '.join(figures))}\n\n{fence(cut(statement.sql, _LONGEST_SQL), 'sql')}"
