"""Whether a preview's database is as the last run left it, and that run was of these very revisions.

Alembic is not needed for that: its import takes longer than asking.
"""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Final

from infra.branches import identity
from infra.migrate.connection import TIMEOUTS, current_versions, has_table, open_connection

if TYPE_CHECKING:
    from api.database.connection_url import DirectUrl
    from infra.branches.identity import BranchIdentity
    from infra.config import Project

#: Revisions that a preview has applied, each with the hash of its file; the row without a name is of all.
TABLE: Final = "bough_preview"
MAKE_TABLE: Final = f"CREATE TABLE IF NOT EXISTS {TABLE} (revision text PRIMARY KEY, sha256 text NOT NULL)"
ALL: Final = ""


def is_settled(project: Project, url: DirectUrl, expected: BranchIdentity) -> bool:
    """Say whether there is nothing to apply, and nothing to look at more closely.

    Raises:
        TargetError, MigrationError: It is another branch, or cannot be read.
    """
    with open_connection(url, TIMEOUTS) as connection:
        identity.verify(connection, expected)
        if not has_table(connection, TABLE):
            return False
        row = connection.execute(
            f"SELECT sha256 FROM {TABLE} WHERE revision = %s",  # noqa: S608  our own table
            (ALL,),
        ).fetchone()
        return row is not None and row[0] == _digest(project, current_versions(connection))


def settle(project: Project, url: DirectUrl) -> None:
    """Take down that the database has all of these revisions.

    Raises:
        MigrationError: It cannot be written.
    """
    with open_connection(url, TIMEOUTS) as connection, connection.transaction():
        connection.execute(MAKE_TABLE)
        connection.execute(
            f"INSERT INTO {TABLE} VALUES (%s, %s)"  # noqa: S608  as above
            " ON CONFLICT (revision) DO UPDATE SET sha256 = excluded.sha256",
            (ALL, _digest(project, current_versions(connection))),
        )


def _digest(project: Project, versions: tuple[str, ...]) -> str:
    folder = project.root / project.migrations
    files = [
        (path.relative_to(folder).as_posix(), hashlib.sha256(path.read_bytes()).hexdigest())
        for path in sorted(folder.rglob("*.py"))
    ]
    return hashlib.sha256(json.dumps([sorted(versions), files]).encode()).hexdigest()
