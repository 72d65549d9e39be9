"""The kit's own tables in a target database, besides `bough_revision`, which the migration environment keeps.

They say what `alembic_version` cannot: what was rehearsed, and which code is live. They belong to the
owner's role; the application's role may read them and falsify none.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from psycopg.types.json import Jsonb

from infra.branches import identity
from infra.migrate.catalog import Catalog
from infra.migrate.connection import has_table

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from datetime import datetime

    from infra.branches.identity import BranchIdentity
    from infra.migrate.connection import Connection
    from infra.migrate.history import Phase

_TABLES: Final = (
    "bough_rehearsal",
    "bough_schema",
    "bough_release",
    "bough_backfill",
    "bough_progress",
    "bough_first_fill",
)

#: Rehearsals that are kept: of those that fit, the newest decides.
_KEPT: Final = 100

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
    CREATE TABLE IF NOT EXISTS bough_schema (
        digest text PRIMARY KEY,
        things jsonb NOT NULL
    );
    CREATE TABLE IF NOT EXISTS bough_release (
        id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
        branch text NOT NULL,
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
    CREATE TABLE IF NOT EXISTS bough_first_fill (
        one boolean PRIMARY KEY DEFAULT true CHECK (one),
        revisions text[] NOT NULL
    );
    DO $$
    DECLARE
        grantee regrole;
    BEGIN
        FOR grantee IN
            SELECT DISTINCT acl.grantee FROM pg_class, aclexplode(relacl) AS acl
            WHERE oid = ANY ('{TABLES}'::regclass[]) AND acl.grantee NOT IN (0, relowner)
        LOOP
            EXECUTE 'REVOKE ALL ON TABLES FROM ' || grantee;
            EXECUTE 'GRANT SELECT ON TABLES TO ' || grantee;
        END LOOP;
    END
    $$
""".replace("TABLES", ", ".join(_TABLES))


@dataclass(frozen=True, slots=True)
class Applied:
    """A revision, as the database has recorded it.

    Args:
        phase: That it declared.
        at: When its transaction began, with time zone.
    """

    phase: Phase
    at: datetime


#: All but the newest rehearsals, and the schemas that none of those has seen.
_FORGET: Final = """
    WITH old AS (
        DELETE FROM bough_rehearsal
        WHERE id <= (SELECT id FROM bough_rehearsal ORDER BY id DESC OFFSET %s LIMIT 1)
        RETURNING id
    )
    DELETE FROM bough_schema WHERE EXISTS (SELECT FROM old) AND digest NOT IN (
        SELECT step ->> 'schema' FROM bough_rehearsal, jsonb_array_elements(steps) AS step
        WHERE step ->> 'schema' IS NOT NULL AND id NOT IN (SELECT id FROM old)
    )
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
    """Take down that this code is live from now on; it stays since when it was, if it is live already.

    Counts for the branch that the connection is to, and not for those that its data is copied to.
    """
    make_tables(connection)
    branch = _named(identity.verify(connection, None))
    connection.execute(
        """
        INSERT INTO bough_release (branch, head, revisions, artifact)
        SELECT new.* FROM (VALUES (%s::text, %s::text, %s::text[], %s::text)) AS new
        EXCEPT
        (SELECT branch, head, revisions, artifact FROM bough_release ORDER BY id DESC LIMIT 1)
        """,
        (branch, head, sorted(revisions), artifact),
    )
    end_first_fill(connection)


def live_release(connection: Connection) -> Release | None:
    """Return the code that is live on this branch, `None` when nobody has ever said so."""
    branch = identity.read(connection)
    if branch is None or not has_table(connection, "bough_release"):
        return None
    row = connection.execute(
        "SELECT head, revisions, artifact, live_at FROM bough_release WHERE branch = %s"
        " ORDER BY id DESC LIMIT 1",
        (_named(branch),),
        binary=True,
    ).fetchone()
    return Release(row[0], frozenset(row[1]), row[2], row[3]) if row else None


def applied_revisions(connection: Connection) -> dict[str, Applied]:
    """Return what is in `bough_revision`, the oldest first; nothing where the kit has never migrated."""
    if not has_table(connection, "bough_revision"):
        return {}
    # Binary here and below: as text, times have any form that the role's DateStyle asks for.
    rows = connection.execute(
        "SELECT id, phase, applied_at FROM bough_revision ORDER BY applied_at, id", binary=True
    )
    return {revision: Applied(phase, at) for revision, phase, at in rows}


def begin_first_fill(connection: Connection, revisions: Sequence[str]) -> None:
    """Take down up to where an empty database is being filled: nobody's code can be live until it is."""
    make_tables(connection)
    connection.execute(
        "INSERT INTO bough_first_fill (revisions) VALUES (%s)"
        " ON CONFLICT (one) DO UPDATE SET revisions = excluded.revisions",
        (list(revisions),),
    )


def end_first_fill(connection: Connection) -> None:
    """Forget it."""
    connection.execute("DELETE FROM bough_first_fill")


def first_fill(connection: Connection) -> frozenset[str]:
    """Return what an interrupted run was filling an empty database with; nothing where none was."""
    if not has_table(connection, "bough_first_fill"):
        return frozenset()
    row = connection.execute("SELECT revisions FROM bough_first_fill").fetchone()
    return frozenset(row[0]) if row else frozenset()


def record_rehearsal(
    connection: Connection,
    remembered: Mapping[str, Any],
    report: Mapping[str, Any],
    schemas: Iterable[Catalog],
) -> None:
    """Keep a rehearsal, and forget the oldest.

    Args:
        connection: To the target, in autocommit.
        remembered: Its `fingerprint`, `base`, `head`, `verdict` and `steps`.
        report: All of it, as `report.to_json` has it.
        schemas: Those whose digests its steps have: they tell what has changed since.
    """
    make_tables(connection)
    with connection.transaction():
        for schema in schemas:
            connection.execute(
                "INSERT INTO bough_schema VALUES (%s, %s) ON CONFLICT DO NOTHING",
                (schema.digest, Jsonb(schema.to_json())),
            )
        connection.execute(
            "INSERT INTO bough_rehearsal (fingerprint, base, head, verdict, steps, report) VALUES"
            " (%(fingerprint)s, %(base)s, %(head)s, %(verdict)s, %(steps)s, %(report)s)",
            {**remembered, "steps": Jsonb(remembered["steps"]), "report": Jsonb(report)},
        )
        connection.execute(_FORGET, (_KEPT,))


def schema(connection: Connection, digest: str) -> Catalog | None:
    """Return a schema that a rehearsal has seen; `None` when that was forgotten."""
    if not has_table(connection, "bough_schema"):
        return None
    row = connection.execute("SELECT things FROM bough_schema WHERE digest = %s", (digest,)).fetchone()
    return Catalog.from_json(row[0]) if row else None


def rehearsals(connection: Connection) -> tuple[RememberedRehearsal, ...]:
    """Return the newest rehearsals that the database keeps, newest first."""
    if not has_table(connection, "bough_rehearsal"):
        return ()
    rows = connection.execute(
        "SELECT fingerprint, verdict, steps, rehearsed_at FROM bough_rehearsal ORDER BY id DESC LIMIT %s",
        (_KEPT,),
        binary=True,
    ).fetchall()
    return tuple(RememberedRehearsal(*row) for row in rows)


def _named(branch: BranchIdentity) -> str:
    return f"{branch.provider}/{branch.project_id}/{branch.branch_id}"
