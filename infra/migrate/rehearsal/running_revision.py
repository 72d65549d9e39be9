"""One revision while it runs: what each of its statements changed, and what it holds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from infra.migrate.rehearsal.lock_book import LockBook
from infra.migrate.rehearsal.readings import DatabaseReading, SessionReading
from infra.migrate.rehearsal.results import RevisionMeasure, Scan, Statement

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from infra.migrate.history import Revision
    from infra.migrate.rehearsal.readings import Counters
    from infra.migrate.rehearsal.sampling import Sample


@dataclass(frozen=True, slots=True)
class Sizes:
    """How many rows the tables have, by qualified name.

    Args:
        rows: In the database that is meant.
        present: In this one, where it is a copy with some of the rows or none; `None` where it has all.
    """

    rows: Mapping[str, int]
    present: Mapping[str, int] | None = None

    def scaled(self, name: str, counted: int) -> int:
        """Return how many rows it would be of all, where `counted` are of those that are present."""
        present = self.present.get(name, 0) if self.present is not None else 0
        return round(counted * self.rows.get(name, 0) / present) if present else counted

    def is_empty(self, name: str) -> bool:
        """Whether none of a table's rows were copied."""
        return self.present is not None and not self.present.get(name)


@dataclass(frozen=True, slots=True)
class Sent:
    """A statement that was answered.

    Args:
        sql: As it was sent, without passwords.
        line: Of the revision's file.
        tags: The answers, such as `ALTER TABLE`, of one message that may hold several statements; nothing
            when it failed.
        rows: As the driver counts them; below 0 where that means nothing.
        started: Seconds.
        ended: Seconds.
        transaction: Number of its transaction; `None` in autocommit.
    """

    sql: str
    line: int | None
    tags: tuple[str, ...]
    rows: int
    started: float
    ended: float
    transaction: int | None


@dataclass(frozen=True, slots=True)
class _Changes:
    """What a statement did to relations that were there before its revision.

    Args:
        written: OIDs of those that have another file now, tables first.
        rewrites: Their names; of partitions that were locked with their table, its name.
        scans: What was read.
        rows: Inserted, updated and deleted.
        wal: Bytes.
    """

    written: tuple[int, ...] = ()
    rewrites: tuple[str, ...] = ()
    scans: tuple[Scan, ...] = ()
    rows: int = 0
    wal: int = 0


class RunningRevision:
    """Collects what a revision does.

    Args:
        revision: Which.
        before: The database as it was.
        sizes: Its tables'.
        started: Seconds.
    """

    def __init__(self, revision: Revision, before: DatabaseReading, sizes: Sizes, started: float) -> None:
        """Begin without a statement."""
        self.revision = revision
        self.started = started
        self.done = False
        self._transactions = 0
        self._in_transaction = False
        self._before = before
        self._sizes = sizes
        self._wal = before.wal
        self._counters = dict(before.counters)
        self._book = LockBook(before.relations, sizes.rows)
        self._statements: list[Statement] = []

    @property
    def untouched(self) -> bool:
        """Whether it has sent nothing yet."""
        return not self._statements

    def transaction(self) -> int:
        """Return the number of the transaction that the next statement is in."""
        if not self._in_transaction:
            self._in_transaction = True
            self._transactions += 1
        return self._transactions - 1

    def add(
        self, sent: Sent, reading: SessionReading | DatabaseReading | None, samples: Sequence[Sample] = ()
    ) -> None:
        """Take down a statement and what was read after it.

        Args:
            sent: The statement.
            reading: `None` where nothing could be asked: the next one tells of this statement too.
            samples: What was seen of its locks meanwhile, outside a transaction.
        """
        index = len(self._statements)
        for sample in samples:
            self._book.update(sample.held, statement=index, acquired=sample.at, now=sample.at, sampled=True)
        if isinstance(reading, SessionReading):
            self._book.update(reading.locks, statement=index, acquired=sent.started, now=sent.ended)
        changes = self._compare(reading, sent.tags) if reading is not None else _Changes()
        if isinstance(reading, DatabaseReading):
            self.release(sent.ended)
            for oid in changes.written:
                if self._before.relations[oid].owner not in changes.written:
                    self._book.add_rewrite(oid, statement=index, began=sent.started, ended=sent.ended)
        self._statements.append(
            Statement(
                index,
                sent.sql,
                sent.line,
                sent.started,
                sent.ended - sent.started,
                rows=sent.rows if sent.rows >= 0 else None,
                rewrites=changes.rewrites,
                scans=changes.scans,
                wal_bytes=changes.wal,
                transaction=sent.transaction,
                tag="; ".join(sent.tags),
                changed=changes.rows,
            )
        )

    def release(self, now: float) -> None:
        """Take down that no transaction is open any more."""
        self._in_transaction = False
        self._book.release(now)

    def measure(self, after: DatabaseReading, now: float) -> RevisionMeasure:
        """Return all of it, once the revision is committed."""
        were_invalid = {oid for oid, relation in self._before.relations.items() if relation.invalid}
        invalid = (r.name for oid, r in after.relations.items() if r.invalid and oid not in were_invalid)
        return RevisionMeasure(
            self.revision,
            self.started,
            now - self.started,
            tuple(self._statements),
            self._book.locks(),
            after.size - self._before.size,
            tuple(sorted(invalid)),
        )

    def _compare(self, reading: SessionReading | DatabaseReading, tags: tuple[str, ...]) -> _Changes:
        """Compare with the reading before, and keep this one for the next."""
        relations = self._before.relations
        after = {oid: now for oid, now in reading.counters.items() if oid in self._counters}
        written: list[int] = []
        # A rollback brings the old file back, and TRUNCATE begins an empty one.
        if not set(tags) <= {"ROLLBACK", "TRUNCATE TABLE"}:
            written = [oid for oid, now in after.items() if now.file != self._counters[oid].file]
            written.sort(key=lambda oid: (relations[oid].owner is not None, relations[oid].name))
        rows = sum(
            self._sizes.scaled(relations[oid].name, now.changed - self._counters[oid].changed)
            for oid, now in after.items()
        )
        changes = _Changes(
            tuple(written),
            tuple(dict.fromkeys(map(self._locked_as, written))),
            tuple(self._scans(after)),
            rows,
            reading.wal - self._wal,
        )
        self._counters |= after
        self._wal = reading.wal
        return changes

    def _scans(self, after: Mapping[int, Counters]) -> list[Scan]:
        found: dict[str, int] = {}
        for oid, now in after.items():
            before, name = self._counters[oid], self._before.relations[oid].name
            rows = self._sizes.scaled(name, now.read - before.read)
            if self._sizes.is_empty(name):
                rows = (now.scans - before.scans) * self._sizes.rows.get(name, 0)
            if rows > 0:
                whole = self._locked_as(oid)
                found[whole] = found.get(whole, 0) + rows
        return [Scan(relation, rows) for relation, rows in sorted(found.items())]

    def _locked_as(self, oid: int) -> str:
        return self._before.relations[self._book.whole(oid)].name
