"""The modes of PostgreSQL's locks on tables, and what each keeps others from.

Its conflict table: reading needs ACCESS SHARE, writing rows ROW EXCLUSIVE
(https://www.postgresql.org/docs/current/explicit-locking.html#LOCKING-TABLES).
"""

from __future__ import annotations

import re
from enum import StrEnum
from typing import Final

#: As `pg_locks` has them, from the weakest.
MODES: Final = (
    "AccessShareLock",
    "RowShareLock",
    "RowExclusiveLock",
    "ShareUpdateExclusiveLock",
    "ShareLock",
    "ShareRowExclusiveLock",
    "ExclusiveLock",
    "AccessExclusiveLock",
)
(
    ACCESS_SHARE,
    ROW_SHARE,
    ROW_EXCLUSIVE,
    SHARE_UPDATE_EXCLUSIVE,
    SHARE,
    SHARE_ROW_EXCLUSIVE,
    EXCLUSIVE,
    ACCESS_EXCLUSIVE,
) = MODES

#: From weakest to strongest, from 1.
STRENGTH: Final = {mode: strength for strength, mode in enumerate(MODES, 1)}


class Blocks(StrEnum):
    """What others cannot do with a relation meanwhile, from least to most."""

    NOTHING = "nothing"
    WRITES = "writes"
    READS_AND_WRITES = "reads and writes"

    @property
    def rank(self) -> int:
        """0 for the least; strings do not sort as these do."""
        return list(Blocks).index(self)


def blocks(mode: str) -> Blocks:
    """Return what a lock mode keeps others from; `mode` as `pg_locks` has it."""
    if mode == ACCESS_EXCLUSIVE:
        return Blocks.READS_AND_WRITES
    return Blocks.WRITES if mode in {SHARE, SHARE_ROW_EXCLUSIVE, EXCLUSIVE} else Blocks.NOTHING


def mode_name(mode: str) -> str:
    """Return a mode of `pg_locks` as SQL and the manual write it, such as `ACCESS EXCLUSIVE`."""
    return re.sub(r"(?<=[a-z])(?=[A-Z])", " ", mode.removesuffix("Lock")).upper()
