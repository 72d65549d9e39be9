"""Where a database, its revisions and the models no longer say the same.

Two comparisons, because either alone leaves something out. The *database* is held against a database
that has the same revisions and nothing else: that finds whatever somebody changed by hand, be it a
policy, a trigger or a right, which models cannot say. The *models* are held against what all revisions
make: that finds what no revision was written for.
"""

from __future__ import annotations

import textwrap
from contextlib import nullcontext
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Final

from infra.branches import identity
from infra.local.throwaway import throwaway_cluster
from infra.migrate import models, runner
from infra.migrate.catalog import Catalog, Difference, differences, snapshot
from infra.migrate.connection import TIMEOUTS, current_versions, open_connection
from infra.migrate.drift_undo import undo
from infra.migrate.errors import MigrationError, ReferenceImpossibleError
from infra.migrate.history import History, alembic_config
from infra.migrate.reference import Surroundings, make_reference

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from api.database.connection_url import DirectUrl
    from infra.branches.identity import BranchIdentity
    from infra.config import Project
    from infra.local.postgres import PostgresCluster


#: Characters of a value in a sentence.
_LONGEST: Final = 100


class Side(StrEnum):
    """What says something else than the revisions."""

    DATABASE = "database"
    MODELS = "models"


@dataclass(frozen=True, slots=True)
class Drift:
    """One difference.

    Args:
        side: Who differs from the revisions.
        difference: `before` is as the revisions have it, `after` as the side has it.
        undo: SQL, statement by statement, that makes the database what the revisions say; none where that
            is not easily told or would lose rows, and none for the models.
    """

    side: Side
    difference: Difference
    undo: tuple[str, ...] = ()

    def __str__(self) -> str:
        """Return one sentence."""
        found = self.difference
        what, by = f"{found.kind} {found.what}", f"in the {self.side}"
        if found.aspect is not None:
            return f"{what}: {found.aspect} is {_shown(found.after)} {by}, {_shown(found.before)} by revision"
        return f"{what} is {by} and in no revision" if found.before is None else f"{what} is not {by}"

    @property
    def advice(self) -> str:
        """What to do about it."""
        if self.side is Side.MODELS:
            return "write a revision: bough migrate new"
        if not self.undo:
            return "write what was done by hand into a revision: bough migrate new --empty"
        short = textwrap.shorten(" ".join(self.undo), 2 * _LONGEST, placeholder=" …")
        return f"write it into a revision: bough migrate new --empty; or undo it: {short}"


def drift(
    project: Project,
    url: DirectUrl,
    *,
    announce: Callable[[str], None],
    expected: BranchIdentity | None = None,
    cluster: PostgresCluster | None = None,
) -> tuple[Drift, ...]:
    """Compare a database with its revisions, and the models with all of them; the database is only read.

    Args:
        project: Whose revisions and models.
        url: The database, as any role that may read `alembic_version`.
        expected: The branch that it must be; without one it may be any database.
        announce: Is told what is compared, and what cannot be.
        cluster: A server of this machine that may be filled; without one a server is started for this alone.

    Raises:
        TargetError: It is another branch.
        DatabaseAheadError: The database has revisions that this code does not know.
        ReferenceImpossibleError: The revisions do not run on an empty database of this machine.
        MigrationError: The history is broken, or the database cannot be read.
    """
    with open_connection(url, TIMEOUTS) as connection:
        if expected is not None:
            identity.verify(connection, expected)
        versions = current_versions(connection)
        with alembic_config(project) as config:
            history = History(config)
            history.applied(versions)  # refuses a database that is ahead
            pending = history.upgrades(versions, "head") if history.head else ()
        around, actual = Surroundings.read(connection), snapshot(connection)
    if pending:
        announce(f"Not applied, and no drift: {', '.join(revision.id for revision in pending)}")
    with nullcontext(cluster) if cluster else throwaway_cluster(project.root) as server:
        reference = make_reference(project, server, around)
        _run(project, reference, versions[0] if versions else None)
        with open_connection(reference, TIMEOUTS) as connection:
            by_revisions = snapshot(connection)
            local = Surroundings.read(connection).version
        if local != around.version:
            announce(f"The database is PostgreSQL {around.version}, this machine's {local}: texts may differ")
        _run(project, reference, history.head)
        return (
            *_of_database(by_revisions, actual),
            *(Drift(Side.MODELS, each) for each in models.compare(project, reference)),
        )


def _run(project: Project, reference: DirectUrl, revision: str | None) -> None:
    if revision is None:
        return
    try:
        runner.apply(project, reference, revision=revision, unused=True)
    except MigrationError as error:
        raise ReferenceImpossibleError(
            f"the revisions do not run on an empty PostgreSQL of this machine: {error}",
            hint="drift needs them to; is an extension or a role missing here?",
        ) from error


def _of_database(expected: Catalog, actual: Catalog) -> Iterable[Drift]:
    for each in differences(expected, actual):
        # Extensions, and schemas for them, are a provider's own doing as often as a revision's.
        if each.before is None and each.aspect is None and each.kind in {"extension", "schema"}:
            continue
        yield Drift(Side.DATABASE, each, undo(each, expected))


def _shown(value: str | None) -> str:
    """Return a value that fits into a sentence; a function's definition has many lines."""
    return "not set" if value is None else textwrap.shorten(value, _LONGEST, placeholder=" …")
