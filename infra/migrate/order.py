"""Databases that were migrated in another order than the history has now.

`bough migrate rebase` puts expand revisions before contracts that wait at the target. Where those contracts
were applied already, as in every local world, an expand is then missing below the newest revision. Alembic
knows the newest alone, and takes all below it for applied; `bough_revision` has each one.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import takewhile
from typing import TYPE_CHECKING, Final

from infra.migrate import records
from infra.migrate.connection import current_versions
from infra.migrate.errors import ReorderedError

if TYPE_CHECKING:
    from infra.migrate.connection import Connection
    from infra.migrate.history import History, Revision

# What is out of order cannot be rehearsed.
_HINT: Final = (
    "bring it into order with: bough migrate apply; where rehearsals are required,"
    " with --no-require-rehearsal"
)


@dataclass(frozen=True, slots=True)
class Gap:
    """The first place where a database lacks what later ones follow.

    Args:
        below: The last revision up to which all are applied; `None` for none.
        missing: Revisions that follow it and are not applied. None are where all is there, and only
            `alembic_version` names one in the middle.
    """

    below: str | None
    missing: tuple[Revision, ...]


def find(connection: Connection, history: History) -> Gap | None:
    """Return where a database is out of order, `None` where it is not.

    Only `bough_revision` can tell. It is believed where it has what `alembic_version` names: else somebody
    has migrated without it, and Alembic is right.
    """
    versions, recorded = current_versions(connection), records.applied_revisions(connection)
    if len(versions) != 1 or versions[0] not in recorded or not history.is_line:
        return None
    newest, order = versions[0], tuple(history)
    known = {each.id for each in order if each.id in recorded}
    if newest not in known or known == history.applied(versions):
        return None
    whole = [each.id for each in takewhile(lambda each: each.id in recorded, order)]
    below = whole[-1] if whole else None
    if len(whole) < len(known):
        missing = takewhile(lambda each: each.id not in recorded, order[len(whole) :])
        return Gap(below, tuple(missing))
    # What came later than the newest was undone by hand.
    above = whole[whole.index(newest) + 1 :]
    undone = any(recorded[each].at >= recorded[newest].at for each in above)
    return None if undone else Gap(below, ())


def require(connection: Connection, history: History) -> None:
    """Refuse a database that is out of order.

    Raises:
        ReorderedError: It is.
    """
    gap = find(connection, history)
    if gap is not None:
        names = ", ".join(each.id for each in gap.missing)
        what = f"{names} was put before what is applied already" if names else "its revisions changed places"
        message = f"the database was migrated in another order than the history has now: {what}"
        raise ReorderedError(message, hint=_HINT)


def point_at(connection: Connection, revision: str | None) -> None:
    """Let `alembic_version` name another revision; the connection is in autocommit."""
    with connection.transaction():
        connection.execute("DELETE FROM alembic_version")
        if revision is not None:
            connection.execute("INSERT INTO alembic_version (version_num) VALUES (%s)", (revision,))
