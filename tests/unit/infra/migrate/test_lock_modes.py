"""The modes of locks on tables."""

from __future__ import annotations

import pytest

from infra.migrate.lock_modes import Blocks, blocks, mode_name


class TestBlocks:
    @pytest.mark.parametrize(
        ("mode", "what", "name"),
        [
            ("AccessShareLock", Blocks.NOTHING, "ACCESS SHARE"),
            ("RowShareLock", Blocks.NOTHING, "ROW SHARE"),
            ("RowExclusiveLock", Blocks.NOTHING, "ROW EXCLUSIVE"),
            ("ShareUpdateExclusiveLock", Blocks.NOTHING, "SHARE UPDATE EXCLUSIVE"),
            ("ShareLock", Blocks.WRITES, "SHARE"),
            ("ShareRowExclusiveLock", Blocks.WRITES, "SHARE ROW EXCLUSIVE"),
            ("ExclusiveLock", Blocks.WRITES, "EXCLUSIVE"),
            ("AccessExclusiveLock", Blocks.READS_AND_WRITES, "ACCESS EXCLUSIVE"),
        ],
    )
    def test_every_mode_says_what_it_blocks_and_its_name(self, mode, what, name):
        """PostgreSQL's eight modes, by its conflict table."""
        assert blocks(mode) is what
        assert mode_name(mode) == name
