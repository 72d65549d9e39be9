"""The revisions that one set of changes is divided into."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING

from alembic.operations.ops import ExecuteSQLOp
from sqlalchemy.dialects import postgresql

if TYPE_CHECKING:
    from collections.abc import Sequence

    from alembic.operations.ops import MigrateOperation

    from infra.migrate.history import Phase

_PREPARER = postgresql.dialect().identifier_preparer  # type: ignore[no-untyped-call]


class Part(Enum):
    """One revision, in the order of running; the value is what its message ends with.

    A constraint is validated in another revision than the one that adds it, since each is one
    transaction: the lock of adding it would be held for as long as the table is scanned. An enum's
    label can be used only after the transaction that adds it.
    """

    EXPAND_LABELS = "labels"
    EXPAND = ""
    EXPAND_INDEXES = "indexes"
    EXPAND_VALIDATE = "validate"
    CONTRACT_INDEXES = "contract indexes"
    CONTRACT = "contract"
    CONTRACT_VALIDATE = "contract validate"

    @property
    def phase(self) -> Phase:
        """What the revision declares."""
        return "contract" if self.name.startswith("CONTRACT") else "expand"

    @property
    def is_irreversible(self) -> bool:
        """Whether there is no way back: PostgreSQL takes no label away from an enum."""
        return self is Part.EXPAND_LABELS

    @property
    def is_autocommit(self) -> bool:
        """Whether its statements run outside of transactions."""
        return self.name.endswith("INDEXES")


@dataclass(frozen=True, slots=True)
class Change:
    """Operations of one part with what undoes them, both in the order of running.

    Args:
        part: Where they go.
        up: What is done.
        down: What undoes it.
        scans: They take as long as the table is large, so they come before what locks other tables.
    """

    part: Part
    up: Sequence[MigrateOperation]
    down: Sequence[MigrateOperation] = ()
    scans: bool = False


def quoted(name: str, schema: str | None = None) -> str:
    """Return a name as SQL has it, qualified where it has a schema."""
    return ".".join(_PREPARER.quote(each) for each in (schema, name) if each)


def validated(part: Part, constraint: str, table: str, schema: str | None) -> Change:
    """Return the scan that makes a constraint valid which was added NOT VALID.

    Not undone: a constraint that is dropped next need not be valid.
    """
    sql = f"ALTER TABLE {quoted(table, schema)} VALIDATE CONSTRAINT {quoted(constraint)}"
    return Change(part, [ExecuteSQLOp(sql)], scans=True)
