"""What a rehearsal found: the record that verdict, reports and the target's own tables are made from.

All times are seconds; those of a statement or lock count from the start of the measured upgrade.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from infra.migrate.findings import Verdict, worst

if TYPE_CHECKING:
    from datetime import datetime

    from infra.branches.identity import BranchIdentity
    from infra.migrate.findings import Finding
    from infra.migrate.history import Revision


@dataclass(frozen=True, slots=True)
class Lock:
    """A lock on a relation, from the statement that took it to the end of its transaction.

    Args:
        relation: Qualified name, such as `public.users`.
        rows: The relation's rows as the planner estimates them, before the run; `None` for one made in it.
        mode: As `pg_locks` has it, such as `AccessExclusiveLock`.
        statement: Index of the statement that took it.
        acquired: Seconds; not later than its statement's end.
        released: Seconds; the end of its transaction, or of the CONCURRENTLY statement.
        sampled: Seen by a second connection that looked at intervals, so both times are estimates.
    """

    relation: str
    rows: int | None
    mode: str
    statement: int
    acquired: float
    released: float
    sampled: bool = False

    @property
    def held(self) -> float:
        """Seconds that it was held."""
        return self.released - self.acquired


@dataclass(frozen=True, slots=True)
class Scan:
    """A table that a statement read from end to end, and how many rows that took."""

    relation: str
    rows: int


@dataclass(frozen=True, slots=True)
class Statement:
    """One statement of a revision.

    Args:
        index: From 0, through the whole revision.
        sql: As it was sent, parameters not filled in, without passwords.
        line: Of the revision's file, from 1; `None` when it did not come from there.
        started: Seconds.
        seconds: That it ran.
        rows: As the driver counts them; `None` where that means nothing.
        rewrites: Qualified names of tables and indexes whose files were written anew; of partitions that
            were locked with their table, as of all others that count, its name.
        scans: Tables read from end to end.
        wal_bytes: Of WAL written meanwhile; server-wide, so an upper bound.
        transaction: Number of its transaction in the revision, from 0; `None` in autocommit.
        tag: What the server says that it did, such as `ALTER TABLE`, or `SET; ALTER TABLE` to two in one
            message; empty when it failed.
        changed: Rows inserted, updated and deleted in tables that were there before the revision, those
            of triggers, functions and cascades too.
    """

    index: int
    sql: str
    line: int | None
    started: float
    seconds: float
    rows: int | None = None
    rewrites: tuple[str, ...] = ()
    scans: tuple[Scan, ...] = ()
    wal_bytes: int = 0
    transaction: int | None = 0
    tag: str = ""
    changed: int = 0


@dataclass(frozen=True, slots=True)
class RevisionMeasure:
    """How one revision ran.

    Args:
        revision: Which.
        started: Seconds.
        seconds: Until it was committed.
        statements: In order, the kit's own bookkeeping left out.
        locks: In the order of taking, on tables and views that were there before the revision; of an
            index, a sequence that a column owns, or a partition, only what is stronger than its table's.
        size_change: Bytes by which the database grew.
        invalid_indexes: Qualified names of indexes that it left unfinished.
    """

    revision: Revision
    started: float
    seconds: float
    statements: tuple[Statement, ...]
    locks: tuple[Lock, ...]
    size_change: int
    invalid_indexes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class RevisionResult:
    """A revision, measured and judged.

    Args:
        measure: What happened.
        findings: The rehearsal's and the linter's.
    """

    measure: RevisionMeasure
    findings: tuple[Finding, ...]

    @property
    def verdict(self) -> Verdict:
        """The worst of its findings that count."""
        return worst(self.findings)


class Outcome(StrEnum):
    """How a check ended."""

    PASSED = "passed"
    FAILED = "failed"
    SKIPPED = "skipped"


@dataclass(frozen=True, slots=True)
class Check:
    """Something that must hold besides the measurements.

    Args:
        name: Such as `downgrade leaves no trace`.
        outcome: How it ended.
        detail: Why, when it did not pass; what was looked at, when it did.
    """

    name: str
    outcome: Outcome
    detail: str


@dataclass(frozen=True, slots=True)
class TrafficResult:
    """What clients saw through the fork's pooler while the revisions ran a second time.

    Args:
        load: The load as it was stated, for people.
        requests: Reads and writes that were answered or failed.
        errors: How often each error was seen, by its message without values.
        longest_wait: Seconds that the slowest took.
        usual_wait: Seconds that the slowest took in the time before the upgrade.
        late: Seconds by which clients asked too late, at most: so much of a wait may be this machine's.
    """

    load: str
    requests: int
    errors: dict[str, int]
    longest_wait: float
    usual_wait: float
    late: float = 0.0


class ForkKind(StrEnum):
    """What the revisions were rehearsed on."""

    BRANCH = "branch"
    COPY = "copy"


@dataclass(frozen=True, slots=True)
class Rehearsal:
    """A rehearsal, whole.

    Args:
        target: What the revisions are meant for.
        fork: A branch of it with all its data, or a local copy of its schema with sampled statistics.
        base: The target's revision; `None` for an empty one.
        head: The last that was rehearsed.
        fingerprint: Of base, revisions' contents and the target's schema: what is remembered.
        started_at: With time zone.
        seconds: All of it, the fork included.
        revisions: In the order of running.
        checks: What else was looked at.
        traffic: `None` when none was asked for.
    """

    target: BranchIdentity
    fork: ForkKind
    base: str | None
    head: str
    fingerprint: str
    started_at: datetime
    seconds: float
    revisions: tuple[RevisionResult, ...]
    checks: tuple[Check, ...]
    traffic: TrafficResult | None = None

    @property
    def failed(self) -> bool:
        """Whether a check failed, or clients saw an error."""
        failed = any(check.outcome is Outcome.FAILED for check in self.checks)
        return failed or (self.traffic is not None and bool(self.traffic.errors))

    @property
    def verdict(self) -> Verdict:
        """The worst of its revisions; one that failed is unsafe."""
        if self.failed:
            return Verdict.UNSAFE
        verdicts = (revision.verdict for revision in self.revisions)
        return max(verdicts, key=lambda verdict: verdict.rank, default=Verdict.SAFE)
