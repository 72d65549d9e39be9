"""All revisions, and what a database has recorded about each."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from infra.branches import identity
from infra.migrate import records
from infra.migrate.connection import TIMEOUTS, open_connection
from infra.migrate.history import History, alembic_config

if TYPE_CHECKING:
    from datetime import datetime

    from api.database.connection_url import DirectUrl
    from infra.branches.identity import BranchIdentity
    from infra.config import Project
    from infra.migrate.history import Phase


@dataclass(frozen=True, slots=True)
class Entry:
    """One revision.

    Args:
        id: Its id.
        message: The docstring's first line; `None` where this checkout has no such file.
        phase: As the file says, or as it was recorded.
        applied_at: With time zone; `None` where it is not applied.
        rehearsed: The verdict of its newest rehearsal; `None` without one.
        live: The live code was built with it.
    """

    id: str
    message: str | None
    phase: Phase
    applied_at: datetime | None
    rehearsed: str | None
    live: bool


def overview(
    project: Project, url: DirectUrl, *, expected: BranchIdentity | None = None
) -> tuple[Entry, ...]:
    """Return every revision, the oldest first; those at the end that only the database has.

    Raises:
        TargetError: It is another branch, or does not say which.
        MigrationError: The history is broken, or the database cannot be read.
    """
    with open_connection(url, TIMEOUTS) as connection:
        identity.verify(connection, expected)
        recorded = records.applied_revisions(connection)
        live = records.live_release(connection)
        rehearsed: dict[str, str] = {}
        for rehearsal in records.rehearsals(connection):
            for step in rehearsal.steps:
                rehearsed.setdefault(step["revision"], step["verdict"])
    with alembic_config(project) as config:
        history = tuple(History(config))
    known = live.revisions if live else frozenset()
    here = [(each.id, each.message, each.phase) for each in history]
    ids = {each.id for each in history}
    gone = [(id_, None, applied.phase) for id_, applied in recorded.items() if id_ not in ids]
    return tuple(
        Entry(
            id_,
            message,
            phase,
            recorded[id_].at if id_ in recorded else None,
            rehearsed.get(id_),
            id_ in known,
        )
        for id_, message, phase in [*here, *gone]
    )
