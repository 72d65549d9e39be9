"""What every form of the report says first: the verdict in a sentence, and each revision in a row."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC
from typing import TYPE_CHECKING, Final

from infra.migrate.findings import Verdict
from infra.migrate.lock_modes import mode_name
from infra.migrate.rehearsal.blocking import blocked
from infra.migrate.rehearsal.results import ForkKind, Outcome
from infra.migrate.report.figures import change, counted, duration, size

if TYPE_CHECKING:
    from collections.abc import Iterable

    from infra.migrate.findings import Finding
    from infra.migrate.rehearsal.blocking import Blocked
    from infra.migrate.rehearsal.results import Rehearsal, RevisionResult, TrafficResult

FORKS: Final = {
    ForkKind.BRANCH: "a branch of it, with all its data",
    ForkKind.COPY: "a copy of its schema on another machine, judged by its sizes: times are not its own",
}

#: What must be known to read the figures.
NOTES: Final = (
    "Times were measured without anyone else at work: waiting for locks comes on top.",
    "WAL is counted for the whole server, so it is at most what a statement wrote.",
)


@dataclass(frozen=True, slots=True)
class Row:
    """A revision as a row of the table; texts are plain, for each form to escape.

    Args:
        number: From 1.
        id: The revision's.
        phase: Of the revision.
        verdict: Of the revision.
        time: Until it was committed; `-` where it was not.
        longest: Which relation was blocked longest, how and for how long; `None` when none was.
        changed: Rows, in tables that were there before.
        rewrites: Names of tables and indexes, none twice.
        wal: Written.
        size: Growth.
    """

    number: int
    id: str
    phase: str
    verdict: Verdict
    time: str
    longest: Blocked | None
    changed: int
    rewrites: tuple[str, ...]
    wal: str
    size: str


def row(number: int, result: RevisionResult) -> Row:
    """Return the revision's row."""
    measure = result.measure
    statements = measure.statements
    return Row(
        number=number,
        id=measure.revision.id,
        phase=measure.revision.phase,
        verdict=result.verdict,
        time=duration(measure.seconds) if measure.seconds else "-",
        longest=next(iter(blocked(measure.locks)), None),
        changed=sum(statement.changed for statement in statements),
        rewrites=tuple(dict.fromkeys(name for statement in statements for name in statement.rewrites)),
        wal=size(sum(statement.wal_bytes for statement in statements)),
        size=change(measure.size_change),
    )


def headline(rehearsal: Rehearsal) -> str:
    """Return the verdict and what it comes from, such as `Unsafe: 1 of 3 revisions, 1 failed check`."""
    verdict = rehearsal.verdict
    total = len(rehearsal.revisions)
    skipped = sum(check.outcome is Outcome.SKIPPED for check in rehearsal.checks)
    unknown = [f"{counted(skipped, 'check')} skipped"] if skipped else []
    if verdict is Verdict.SAFE:
        return ", ".join(
            [f"Safe: {counted(total, 'revision') if total else 'no revision is pending'}", *unknown]
        )
    reasons = []
    if count := sum(result.verdict is verdict for result in rehearsal.revisions):
        reasons.append(f"{count} of {counted(total, 'revision')}")
    if failed := sum(check.outcome is Outcome.FAILED for check in rehearsal.checks):
        reasons.append(f"{counted(failed, 'failed check')}")
    if rehearsal.traffic and (errors := sum(rehearsal.traffic.errors.values())):
        reasons.append(f"{counted(errors, 'failed request')}")
    return f"{verdict.value.capitalize()}: {', '.join([*reasons, *unknown])}"


def origin(rehearsal: Rehearsal) -> str:
    """Return what was rehearsed on what, when, and how long that took."""
    started = rehearsal.started_at.astimezone(UTC)
    return (
        f"rehearsed on {FORKS[rehearsal.fork]}; {started:%Y-%m-%d %H:%M} UTC, "
        f"{duration(rehearsal.seconds)} altogether"
    )


def blocked_text(found: Blocked) -> str:
    """Return such as `488 ms (reads and writes, ACCESS EXCLUSIVE, 300,000 rows)`, without the relation."""
    rows = f", {counted(found.rows, 'row')}" if found.rows is not None else ""
    return f"{duration(found.seconds)} ({found.blocks.value}, {mode_name(found.mode)}{rows})"


def worst_first(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """Return the findings that count, the worst first, then those that a revision accepts with a reason."""
    return tuple(sorted(findings, key=lambda each: (each.suppressed is not None, -each.verdict.rank)))


def all_findings(rehearsal: Rehearsal) -> tuple[Finding, ...]:
    """Return the findings of all revisions, the worst first."""
    return worst_first(finding for result in rehearsal.revisions for finding in result.findings)


def traffic_text(traffic: TrafficResult) -> str:
    """Return what clients saw, without the errors' messages."""
    errors = sum(traffic.errors.values())
    late = f"; the clients themselves were late by up to {duration(traffic.late)}" if traffic.late else ""
    return (
        f"{traffic.load}: {counted(traffic.requests, 'request')}, "
        f"{counted(errors, 'error') if errors else 'no error'}; the slowest took "
        f"{duration(traffic.longest_wait)}, {duration(traffic.usual_wait)} before the upgrade{late}"
    )
