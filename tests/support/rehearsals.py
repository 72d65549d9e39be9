"""Rehearsals as they could have been, made up for reports to show."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from infra.branches.identity import BranchIdentity
from infra.migrate.findings import Finding, Verdict
from infra.migrate.history import Revision
from infra.migrate.rehearsal.results import (
    Check,
    ForkKind,
    Lock,
    Outcome,
    Rehearsal,
    RevisionMeasure,
    RevisionResult,
    Scan,
    Statement,
)

if TYPE_CHECKING:
    from collections.abc import Iterable

    from infra.migrate.history import Phase

ROOT = Path("/shop")

ACCESS_EXCLUSIVE = "AccessExclusiveLock"
SHARE = "ShareLock"
SHARE_ROW = "ShareRowExclusiveLock"
SHARE_UPDATE = "ShareUpdateExclusiveLock"
ROW_EXCLUSIVE = "RowExclusiveLock"


@dataclass
class Step:
    """A statement, and the locks that it takes: relation, mode, rows."""

    sql: str
    seconds: float
    locks: tuple[tuple[str, str, int | None], ...] = ()
    rows: int | None = None
    rewrites: tuple[str, ...] = ()
    scans: tuple[Scan, ...] = ()
    wal: int = 1_500
    concurrently: bool = False


@dataclass
class Part:
    """A revision: its steps in one transaction, those that are concurrent in none."""

    id: str
    steps: tuple[Step, ...]
    phase: Phase = "expand"
    findings: tuple[tuple[str, Verdict, str, str | None, str | None], ...] = ()
    size: int = 8_192
    path: str = field(init=False)

    def __post_init__(self) -> None:
        self.path = f"migrations/versions/{self.id}.py"


def rehearsal(*parts: Part, **changes: Any) -> Rehearsal:
    """Return the parts one after the other, on a branch of `main`."""
    clock, results = 0.004, []
    for part in parts:
        result = _result(part, clock)
        results.append(result)
        clock = result.measure.started + result.measure.seconds + 0.002
    made = Rehearsal(
        target=BranchIdentity("neon", "silent-sea-12345678", "br-polished-river-airr2765", "main"),
        fork=ForkKind.BRANCH,
        base="20261101_orders",
        head=parts[-1].id if parts else "20261101_orders",
        fingerprint="6f1d" * 16,
        started_at=datetime(2026, 11, 21, 18, 0, tzinfo=UTC),
        seconds=clock + 9.3,
        revisions=tuple(results),
        checks=(
            Check("downgrade leaves no trace", Outcome.PASSED, "the schema is the one before"),
            Check("autogenerate finds nothing", Outcome.PASSED, "the models and the schema agree"),
        ),
    )
    return replace(made, **changes)


def _result(part: Part, started: float) -> RevisionResult:
    clock = started
    statements: list[Statement] = []
    taken: list[tuple[int, str, str, int | None, float, float | None]] = []
    for index, step in enumerate(part.steps):
        clock += 0.0003
        end = clock + step.seconds
        for relation, mode, rows in step.locks:
            # A lock is there from the statement's first moments on.
            since = clock + min(0.0001, step.seconds / 10)
            taken.append((index, relation, mode, rows, since, end if step.concurrently else None))
        statements.append(
            Statement(
                index=index,
                sql=step.sql,
                line=12 + index,
                started=clock,
                seconds=step.seconds,
                rows=step.rows,
                rewrites=step.rewrites,
                scans=step.scans,
                wal_bytes=step.wal,
                changed=step.rows or 0,
                transaction=None if step.concurrently else 0,
            )
        )
        clock = end
    committed = clock + 0.0008
    locks = tuple(
        Lock(relation, rows, mode, index, since, until or committed, sampled=until is not None)
        for index, relation, mode, rows, since, until in taken
    )
    measure = RevisionMeasure(
        revision=Revision(part.id, f"What {part.id} is for.", part.phase, ROOT / part.path),
        started=started,
        seconds=committed - started,
        statements=tuple(statements),
        locks=locks,
        size_change=part.size,
    )
    return RevisionResult(measure, tuple(_findings(part)))


def _findings(part: Part) -> Iterable[Finding]:
    for rule, verdict, message, hint, suppressed in part.findings:
        yield Finding(rule, verdict, message, part.id, ROOT / part.path, 12, hint, suppressed)
