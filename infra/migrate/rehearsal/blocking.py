"""For how long a relation was blocked without a break, over all the locks on it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from infra.migrate.lock_modes import Blocks, blocks

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from infra.migrate.rehearsal.results import Lock


@dataclass(frozen=True, slots=True)
class Blocked:
    """A time in which a relation was blocked without a break.

    Args:
        relation: Qualified name.
        rows: The relation's rows as the planner estimates them.
        blocks: What others could not do for all of that time.
        mode: The lock mode that was held longest in it, as `pg_locks` has it.
        began: Seconds.
        seconds: That it lasted.
    """

    relation: str
    rows: int | None
    blocks: Blocks
    mode: str
    began: float
    seconds: float


def blocked(locks: Iterable[Lock]) -> tuple[Blocked, ...]:
    """Return for how long which relation was blocked, the longest first.

    Locks that overlap or touch are one time. Where reads and writes were blocked for a part of the time
    in which writes were, both are told.
    """
    by_relation: dict[str, list[Lock]] = {}
    for lock in locks:
        if blocks(lock.mode) is not Blocks.NOTHING:
            by_relation.setdefault(lock.relation, []).append(lock)
    found: list[Blocked] = []
    for held in by_relation.values():
        everything = [lock for lock in held if blocks(lock.mode) is Blocks.READS_AND_WRITES]
        of_reads = list(_spans(everything, Blocks.READS_AND_WRITES))
        times = {(each.began, each.seconds) for each in of_reads}
        of_writes = (each for each in _spans(held, Blocks.WRITES) if (each.began, each.seconds) not in times)
        found += [*of_reads, *of_writes]
    return tuple(sorted(found, key=lambda each: (-each.seconds, -each.blocks.rank, each.began)))


def _spans(locks: list[Lock], what: Blocks) -> Iterator[Blocked]:
    run: list[Lock] = []
    end = 0.0
    for lock in sorted(locks, key=lambda lock: lock.acquired):
        if run and lock.acquired > end:
            yield _span(run, end, what)
            run = []
        end = max(end, lock.released) if run else lock.released
        run.append(lock)
    if run:
        yield _span(run, end, what)


def _span(locks: list[Lock], end: float, what: Blocks) -> Blocked:
    longest = max(locks, key=lambda lock: lock.held)
    began = locks[0].acquired
    return Blocked(longest.relation, longest.rows, what, longest.mode, began, end - began)
