"""Which locks a session holds, from when to when."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from infra.migrate.lock_modes import ACCESS_EXCLUSIVE, STRENGTH
from infra.migrate.rehearsal.results import Lock

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from infra.migrate.rehearsal.readings import Relation


@dataclass(frozen=True, slots=True)
class _Held:
    mode: str
    statement: int
    acquired: float
    sampled: bool


class LockBook:
    """The locks of one revision on relations that were there before it.

    A lock is noted when it is stronger than what is held on the same relation already. That of an index,
    of a sequence that a column owns, or of a partition, is noted when it is stronger than its table's: who
    uses them locks the table first, and who locks a table with a thousand partitions does one thing.

    Args:
        relations: What was there before, by OID.
        rows: Of tables, by name, before the run.
    """

    def __init__(self, relations: Mapping[int, Relation], rows: Mapping[str, int]) -> None:
        """Begin with no lock held."""
        self._relations = relations
        self._rows = rows
        self._held: dict[int, list[_Held]] = {}
        #: The strongest mode on each relation, noted or not.
        self._strongest: dict[int, str] = {}
        self._locks: list[Lock] = []

    def update(
        self,
        held: Collection[tuple[int, str]],
        *,
        statement: int,
        acquired: float,
        now: float,
        sampled: bool = False,
    ) -> None:
        """Take down all that is held now.

        Args:
            held: OIDs and modes.
            statement: Whose index new ones get.
            acquired: Since when new ones are held.
            now: Until when those were held that no longer are.
            sampled: How it was seen.
        """
        for oid, locks in list(self._held.items()):
            for lock in [lock for lock in locks if (oid, lock.mode) not in held]:
                locks.remove(lock)
                self._close(oid, lock, now)
        strongest: dict[int, str] = {}
        for oid, mode in held:
            if STRENGTH.get(mode, 0) > _strength(strongest.get(oid)):
                strongest[oid] = mode
        # The last sample may have come after the statement's end.
        self._strongest = self._strongest | strongest if sampled else strongest
        for oid, mode in strongest.items():
            if oid in self._relations and self._matters(oid, mode, strongest):
                self._held.setdefault(oid, []).append(_Held(mode, statement, acquired, sampled))

    def release(self, now: float) -> None:
        """Take down that all locks are free: the transaction has ended."""
        for oid, locks in self._held.items():
            for lock in locks:
                self._close(oid, lock, now)
        self._held.clear()
        self._strongest = {}

    def whole(self, oid: int) -> int:
        """Return what a relation is locked as part of: of a partition the table that it is of."""
        parent = self._relations[oid].parent
        while parent is not None and _strength(self._strongest.get(parent)) >= max(
            _strength(self._strongest.get(oid)), 1
        ):
            oid, parent = parent, self._relations[parent].parent
        return oid

    def add_rewrite(self, oid: int, *, statement: int, began: float, ended: float) -> None:
        """Take down the lock that nobody saw: what was written anew was locked, ACCESS EXCLUSIVE."""
        relation, mode = self._relations[oid], ACCESS_EXCLUSIVE
        if any(
            lock.statement == statement and (lock.relation, lock.mode) == (relation.name, mode)
            for lock in self._locks
        ):
            return
        self._close(oid, _Held(mode, statement, began, sampled=True), ended)

    def locks(self) -> tuple[Lock, ...]:
        """Return all that were released, in the order of taking."""
        return tuple(sorted(self._locks, key=lambda lock: (lock.acquired, lock.statement, lock.relation)))

    def _matters(self, oid: int, mode: str, strongest: Mapping[int, str]) -> bool:
        before = max((STRENGTH[lock.mode] for lock in self._held.get(oid, ())), default=0)
        relation = self._relations[oid]
        owner = relation.parent if relation.owner is None else relation.owner
        table = _strength(strongest.get(owner)) if owner is not None else 0
        return STRENGTH[mode] > max(before, table)

    def _close(self, oid: int, lock: _Held, now: float) -> None:
        relation = self._relations[oid]
        owner = self._relations.get(relation.owner) if relation.owner is not None else None
        rows = self._rows.get((owner or relation).name)
        self._locks.append(
            Lock(relation.name, rows, lock.mode, lock.statement, lock.acquired, now, lock.sampled)
        )


def _strength(mode: str | None) -> int:
    return STRENGTH.get(mode, 0) if mode is not None else 0
