"""What a target remembers of its rehearsals, and whether they hold for what is about to be applied.

A rehearsal is kept as its steps: for each revision the database's version and schema before it, what its
file held, and how large the tables were that it works on. It holds for whatever lies in a row among its
steps, so also for what an interrupted run has left, and for the expand revisions of a rehearsal that went
on to a contract.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field, replace
from datetime import UTC
from itertools import zip_longest
from typing import TYPE_CHECKING, Final

from infra.migrate import progress, records
from infra.migrate.catalog import differences, listed, snapshot
from infra.migrate.connection import current_versions
from infra.migrate.errors import (
    RehearsalMissingError,
    RehearsalStaleError,
    RehearsalUnsafeError,
)
from infra.migrate.findings import Verdict
from infra.migrate.sizes import estimated_rows

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from infra.config import Project
    from infra.migrate.connection import Connection
    from infra.migrate.history import Revision
    from infra.migrate.records import RememberedRehearsal

_HINT: Final = "run: bough migrate rehearse"

#: So many times as many rows are another table.
_GROWTH: Final = 2


@dataclass(frozen=True, slots=True)
class Step:
    """A revision, and the state that it was rehearsed from.

    Args:
        base: What `alembic_version` held before it; `None` for nothing.
        schema: Digest of the catalog before it; `None` where that was not seen, or where the revision is
            half applied.
        revision: Its id.
        content: Digest of its file.
        shared: Digest of what revisions share.
        rows: Of tables, by qualified name: of a rehearsal, those that the revision works on; of what is
            about to be applied, all that are large.
        verdict: A `findings.Verdict`, once it was rehearsed.
    """

    base: str | None
    schema: str | None
    revision: str
    content: str
    shared: str = ""
    rows: Mapping[str, int] = field(default_factory=dict)
    verdict: str | None = None


def base_of(versions: Sequence[str]) -> str | None:
    """Return a database's versions as one word; they are several only while a merge is pending."""
    return ",".join(sorted(versions)) or None


def steps(
    project: Project, plan: Sequence[Revision], versions: Sequence[str], schemas: Sequence[str | None]
) -> tuple[Step, ...]:
    """Return the steps of a plan, not judged yet, and without rows.

    Args:
        project: Whose revisions.
        plan: In the order of running.
        versions: Of the database before the first.
        schemas: Digests of the catalog before each of them; those that are left out were not seen.
    """
    bases = [base_of(versions), *(revision.id for revision in plan)]
    shared = _shared(project.root / project.migrations)
    return tuple(
        Step(base, schema, revision.id, hashlib.sha256(revision.path.read_bytes()).hexdigest(), shared)
        for base, schema, revision in zip_longest(bases[:-1], schemas, plan)
    )


def fingerprint(taken: Sequence[Step]) -> str:
    """Return what identifies a rehearsal: base, schema there, revisions and what their files held."""
    first = taken[0]
    document = [first.base, first.schema, first.shared, [(step.revision, step.content) for step in taken]]
    return hashlib.sha256(json.dumps(document).encode()).hexdigest()


def _shared(migrations: Path) -> str:
    """Return the digest of the Python and SQL beside the revisions, such as `operations.py` and `env.py`."""
    found = hashlib.sha256()
    for path in sorted(migrations.rglob("*")):
        within = path.relative_to(migrations)
        if path.suffix in {".py", ".sql"} and within.parts[0] != "versions":
            found.update(f"{within} {hashlib.sha256(path.read_bytes()).hexdigest()}\n".encode())
    return found.hexdigest()


def guard(project: Project, *, allow_unsafe: bool) -> Callable[[Connection, tuple[Revision, ...]], None]:
    """Return what `runner.apply` asks, under its lock, before it runs a plan: `require`, for its database.

    Where nothing was ever applied, no code can be live, and nothing need be rehearsed. The schema in the
    middle of a revision that was interrupted is nobody's to compare: it was compared before that began.
    """

    def refuse(connection: Connection, plan: tuple[Revision, ...]) -> None:
        if versions := current_versions(connection):
            begun = plan[0].id in progress.load(connection)
            schema = snapshot(connection)
            first, *others = steps(project, plan, versions, [None if begun else schema.digest])
            sizes = estimated_rows(connection)
            large = {name: rows for name, rows in sizes.items() if rows >= project.migrate.large_table}

            def changes(digest: str) -> str:
                then = records.schema(connection, digest)
                return listed(differences(then, schema)) if then is not None else "how is not known any more"

            require(
                [replace(first, rows=large), *others],
                records.rehearsals(connection),
                allow_unsafe=allow_unsafe,
                changes=changes,
            )

    return refuse


def require(
    wanted: Sequence[Step],
    remembered: Sequence[RememberedRehearsal],
    *,
    allow_unsafe: bool,
    changes: Callable[[str], str],
) -> None:
    """Refuse what was not rehearsed as it is now.

    Args:
        wanted: The steps that are about to be taken; only the first needs a schema and rows.
        remembered: The target's rehearsals, newest first.
        allow_unsafe: One that found them unsafe is enough.
        changes: Tells what has changed since the schema of a digest.

    Raises:
        RehearsalMissingError: None has these revisions.
        RehearsalStaleError: The schema, the base, a file or the size of a table is not as it was.
        RehearsalUnsafeError: The newest that holds found them unsafe.
    """
    stale: str | None = None
    for rehearsal in remembered:
        same = _same(wanted, [Step(**step) for step in rehearsal.steps])
        why = _drift(wanted, same, changes) if same else None
        if same and why is None:
            unsafe = [step.revision for step in same if step.verdict == Verdict.UNSAFE]
            if allow_unsafe or not unsafe:
                return
            when = rehearsal.rehearsed_at.astimezone(UTC)
            message = f"the rehearsal of {when:%Y-%m-%d %H:%M} UTC found {', '.join(unsafe)} unsafe"
            raise RehearsalUnsafeError(
                message, hint="mend it and rehearse again; if it is meant all the same, add --allow-unsafe"
            )
        stale = stale or why
    names = ", ".join(step.revision for step in wanted)
    if stale is None:
        message = f"{names} must be rehearsed before it is applied, and was not"
        raise RehearsalMissingError(message, hint=_HINT)
    raise RehearsalStaleError(f"the rehearsal of {names} no longer holds: {stale}", hint=_HINT)


def _same(wanted: Sequence[Step], taken: Sequence[Step]) -> Sequence[Step]:
    """Return the steps of a rehearsal that begin with the wanted revision; none where it has not that."""
    begin = next((i for i, step in enumerate(taken) if step.revision == wanted[0].revision), len(taken))
    return taken[begin : begin + len(wanted)]


def _drift(wanted: Sequence[Step], same: Sequence[Step], changes: Callable[[str], str]) -> str | None:
    """Return what is not as it was when the revisions were rehearsed."""
    now, then = wanted[0], same[0]
    ids, theirs = ([step.revision for step in each] for each in (wanted, same))
    if ids != theirs:
        return f"{', '.join(theirs)} was rehearsed, not {', '.join(ids)}"
    if now.base != then.base:
        return f"the database is at {now.base or 'base'}, and was at {then.base or 'base'}"
    pairs = zip(wanted, same, strict=True)
    edited = [step.revision for step, other in pairs if step.content != other.content]
    if edited:
        return f"edited since: {', '.join(edited)}"
    if now.shared != then.shared:
        return "edited since: what revisions share, in the migrations folder"
    return _change(now, then, changes) or _growth(now.rows, same)


def _change(now: Step, then: Step, changes: Callable[[str], str]) -> str | None:
    """Return how the schema is another one."""
    if now.schema in {None, then.schema}:
        return None
    if then.schema is None:
        return f"how the schema is before {now.revision} was not seen then"
    return f"the database's schema has changed since: {changes(then.schema)}"


def _growth(large: Mapping[str, int], same: Sequence[Step]) -> str | None:
    """Return which table has grown: time and verdict went by its size."""
    for step in same:
        for table, rows in step.rows.items():
            if large.get(table, 0) >= max(_GROWTH * rows, 1):
                return f"{table} has grown from {rows:,} to {large[table]:,} rows"
    return None
