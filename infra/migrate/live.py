"""Which code is live on a database: what `apply --contract` asks before it takes anything away."""

from __future__ import annotations

from typing import TYPE_CHECKING

from infra.aws import sources
from infra.branches import identity
from infra.migrate import records
from infra.migrate.connection import TIMEOUTS, current_versions, open_connection
from infra.migrate.errors import NotLiveError
from infra.migrate.history import History, alembic_config

if TYPE_CHECKING:
    from pathlib import Path

    from api.database.connection_url import DirectUrl
    from infra.branches.identity import BranchIdentity
    from infra.config import Project


def read(url: DirectUrl, expected: BranchIdentity | None) -> records.Release | None:
    """Return the code that is live, `None` when nobody has ever said so.

    Raises:
        TargetError, MigrationError: It is another branch, or cannot be read.
    """
    with open_connection(url, TIMEOUTS) as connection:
        identity.verify(connection, expected)
        return records.live_release(connection)


def built_at(project: Project, head: str) -> sources.Revisions:
    """Return what code is built with whose head is `head`; Alembic's `head` is this checkout's.

    Raises:
        UnknownRevisionError: There is no such revision.
        HistoryError: The migrations folder is wrong.
    """
    with alembic_config(project) as config:
        revisions = History(config).upgrades((), head)
    expands = [revision.id for revision in revisions if revision.phase == "expand"]
    return sources.Revisions(
        revisions[-1].id if revisions else None,
        expands[-1] if expands else None,
        tuple(sorted(revision.id for revision in revisions)),
    )


def needed(project: Project, url: DirectUrl, to: str) -> tuple[str, ...]:
    """Return which of the revisions that a rollback to `to` would undo the live code was built with.

    Contract revisions are left out: code of the new shape works with the old one, too.

    Raises:
        UnknownRevisionError: There is no such revision, or it does not lie below.
        MigrationError: The history is broken, or the database cannot be read.
    """
    with open_connection(url, TIMEOUTS) as connection, alembic_config(project) as config:
        release = records.live_release(connection)
        undone = History(config, several_heads=True).downgrades(current_versions(connection), to)
    known = release.revisions if release else frozenset()
    return tuple(each.id for each in undone if each.phase == "expand" and each.id in known)


def record(
    url: DirectUrl,
    expected: BranchIdentity | None,
    revisions: sources.Revisions,
    artifact: Path | None,
) -> None:
    """Take down that code built with these revisions is live from now on.

    Raises:
        NotLiveError: It needs a revision that the database lacks, so it cannot be live there.
        TargetError, MigrationError: It is another branch, or cannot be written.
    """
    with open_connection(url, TIMEOUTS) as connection:
        identity.verify(connection, expected)
        needed = revisions.needed
        if needed is not None and needed not in records.applied_revisions(connection):
            message = f"code of head {revisions.head} needs revision {needed}, which the database lacks"
            raise NotLiveError(message, hint="it cannot be live here; apply first: bough migrate apply")
        text = str(artifact) if artifact is not None else None
        records.record_release(connection, revisions.head, frozenset(revisions.known), text)


def record_again(url: DirectUrl, expected: BranchIdentity | None, release: records.Release) -> None:
    """Take down that code is live again of which that was taken down before.

    Raises:
        TargetError, MigrationError: It is another branch, or cannot be written.
    """
    with open_connection(url, TIMEOUTS) as connection:
        identity.verify(connection, expected)
        records.record_release(connection, release.head, release.revisions, release.artifact)
