"""What a target is now, and what of the history would run on it: the start of a rehearsal."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from infra.branches import identity
from infra.migrate import catalog, order, phases, records
from infra.migrate.connection import TIMEOUTS, current_versions, open_connection
from infra.migrate.history import History, alembic_config
from infra.migrate.sizes import estimated_rows

if TYPE_CHECKING:
    from api.database.connection_url import DirectUrl
    from infra.branches.identity import BranchIdentity
    from infra.config import Project
    from infra.migrate.catalog import Catalog
    from infra.migrate.history import Revision
    from infra.migrate.records import Release
    from infra.migrate.rehearsal.fork import Forking


@dataclass(frozen=True, slots=True)
class Target:
    """A database, which branch it must be, and how it is forked.

    Args:
        url: As its owner.
        expected: `None` when any branch will do that says which it is.
        fork: Makes the database that stands for it.
    """

    url: DirectUrl
    expected: BranchIdentity | None
    fork: Forking


@dataclass(frozen=True, slots=True)
class Outlook:
    """A target as it was found.

    Args:
        identity: What it has proven to be.
        versions: What `alembic_version` holds.
        catalog: Its schema.
        plan: What would run, in this order.
        held_back: What waits, beginning with a contract revision.
        why: One sentence about that.
        live: The code that serves requests, if that was recorded.
        sizes: Rows by qualified name of table, as the planner estimates them.
        head: The newest revision of the code.
        later: Revisions that the code needs, and that neither have run nor are in the plan.
    """

    identity: BranchIdentity
    versions: tuple[str, ...]
    catalog: Catalog
    plan: tuple[Revision, ...]
    held_back: tuple[Revision, ...]
    why: str | None
    live: Release | None
    sizes: dict[str, int]
    head: str | None
    later: tuple[Revision, ...]


def look(project: Project, target: Target, *, revision: str, contract: bool) -> Outlook:
    """Look at a target; changes nothing.

    Args:
        project: Whose revisions.
        target: The database.
        revision: The last that may run.
        contract: Whether contract revisions are wanted, whatever code is live.

    Raises:
        TargetError: It is another branch, or does not say which.
        MigrationError: The history is broken, or the database cannot be read.
    """
    with open_connection(target.url, TIMEOUTS) as connection:
        who = identity.verify(connection, target.expected)
        versions, live = current_versions(connection), records.live_release(connection)
        with alembic_config(project) as config:
            history = History(config)
            order.require(connection, history)
            applied = history.applied(versions)
            plan = history.upgrades(versions, revision) if history.head else ()
            left = history.upgrades(versions, "head") if history.head else ()
        first_fill = records.first_fill(connection)
        allowed = phases.allowed(
            plan, applied=applied, live=live, contract=contract, unused=contract, first_fill=first_fill
        )
        return Outlook(
            who,
            versions,
            catalog.snapshot(connection),
            allowed.run,
            allowed.held_back,
            allowed.why,
            live,
            estimated_rows(connection),
            history.head,
            tuple(each for each in left if each.phase == "expand" and each not in allowed.run),
        )
