"""A database beside the code: what is applied, what is pending, and what waits."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from infra.migrate import order, phases, progress, records
from infra.migrate.connection import TIMEOUTS, current_versions, open_connection
from infra.migrate.history import History, Revision, alembic_config

if TYPE_CHECKING:
    from api.database.connection_url import DirectUrl
    from infra.config import Project
    from infra.migrate.connection import Connection


@dataclass(frozen=True, slots=True)
class Status:
    """A database beside the code.

    Args:
        current: What `alembic_version` holds; more than one only while a merge is pending.
        head: The newest revision of the code; `None` without any.
        pending: What is not applied, in order.
        unknown: Those of `current` that the code does not have: the database is ahead of it.
        allowed: Which of `pending` `apply` would run, which not yet, and why.
        half_done: Ids of revisions that an interrupted run has left half applied or half undone.
        live: The code that is live; `None` when nobody has said so.
        rehearsal: The last one; `None` without any.
    """

    current: tuple[str, ...]
    head: str | None
    pending: tuple[Revision, ...]
    unknown: tuple[str, ...]
    allowed: phases.Allowed
    half_done: tuple[str, ...]
    live: records.Release | None
    rehearsal: records.RememberedRehearsal | None


def status(project: Project, url: DirectUrl) -> Status:
    """Compare a database with the code; takes no lock and changes nothing.

    Raises:
        MigrationError: The history is broken, or the database cannot be read.
    """
    with open_connection(url, TIMEOUTS) as connection, alembic_config(project) as config:
        history = History(config)
        current = current_versions(connection)
        unknown = history.unknown(current)
        pending = () if unknown else _pending(connection, history, current)
        live = records.live_release(connection)
        allowed = phases.allowed(
            pending, applied=current, live=live, contract=False, first_fill=records.first_fill(connection)
        )
        half_done = tuple(sorted(progress.load(connection)))
        rehearsal = next(iter(records.rehearsals(connection)), None)
        return Status(current, history.head, pending, unknown, allowed, half_done, live, rehearsal)


def _pending(connection: Connection, history: History, current: tuple[str, ...]) -> tuple[Revision, ...]:
    if order.find(connection, history) is None:
        return history.upgrades(current, "head")
    applied = records.applied_revisions(connection)
    return tuple(revision for revision in history if revision.id not in applied)
