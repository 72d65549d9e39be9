"""The kit's own tables in a target database, besides `bough_revision`, which the migration environment keeps.

They say what `alembic_version` cannot: what was rehearsed, and which code is live. They belong to the
owner's role; the application's role may read them and falsify none.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from psycopg.types.json import Jsonb

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from infra.migrate.connection import Connection

TABLES: Final = ("bough_rehearsal", "bough_release", "bough_backfill", "bough_progress")

#: Rehearsals, of which the newest that fits decides.
_LOOKED_AT: Final = 100

_MAKE: Final = """
    CREATE TABLE IF NOT EXISTS bough_rehearsal (
        id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
        fingerprint text NOT NULL,
        base text,
        head text NOT NULL,
        verdict text NOT NULL,
        steps jsonb NOT NULL,
        report jsonb NOT NULL,
        rehearsed_at timestamptz NOT NULL DEFAULT now()
    );
    CREATE TABLE IF NOT EXISTS bough_release (
        id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
        head text,
        revisions text[] NOT NULL,
        artifact text,
        live_at timestamptz NOT NULL DEFAULT now()
    );
    CREATE TABLE IF NOT EXISTS bough_backfill (
        name text PRIMARY KEY,
        relation text NOT NULL,
        position jsonb NOT NULL,
        rows_done bigint NOT NULL DEFAULT 0,
        started_at timestamptz NOT NULL DEFAULT now(),
        updated_at timestamptz NOT NULL DEFAULT now(),
        finished_at timestamptz
    );
    CREATE TABLE IF NOT EXISTS bough_progress (
        revision text NOT NULL,
        position integer NOT NULL,
        undoing boolean NOT NULL,
        statement text NOT NULL,
        state text NOT NULL,
        row_count bigint,
        invalid_before oid[] NOT NULL,
        PRIMARY KEY (revision, position)
    );
    DO $$
    DECLARE
        grantee regrole;
    BEGIN
        FOR grantee IN
            SELECT DISTINCT acl.grantee FROM pg_class, aclexplode(relacl) AS acl
            WHERE oid IN (
                'bough_rehearsal'::regclass, 'bough_release'::regclass, 'bough_backfill'::regclass,
                'bough_progress'::regclass
            )
              AND acl.grantee NOT IN (0, relowner)
        LOOP
            EXECUTE 'REVOKE ALL ON bough_rehearsal, bough_release, bough_backfill, bough_progress FROM '
                || grantee;
            EXECUTE 'GRANT SELECT ON bough_rehearsal, bough_release, bough_backfill, bough_progress TO '
                || grantee;
        END LOOP;
    END
    $$
"""


@dataclass(frozen=True, slots=True)
class Release:
    """Code that serves requests.

    Args:
        head: The head revision that it was built at; `None` without migrations.
        revisions: All that it knew then.
        artifact: Folder or zip that it runs from, as its deployer gave it; `None` when unknown.
        live_at: Since when, with time zone.
    """

    head: str | None
    revisions: frozenset[str]
    artifact: str | None
    live_at: datetime


@dataclass(frozen=True, slots=True)
class RememberedRehearsal:
    """A rehearsal, as the target keeps it.

    Args:
        fingerprint: Of base, schema and revisions.
        verdict: A `findings.Verdict`.
        steps: As `rehearsal.memory.Step` has them.
        rehearsed_at: With time zone.
    """

    fingerprint: str
    verdict: str
    steps: list[dict[str, Any]]
    rehearsed_at: datetime


def make_tables(connection: Connection) -> None:
    """Make the tables that are missing. Two at once are safe: the lock of migrations is not needed."""
    with connection.transaction():
        connection.execute("SELECT pg_advisory_xact_lock(%s)", (int.from_bytes(b"bough/rc", "big"),))
        connection.execute(_MAKE)


def record_release(
    connection: Connection, head: str | None, revisions: frozenset[str], artifact: str | None
) -> None:
    """Take down that this code is live from now on; it stays since when it was, if it is live already."""
    make_tables(connection)
    connection.execute(
        """
        INSERT INTO bough_release (head, revisions, artifact)
        SELECT new.* FROM (VALUES (%s::text, %s::text[], %s::text)) AS new
        EXCEPT
        (SELECT head, revisions, artifact FROM bough_release ORDER BY id DESC LIMIT 1)
        """,
        (head, sorted(revisions), artifact),
    )


def applied_revisions(connection: Connection) -> frozenset[str]:
    """Return the ids in `bough_revision`; none where the kit has never migrated."""
    row = connection.execute("SELECT to_regclass('bough_revision') IS NULL").fetchone()
    if row is None or row[0]:
        return frozenset()
    return frozenset(revision for (revision,) in connection.execute("SELECT id FROM bough_revision"))


def live_release(connection: Connection) -> Release | None:
    """Return the code that is live, `None` when nobody has ever said so."""
    row = connection.execute("SELECT to_regclass('bough_release') IS NULL").fetchone()
    if row is None or row[0]:
        return None
    row = connection.execute(
        "SELECT head, revisions, artifact, live_at FROM bough_release ORDER BY id DESC LIMIT 1"
    ).fetchone()
    return Release(row[0], frozenset(row[1]), row[2], row[3]) if row else None


def record_rehearsal(
    connection: Connection, remembered: Mapping[str, Any], report: Mapping[str, Any]
) -> None:
    """Keep a rehearsal.

    Args:
        connection: To the target.
        remembered: Its `fingerprint`, `base`, `head`, `verdict` and `steps`.
        report: All of it, as `report.to_json` has it.
    """
    make_tables(connection)
    connection.execute(
        "INSERT INTO bough_rehearsal (fingerprint, base, head, verdict, steps, report) VALUES"
        " (%(fingerprint)s, %(base)s, %(head)s, %(verdict)s, %(steps)s, %(report)s)",
        {**remembered, "steps": Jsonb(remembered["steps"]), "report": Jsonb(report)},
    )


def rehearsals(connection: Connection) -> tuple[RememberedRehearsal, ...]:
    """Return the newest rehearsals that the database keeps, newest first."""
    row = connection.execute("SELECT to_regclass('bough_rehearsal') IS NULL").fetchone()
    if row is None or row[0]:
        return ()
    rows = connection.execute(
        "SELECT fingerprint, verdict, steps, rehearsed_at FROM bough_rehearsal ORDER BY id DESC LIMIT %s",
        (_LOOKED_AT,),
    ).fetchall()
    return tuple(RememberedRehearsal(*row) for row in rows)
