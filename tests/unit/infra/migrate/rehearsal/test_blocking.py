"""How long a relation was blocked, from the locks that were held on it."""

from __future__ import annotations

from infra.migrate.lock_modes import Blocks
from infra.migrate.rehearsal.blocking import blocked
from infra.migrate.rehearsal.results import Lock


def lock(mode, acquired, released, relation="public.users"):
    return Lock(relation, 1000, mode, 0, acquired, released)


class TestBlocked:
    def test_weak_locks_block_nothing(self):
        """What readers and writers pass is not told."""
        assert blocked([lock("ShareUpdateExclusiveLock", 0, 5), lock("RowExclusiveLock", 0, 5)]) == ()

    def test_locks_that_overlap_are_one_time(self):
        """Two in one transaction do not count twice, and two transactions are two times."""
        held = [
            lock("AccessExclusiveLock", 0, 2),
            lock("AccessExclusiveLock", 1, 3),
            lock("AccessExclusiveLock", 4, 4.5),
        ]
        assert [(each.began, each.seconds) for each in blocked(held)] == [(0, 3), (4, 0.5)]

    def test_short_block_of_reads_inside_a_long_one_of_writes(self):
        """Writes waited for all of it, reads for their part: the one is not taken for the other."""
        held = [lock("ShareLock", 0, 10), lock("AccessExclusiveLock", 9, 10)]
        found = [(each.blocks, each.mode, each.seconds) for each in blocked(held)]
        assert found == [
            (Blocks.WRITES, "ShareLock", 10),
            (Blocks.READS_AND_WRITES, "AccessExclusiveLock", 1),
        ]

    def test_relations_are_apart_and_the_longest_comes_first(self):
        """Each relation has a time of its own."""
        held = [lock("ShareLock", 0, 1, "public.a"), lock("ShareLock", 0, 2, "public.b")]
        assert [each.relation for each in blocked(held)] == ["public.b", "public.a"]
