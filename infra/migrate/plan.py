"""What `apply` would run on a database: statements, locks, and what the linter says of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from infra.branches import identity
from infra.migrate import order, phases, records
from infra.migrate.connection import TIMEOUTS, current_versions, open_connection
from infra.migrate.history import History, alembic_config
from infra.migrate.lint import review
from infra.migrate.linting.passwords import masked
from infra.migrate.sizes import estimated_rows

if TYPE_CHECKING:
    from api.database.connection_url import DirectUrl
    from infra.branches.identity import BranchIdentity
    from infra.config import Project
    from infra.migrate.findings import Finding
    from infra.migrate.history import Revision
    from infra.migrate.linting.effects import Effect


@dataclass(frozen=True, slots=True)
class PlannedStatement:
    """One statement.

    Args:
        sql: As it will be sent, but for passwords.
        line: Of the revision's file, from 1.
        transaction: Number of its transaction in the revision, from 0; `None` in autocommit.
        effects: The locks that it takes on tables that are there, and the work under them.
    """

    sql: str
    line: int
    transaction: int | None
    effects: tuple[Effect, ...]


@dataclass(frozen=True, slots=True)
class PlannedRevision:
    """One pending revision.

    Args:
        revision: Which.
        held_back: It waits for the live code to change.
        statements: What it does, as far as that is known without running it.
        findings: The linter's.
    """

    revision: Revision
    held_back: bool
    statements: tuple[PlannedStatement, ...]
    findings: tuple[Finding, ...]


@dataclass(frozen=True, slots=True)
class Plan:
    """What is pending.

    Args:
        identity: Which branch the database has proven to be.
        current: What `alembic_version` holds.
        revisions: In the order of running, those that are held back last.
        why: One sentence about what is held back, with the next command; `None` where nothing is.
    """

    identity: BranchIdentity
    current: tuple[str, ...]
    revisions: tuple[PlannedRevision, ...]
    why: str | None

    @property
    def runs(self) -> tuple[PlannedRevision, ...]:
        """What `apply` would run now."""
        return tuple(each for each in self.revisions if not each.held_back)


def plan(
    project: Project,
    url: DirectUrl,
    *,
    expected: BranchIdentity | None = None,
    revision: str = "head",
    contract: bool = False,
) -> Plan:
    """Plan what `runner.apply` with the same arguments would run; takes no lock and changes nothing.

    Raises:
        TargetError: It is another branch, or does not say which.
        MigrationError: The history is broken, the database cannot be read or is ahead of the code.
    """
    with open_connection(url, TIMEOUTS) as connection:
        found = identity.verify(connection, expected)
        versions, live = current_versions(connection), records.live_release(connection)
        first_fill, sizes = records.first_fill(connection), estimated_rows(connection)
        with alembic_config(project) as config:
            history = History(config)
        order.require(connection, history)
        applied = history.applied(versions)
        pending = history.upgrades(versions, revision) if history.head else ()
    allowed = phases.allowed(pending, applied=applied, live=live, contract=contract, first_fill=first_fill)
    waiting = {each.id for each in allowed.held_back}
    reviewed = review(project, versions, revision=revision, sizes=sizes) if pending else ()
    revisions = []
    for each in reviewed:
        statements = tuple(
            PlannedStatement(
                masked(at.sql.text),
                at.sql.line,
                at.sql.transaction,
                tuple(effect for effect in at.statement.effects if each.tables.is_there(effect.relation)),
            )
            for at in each.reading.statements
        )
        revisions.append(
            PlannedRevision(each.revision, each.revision.id in waiting, statements, each.findings)
        )
    return Plan(found, versions, tuple(revisions), allowed.why)
