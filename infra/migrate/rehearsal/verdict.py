"""What is wrong with a revision, from how it ran.

Counts come first: a fork is not busy, and may be faster or slower than what it stands for, but it has
as many rows. Time is the second reason, and a lower bound. Whatever is done in an instant is safe,
also under ACCESS EXCLUSIVE: `lock_timeout` bounds the wait for it, and the runner tries again.
"""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING, Final

from infra.migrate.findings import Finding, Verdict
from infra.migrate.lock_modes import Blocks, blocks, mode_name
from infra.migrate.rehearsal import recipes
from infra.migrate.rehearsal.blocking import blocked

if TYPE_CHECKING:
    from collections.abc import Iterator

    from infra.config_tables import MigrateSettings
    from infra.migrate.rehearsal.results import Lock, RevisionMeasure, Statement

#: A suppression may name them. The linter foretells two of them, under the same names.
RULES: Final = (
    "rewrite-of-large-table",
    "scan-under-blocking-lock",
    "work-under-lock",
    "many-rows-in-one-transaction",
    "locks-on-several-tables",
    "lock-held-too-long",
    "much-wal",
    "index-left-invalid",
)

_REFRESH: Final = "REFRESH MATERIALIZED VIEW"

#: A part of `large_table` from which on a count asks for care.
_SOME: Final = 10


def judge(measure: RevisionMeasure, settings: MigrateSettings) -> tuple[Finding, ...]:
    """Return what speaks against a revision, in the order of its lines; nothing when it is safe.

    Only relations that were there before the run count: nobody can wait for others.
    """
    judging = _Judging(measure, settings)
    found = [
        *judging.rewrites(),
        *judging.scans(),
        *judging.work_under_lock(),
        *judging.many_rows(),
        *judging.several_tables(),
        *judging.blocked(),
        *judging.wal(),
        *judging.invalid_indexes(),
    ]
    return tuple(sorted(found, key=lambda finding: (finding.line, -finding.verdict.rank)))


class _Judging:
    def __init__(self, measure: RevisionMeasure, settings: MigrateSettings) -> None:
        self._measure = measure
        self._settings = settings
        self._locks = [
            lock
            for lock in measure.locks
            if lock.rows is not None
            and blocks(lock.mode) is not Blocks.NOTHING
            and not _is_of_refresh(lock, measure)
        ]

    def rewrites(self) -> Iterator[Finding]:
        """What has a large table or index written anew."""
        for statement in self._measure.statements:
            for lock in self._held_in(statement):
                rows = lock.rows or 0
                if lock.relation in statement.rewrites and rows >= self._settings.large_table:
                    message = (
                        f"{_name(lock)} is written anew in {statement.seconds:.2f} s, "
                        "and nobody can read or write it meanwhile"
                    )
                    hint = recipes.for_rewrite(statement)
                    yield self._finding("rewrite-of-large-table", Verdict.UNSAFE, message, statement, hint)

    def scans(self) -> Iterator[Finding]:
        """What reads a large table while a lock on it blocks others."""
        for statement in self._measure.statements:
            read = {scan.relation: scan.rows for scan in statement.scans}
            for lock in self._held_in(statement):
                if lock.relation in statement.rewrites or _is_exclusive_before(lock, statement):
                    continue
                if min(lock.rows or 0, read.get(lock.relation, 0)) >= self._settings.large_table:
                    message = (
                        f"{_name(lock)} is read from end to end in {statement.seconds:.2f} s "
                        f"under {mode_name(lock.mode)}, which blocks {blocks(lock.mode)}"
                    )
                    hint = recipes.for_scan(statement)
                    yield self._finding("scan-under-blocking-lock", Verdict.UNSAFE, message, statement, hint)

    def work_under_lock(self) -> Iterator[Finding]:
        """What works on many rows in a transaction that has locked a relation wholly."""
        for statements in self._transactions():
            first: Lock | None = None
            for statement in statements:
                rows = statement.changed + sum(scan.rows for scan in statement.scans)
                verdict = self._by_rows(rows)
                if first is not None and verdict is not Verdict.SAFE:
                    message = (
                        f"{_name(first)} stays locked, ACCESS EXCLUSIVE since line {self._line(first)}, "
                        f"while this reads or changes {rows:,} rows in {statement.seconds:.2f} s"
                    )
                    yield self._finding("work-under-lock", verdict, message, statement, recipes.APART)
                if first is None:
                    taken = self._taken_by(statement)
                    first = next(
                        (lock for lock in taken if blocks(lock.mode) is Blocks.READS_AND_WRITES), None
                    )

    def many_rows(self) -> Iterator[Finding]:
        """What changes many rows before it lets go of them."""
        rule = "many-rows-in-one-transaction"
        for statements in self._transactions():
            # The rows of a refreshed materialized view are a new file, in nobody's way.
            changing = [each for each in statements if each.tag != _REFRESH]
            most = max(changing, key=lambda each: each.changed, default=None)
            added = sum(each.changed for each in changing if each.tag in {"COPY", "INSERT"})
            changed = sum(each.changed for each in changing) - added
            verdict = self._by_rows(changed)
            if verdict is not Verdict.SAFE:
                message = f"one transaction changes {changed:,} rows; who wants to write one of them waits"
                yield self._finding(rule, verdict, message, most, recipes.BATCHES)
            # New rows stand in nobody's way; but they come, and go to replicas, all at once.
            elif self._by_rows(added) is Verdict.UNSAFE:
                message = f"one transaction adds {added:,} rows"
                yield self._finding(rule, Verdict.CARE, message, most, recipes.BATCHES)

    def several_tables(self) -> Iterator[Finding]:
        """What locks one table after another, in an order that the application's may cross."""
        for statements in self._transactions():
            taken: list[Lock] = []
            for statement in statements:
                taken += [
                    lock
                    for lock in self._taken_by(statement)
                    if lock.mode != "ShareLock" and lock.relation not in {each.relation for each in taken}
                ]
            large = any((lock.rows or 0) >= self._settings.large_table for lock in taken)
            if large and len({lock.statement for lock in taken}) > 1:
                names = ", ".join(lock.relation for lock in taken)
                message = f"one transaction locks {names}, one after the other: a deadlock is possible"
                last = self._measure.statements[taken[-1].statement]
                yield self._finding("locks-on-several-tables", Verdict.CARE, message, last, recipes.APART)

    def blocked(self) -> Iterator[Finding]:
        """What blocks a relation for long."""
        by_name = sorted(blocked(self._locks), key=lambda each: each.relation)
        for _, times in groupby(by_name, key=lambda each: each.relation):
            # The longest of each comes first.
            longest = next(times)
            if longest.seconds < self._settings.blocked_care:
                continue
            unsafe = longest.seconds >= self._settings.blocked_unsafe
            lock = next(
                lock
                for lock in self._locks
                if (lock.relation, lock.acquired) == (longest.relation, longest.began)
            )
            statement = self._measure.statements[lock.statement]
            outlives = longest.seconds > 2 * statement.seconds
            message = (
                f"{longest.blocks} of {_name(lock)} are blocked for {longest.seconds:.2f} s by "
                f"{mode_name(longest.mode)}"
            )
            if outlives:
                message += f": its statement took {statement.seconds:.2f} s, its transaction went on"
            hint = recipes.APART if outlives else recipes.for_scan(statement)
            verdict = Verdict.UNSAFE if unsafe else Verdict.CARE
            yield self._finding("lock-held-too-long", verdict, message, statement, hint)

    def wal(self) -> Iterator[Finding]:
        """What writes much WAL."""
        statements = self._measure.statements
        written = sum(each.wal_bytes for each in statements)
        if written >= self._settings.wal_care:
            message = f"{written / 1e9:.2g} GB of WAL: replicas, and a restore, must follow"
            most = max(statements, key=lambda each: each.wal_bytes)
            yield self._finding("much-wal", Verdict.CARE, message, most, recipes.BATCHES)

    def invalid_indexes(self) -> Iterator[Finding]:
        """What was left unfinished."""
        for name in self._measure.invalid_indexes:
            message = f"index {name} is left invalid: it costs every write, and serves no query"
            hint = f"DROP INDEX CONCURRENTLY {name}, then build it again"
            yield self._finding("index-left-invalid", Verdict.UNSAFE, message, None, hint)

    def _transactions(self) -> Iterator[list[Statement]]:
        """The statements of each transaction; one in autocommit is one."""
        statements = self._measure.statements
        alone = groupby(
            statements, key=lambda each: (each.transaction, each.transaction is None and each.index)
        )
        return (list(group) for _, group in alone)

    def _taken_by(self, statement: Statement) -> list[Lock]:
        return [lock for lock in self._locks if lock.statement == statement.index]

    def _held_in(self, statement: Statement) -> list[Lock]:
        """The locks on different relations that are held while a statement runs, the last of each.

        Sampled ones may have been seen to end before their statement did.
        """
        ended = statement.started + statement.seconds
        held = {
            lock.relation: lock
            for lock in self._locks
            if lock.statement == statement.index
            or (lock.statement < statement.index and lock.released >= ended)
        }
        return list(held.values())

    def _by_rows(self, rows: int) -> Verdict:
        if rows >= self._settings.large_table:
            return Verdict.UNSAFE
        return Verdict.CARE if rows * _SOME >= self._settings.large_table else Verdict.SAFE

    def _line(self, lock: Lock) -> int:
        return self._measure.statements[lock.statement].line or 1

    def _finding(
        self, rule: str, verdict: Verdict, message: str, statement: Statement | None, hint: str
    ) -> Finding:
        revision = self._measure.revision
        line = (statement.line if statement is not None else None) or 1
        return Finding(rule, verdict, message, revision.id, revision.path, line, hint)


def _is_exclusive_before(lock: Lock, statement: Statement) -> bool:
    """Whether the statement works under an earlier one's ACCESS EXCLUSIVE, which has a rule of its own."""
    return lock.statement < statement.index and blocks(lock.mode) is Blocks.READS_AND_WRITES


def _is_of_refresh(lock: Lock, measure: RevisionMeasure) -> bool:
    """Whether it keeps out only those who write to a materialized view: nobody does."""
    return lock.mode == "ExclusiveLock" and measure.statements[lock.statement].tag == _REFRESH


def _name(lock: Lock) -> str:
    return f"{lock.relation} ({lock.rows:,} rows)"
