"""Which revisions the database of a pull request has, and whether they are still those of its code.

A copy of a schema has tables and no rows, so it does not say at which revision it is: it is told what its
parent has. Revisions of a pull request are edited, and put behind others, after a preview has applied them.
Alembic would take the old ones for the new ones; here each is remembered with the hash of its file.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from infra.branches import identity
from infra.migrate import progress
from infra.migrate.connection import TIMEOUTS, current_versions, has_table, open_connection
from infra.migrate.history import History, alembic_config
from infra.migrate.settled import ALL, MAKE_TABLE, TABLE

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from api.database.connection_url import DirectUrl
    from infra.branches.identity import BranchIdentity
    from infra.config import Project
    from infra.migrate.connection import Connection

#: Tables that an application has made.
_TABLES: Final = """
    SELECT EXISTS (
        SELECT FROM pg_tables
        WHERE schemaname = 'public' AND tablename <> 'alembic_version' AND tablename NOT LIKE 'bough\\_%'
    )
"""


@dataclass(frozen=True, slots=True)
class Inheritance:
    """What a database says of its revisions.

    Args:
        versions: What `alembic_version` holds.
        recorded: The rows of `bough_revision`.
    """

    versions: tuple[str, ...]
    recorded: tuple[tuple[Any, ...], ...]


def inheritance(url: DirectUrl, expected: BranchIdentity) -> Inheritance:
    """Return what a branch leaves to copies of its schema.

    Raises:
        TargetError, MigrationError: It is another branch, or cannot be read.
    """
    with open_connection(url, TIMEOUTS) as connection:
        identity.verify(connection, expected)
        recorded: tuple[tuple[Any, ...], ...] = ()
        if has_table(connection, "bough_revision"):
            rows = connection.execute("SELECT id, phase, applied_at FROM bough_revision", binary=True)
            recorded = tuple(sorted(rows.fetchall()))
        return Inheritance(current_versions(connection), recorded)


def inherit(url: DirectUrl, expected: BranchIdentity, given: Inheritance) -> None:
    """Tell a copy of a schema at which revision it is; one without tables is left as it is.

    Raises:
        TargetError, MigrationError: It is another branch, or cannot be written.
    """
    with open_connection(url, TIMEOUTS) as connection:
        identity.verify(connection, expected)
        if not _is_unsaid(connection):
            return
        with connection.transaction(), connection.cursor() as cursor:
            cursor.executemany(
                "INSERT INTO alembic_version VALUES (%s)", [(version,) for version in given.versions]
            )
            if has_table(connection, "bough_revision"):
                cursor.executemany(
                    "INSERT INTO bough_revision (id, phase, applied_at) VALUES (%s, %s, %s)"
                    " ON CONFLICT DO NOTHING",
                    given.recorded,
                )


def strayed(project: Project, url: DirectUrl, expected: BranchIdentity) -> str | None:
    """Return why no revision leads from a database to the code's, `None` where one may; changes nothing.

    Raises:
        TargetError, MigrationError: It is another branch, cannot be read, or the history is broken.
    """
    with open_connection(url, TIMEOUTS) as connection, alembic_config(project) as config:
        identity.verify(connection, expected)
        return _why_strayed(connection, History(config), current_versions(connection))


def remember(project: Project, url: DirectUrl, revisions: Iterable[str]) -> None:
    """Take down of which files the revisions were that have just been applied.

    Raises:
        MigrationError: It cannot be written.
    """
    with open_connection(url, TIMEOUTS) as connection, alembic_config(project) as config:
        files = {each.id: each.path for each in History(config)}
        rows = [(revision, _sha256(files[revision])) for revision in revisions]
        with connection.transaction(), connection.cursor() as cursor:
            cursor.execute(MAKE_TABLE)
            cursor.executemany(
                f"INSERT INTO {TABLE} VALUES (%s, %s)"  # noqa: S608  our own table
                " ON CONFLICT (revision) DO UPDATE SET sha256 = excluded.sha256",
                rows,
            )


def _why_strayed(connection: Connection, history: History, versions: tuple[str, ...]) -> str | None:
    if unknown := history.unknown(versions):
        return f"it has {', '.join(unknown)}, which this code does not have"
    if _is_unsaid(connection):
        return "it was left half made"
    if half_done := sorted(progress.load(connection)):
        return f"{', '.join(half_done)} was left half applied"
    if not has_table(connection, TABLE):
        return None
    files = {each.id: each.path for each in history}
    remembered = connection.execute(
        f"SELECT revision, sha256 FROM {TABLE} WHERE revision <> %s ORDER BY revision",  # noqa: S608  as above
        (ALL,),
    ).fetchall()
    changed = [
        revision
        for revision, sha256 in remembered
        if revision not in files or sha256 != _sha256(files[revision])
    ]
    return f"{', '.join(changed)} has changed since it was applied" if changed else None


def _is_unsaid(connection: Connection) -> bool:
    """Say whether there are tables of which nothing says what has made them."""
    if not has_table(connection, "alembic_version") or current_versions(connection):
        return False
    row = connection.execute(_TABLES).fetchone()
    return bool(row and row[0])


def _sha256(file: Path) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()
