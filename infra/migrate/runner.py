"""Take a database to a revision, and prove that it is there.

The way of a run: connect on the direct URL with timeouts that hold, let the database prove which
branch it is, take the lock, plan, hand the connection to Alembic in process (one transaction per
revision), read back what was committed.
"""

from __future__ import annotations

import io
from contextlib import ExitStack
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from alembic import command

from infra.branches import identity
from infra.migrate import lock, phases, progress, records
from infra.migrate.connection import TIMEOUTS, current_versions, open_connection
from infra.migrate.errors import MigrationError, UnknownRevisionError
from infra.migrate.history import History, Revision, alembic_config
from infra.migrate.locked_run import LockedRun, Way

if TYPE_CHECKING:
    from collections.abc import Callable

    from api.database.connection_url import DirectUrl
    from api.database.timeouts import Timeouts
    from infra.branches.identity import BranchIdentity
    from infra.config import Project
    from infra.migrate.attempts import RevisionRun
    from infra.migrate.connection import Connection
    from infra.migrate.observer import Observer


@dataclass(frozen=True, slots=True)
class Report:
    """What a run did, and where the database is now.

    Args:
        runs: In order; empty when there was nothing to do.
        current: What `alembic_version` holds.
        held_back: Pending revisions that may not run yet, in order; the first is a contract.
        why: One sentence about what is held back, with the next command; `None` where nothing is.
        dropped_indexes: Names of indexes that an interrupted run had left invalid, and that were dropped
            so that their revision could go on.
    """

    runs: tuple[RevisionRun, ...]
    current: tuple[str, ...]
    held_back: tuple[Revision, ...] = ()
    why: str | None = None
    dropped_indexes: tuple[str, ...] = ()


def apply(
    project: Project,
    url: DirectUrl,
    *,
    expected: BranchIdentity | None = None,
    announce: Callable[[str], None] | None = None,
    revision: str = "head",
    contract: bool = False,
    unused: bool = False,
    guard: Callable[[Connection, tuple[Revision, ...]], None] | None = None,
    observer: Observer | None = None,
    timeouts: Timeouts | None = None,
    lock_wait: float | None = None,
    attempts: int | None = None,
) -> Report:
    """Run the pending revisions up to `revision` that may run, one transaction each.

    One that meets a lock timeout or a deadlock is tried again. When one fails, those before it stay
    applied and it is rolled back; running again goes on there. A second run beside this one waits
    `lock_wait` seconds for it, then finds nothing to do.

    Args:
        project: Whose revisions.
        url: The database.
        expected: The branch that it must be; without one it must be some branch.
        announce: Is told which one it is, before anything is changed, and of every wait.
        revision: The last to apply.
        contract: Whether contract revisions run too, as far as the live code was built with them.
        unused: No code uses the database: contract revisions run as well.
        guard: Called under the lock with what is about to run; raises what refuses it.
        observer: Watches.
        timeouts: Of each statement; as `[tool.bough.migrate]` has them.
        lock_wait: Seconds; as `[tool.bough.migrate]` has it.
        attempts: How often a revision is tried; as `[tool.bough.migrate]` has it.

    Raises:
        TargetError: It is another branch, or does not say which.
        MigrationError: See `infra.migrate.errors`; nothing was changed unless it is one of
            `RevisionFailedError` and `NotVerifiedError`.
    """

    def permit(connection: Connection, plan: tuple[Revision, ...], applied: frozenset[str]) -> phases.Allowed:
        live, first_fill = records.live_release(connection), records.first_fill(connection)
        allowed = phases.allowed(
            plan, applied=applied, live=live, contract=contract, unused=unused, first_fill=first_fill
        )
        if guard is not None and allowed.run:
            guard(connection, allowed.run)
        return allowed

    run = _Run(project, url, expected, announce, timeouts, lock_wait, attempts, observer)
    return run.to(Way(revision, History.upgrades, permit, _last, command.upgrade, undoing=False))


def rollback(
    project: Project,
    url: DirectUrl,
    *,
    expected: BranchIdentity | None = None,
    announce: Callable[[str], None] | None = None,
    to: str = "-1",
    observer: Observer | None = None,
    timeouts: Timeouts | None = None,
    lock_wait: float | None = None,
    attempts: int | None = None,
) -> Report:
    """Undo revisions down to `to`: an id, `base`, or `-n` for the last n.

    Raises:
        TargetError, MigrationError: As `apply`.
    """

    def permit(
        _connection: Connection, plan: tuple[Revision, ...], _applied: frozenset[str]
    ) -> phases.Allowed:
        return phases.Allowed(plan)

    run = _Run(project, url, expected, announce, timeouts, lock_wait, attempts, observer)
    # Going down from one of two heads is how `bough migrate rebase` may move it then.
    return run.to(Way(to, History.downgrades, permit, History.below, command.downgrade, undoing=True))


def target(url: DirectUrl, expected: BranchIdentity | None = None) -> BranchIdentity:
    """Return which branch a database is; for who asks before it calls what changes it.

    Raises:
        TargetError, MigrationError: As `apply`.
    """
    with open_connection(url, TIMEOUTS) as connection:
        return identity.verify(connection, expected)


def sql(project: Project, *, start: str = "base", end: str = "head") -> str:
    """Return the SQL that leads from `start` to `end`, for psql; needs no database.

    Raises:
        MigrationError: A revision is unknown, or one needs a database to say what it does.
    """
    output = io.StringIO()
    with alembic_config(project) as config:
        history = History(config)
        if history.head is None:
            return ""
        lower = () if start == "base" else (start,)
        if not history.upgrades(lower, end):
            message = f"nothing lies between {start} and {end}"
            raise UnknownRevisionError(message)
        config.output_buffer = output
        try:
            command.upgrade(config, f"{start}:{end}", sql=True)
        except Exception as error:
            message = f"a revision cannot be written as SQL: {type(error).__name__}: {error}"
            raise MigrationError(
                message, hint="it asks the database; guard it: context.is_offline_mode()"
            ) from error
    return output.getvalue()


def _last(_history: History, plan: tuple[Revision, ...]) -> str:
    return plan[-1].id


@dataclass(frozen=True, slots=True)
class _Run:
    project: Project
    url: DirectUrl
    expected: BranchIdentity | None
    announce: Callable[[str], None] | None
    timeouts: Timeouts | None
    lock_wait: float | None
    attempts: int | None
    observer: Observer | None

    def to(self, way: Way) -> Report:
        settings = self.project.migrate
        timeouts = self.timeouts or replace(
            TIMEOUTS, statement=settings.statement_timeout, lock=settings.lock_timeout
        )
        lock_wait = settings.lock_wait if self.lock_wait is None else self.lock_wait
        announce = self.announce or (lambda _: None)
        with ExitStack() as stack:
            connection = stack.enter_context(open_connection(self.url, timeouts))
            announce(f"→ {identity.verify(connection, self.expected)}")
            stack.enter_context(lock.hold(connection, lock_wait, announce))
            config = stack.enter_context(alembic_config(self.project))
            history = History(config, several_heads=way.undoing)
            most = self.attempts or settings.attempts
            run = LockedRun(
                way, connection, self.url, config, history, timeouts, most, announce, self.observer
            )
            done = run.bring_into_order()
            versions = current_versions(connection)
            before = history.applied(versions)
            progress.check(connection, before, undoing=way.undoing)
            allowed = way.permit(connection, way.plan(history, versions, way.revision), before)
            if allowed.run:
                done.append(run.through(before, allowed.run))
            return Report(
                tuple(one for each in done for one in each.runs),
                current_versions(connection),
                allowed.held_back,
                allowed.why,
                tuple(name for each in done for name in each.dropped),
            )
