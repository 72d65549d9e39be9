"""Apply contract revisions: only what the live code no longer needs, rehearsed, and with a way back.

The order: the target proves itself, its live code must have been built with the revisions, they are
rehearsed on a fork (down and up again, too), a branch keeps the target as it is, and only then they run.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final

from infra.branches import identity
from infra.branches.errors import NotSupportedError
from infra.branches.provider import BranchSpec
from infra.migrate import order, phases, records, runner
from infra.migrate.connection import TIMEOUTS, current_versions, open_connection
from infra.migrate.errors import ContractRefusedError, RehearsalMissingError, RehearsalStaleError
from infra.migrate.history import History, alembic_config
from infra.migrate.rehearsal import memory
from infra.migrate.rehearsal.rehearse import rehearse

if TYPE_CHECKING:
    from collections.abc import Callable

    from infra.branches.identity import BranchIdentity
    from infra.branches.provider import BranchProvider
    from infra.config import Project
    from infra.migrate.rehearsal.target import Target

#: How long a restore point is kept where its provider deletes by itself.
LIFETIME: Final = timedelta(days=7)


@dataclass(frozen=True, slots=True)
class RestorePoint:
    """A branch that keeps a target as it was.

    Args:
        name: Of the branch.
        at: When it was made, UTC.
        expires_at: When its provider deletes it; `None` for never.
    """

    name: str
    at: datetime
    expires_at: datetime | None


@dataclass(frozen=True, slots=True)
class ContractReport:
    """What was done.

    Args:
        report: What ran.
        before: The revision that the target was at; `None` when it was empty.
        restore_point: What keeps the target as it was; `None` when no contract ran, or none can be made.
    """

    report: runner.Report
    before: str | None
    restore_point: RestorePoint | None


@dataclass(frozen=True, slots=True)
class _Found:
    identity: BranchIdentity
    allowed: phases.Allowed
    before: str | None


def apply(
    project: Project,
    target: Target,
    *,
    provider: BranchProvider | None,
    consent: Callable[[str], None],
    announce: Callable[[str], None],
    revision: str = "head",
    require_rehearsal: bool = False,
    allow_unsafe: bool = False,
    code: bool = True,
) -> ContractReport:
    """Run the pending revisions up to `revision`, contracts included as far as the live code knows them.

    Args:
        project: Whose revisions.
        target: Their database.
        provider: Makes the restore point; `None` where no provider hosts the target.
        consent: Is asked, with a sentence, where no restore point can be made; raises to stop.
        announce: Is told of every step.
        revision: The last to apply.
        require_rehearsal: Refuse expand revisions, too, that were not rehearsed: contracts always are.
        allow_unsafe: A rehearsal that found them unsafe is enough.
        code: As `rehearse` has it.

    Raises:
        ContractRefusedError: A contract is next, and the live code was built without it, or is not known.
        RehearsalUnsafeError: The rehearsal found that they are unsafe, or that there is no way back.
        BranchError: No restore point could be made; nothing was changed.
        TargetError, MigrationError: As `runner.apply`.
    """
    found = _look(project, target, revision)
    contracts = [each for each in found.allowed.run if each.phase == "contract"]
    guard = memory.guard(project, allow_unsafe=allow_unsafe) if contracts or require_rehearsal else None
    restore_point = None
    if found.allowed.held_back and not found.allowed.run:
        raise ContractRefusedError(found.allowed.why or "")
    if contracts and found.before is not None:
        _have_rehearsed(project, target, found, announce, allow_unsafe=allow_unsafe, code=code)
        restore_point = keep(found.identity, contracts[0].id, provider, consent, announce)
    report = runner.apply(
        project,
        target.url,
        expected=found.identity,
        announce=announce,
        revision=revision,
        # A contract that has become known to the live code since then waits for its own restore point.
        contract=bool(contracts),
        guard=guard,
    )
    return ContractReport(report, found.before, restore_point)


def _look(project: Project, target: Target, revision: str) -> _Found:
    with open_connection(target.url, TIMEOUTS) as connection, alembic_config(project) as config:
        who = identity.verify(connection, target.expected)
        history, versions = History(config), current_versions(connection)
        order.require(connection, history)
        allowed = phases.allowed(
            history.upgrades(versions, revision),
            applied=history.applied(versions),
            live=records.live_release(connection),
            contract=True,
            first_fill=records.first_fill(connection),
        )
    return _Found(who, allowed, memory.base_of(versions))


def _have_rehearsed(
    project: Project,
    target: Target,
    found: _Found,
    announce: Callable[[str], None],
    *,
    allow_unsafe: bool,
    code: bool,
) -> None:
    """Make sure that a rehearsal holds which went up, down and up again."""
    require = memory.guard(project, allow_unsafe=allow_unsafe)
    try:
        with open_connection(target.url, TIMEOUTS) as connection:
            require(connection, found.allowed.run)
    except (RehearsalMissingError, RehearsalStaleError) as error:
        announce(f"{error}: rehearsing now")
        last = found.allowed.run[-1].id
        rehearse(project, target, announce=announce, revision=last, contract=True, code=code)
        with open_connection(target.url, TIMEOUTS) as connection:
            require(connection, found.allowed.run)


def keep(
    target: BranchIdentity | None,
    revision: str,
    provider: BranchProvider | None,
    consent: Callable[[str], None],
    announce: Callable[[str], None],
) -> RestorePoint | None:
    """Make a branch of the target; each attempt its own, since data goes on changing between them.

    Args:
        target: What is to be kept; `None` where that is not known.
        revision: Before which.
        provider: Makes it; `None` where no provider hosts the target.
        consent: Is asked, with a sentence, where none can be made; raises to stop.
        announce: Is told of it.

    Raises:
        BranchError: The provider could not make it.
    """
    at = datetime.now(UTC).replace(microsecond=0)
    name = f"before-{revision}-{at:%Y%m%d-%H%M%S}"
    if provider is not None and target is not None:
        announce(f"Making the restore point {name}")
        # Supabase knows no expiry, and makes branches of the default one alone.
        for expires_at in (at + LIFETIME, None):
            with suppress(NotSupportedError):
                branch = provider.create(BranchSpec(name, target.branch_id, expires_at=expires_at))
                return RestorePoint(branch.name, at, branch.expires_at)
    what = target or "the database"
    consent(f"No restore point can be made of {what}: what {revision} takes away is gone for good.")
    return None
