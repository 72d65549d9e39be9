"""Whether a schema still fits code that was built earlier: what a rollback asks before it moves anything."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from infra.branches import identity
from infra.migrate import records
from infra.migrate.connection import TIMEOUTS, open_connection
from infra.migrate.history import History, alembic_config

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from api.database.connection_url import DirectUrl
    from infra.branches.identity import BranchIdentity
    from infra.config import Project
    from infra.migrate.history import Revision
    from infra.migrate.records import Applied


class Fit(StrEnum):
    """Whether code works with a schema."""

    YES = "yes"
    NO = "no"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Judgement:
    """Whether it does, and why not, or why that is not known."""

    fit: Fit
    why: str | None = None


@dataclass(frozen=True, slots=True)
class Schema:
    """What a database has, and the history that code was built from.

    Args:
        history: Of this checkout, from the oldest revision to the newest.
        applied: What the database has recorded, by id.
    """

    history: Sequence[Revision]
    applied: Mapping[str, Applied]

    def judge(self, head: str | None, needed: str | None) -> Judgement:
        """Return whether code works with this schema.

        It lacks nothing of what it needs, and nothing was taken away that it does not know of.

        Args:
            head: The head revision that the code was built at; `None` without migrations.
            needed: The newest expand revision then.
        """
        if needed is not None and not self.applied:
            return Judgement(Fit.UNKNOWN, "the database has no record of what was applied")
        if needed is not None and needed not in self.applied:
            return Judgement(Fit.NO, f"it needs revision {needed}, which the database lacks")
        ids = [revision.id for revision in self.history]
        if head is not None and head not in ids:
            return Judgement(Fit.UNKNOWN, f"this checkout lacks its head revision {head}")
        known = ids[: ids.index(head) + 1] if head is not None else []
        for id_, applied in self.applied.items():
            if applied.phase == "contract" and id_ not in known:
                if id_ not in ids:
                    why = f"this checkout lacks contract revision {id_}, which the database has"
                    return Judgement(Fit.UNKNOWN, why)
                return Judgement(Fit.NO, f"contract revision {id_} was applied, which it does not know")
        return Judgement(Fit.YES)


def read(project: Project, url: DirectUrl, expected: BranchIdentity | None) -> Schema:
    """Read what a database has.

    Raises:
        TargetError, MigrationError: It is another branch, or cannot be read.
        HistoryError: The migrations folder is wrong.
    """
    with alembic_config(project) as config:
        history = tuple(History(config, several_heads=True))
    with open_connection(url, TIMEOUTS) as connection:
        identity.verify(connection, expected)
        return Schema(history, records.applied_revisions(connection))
