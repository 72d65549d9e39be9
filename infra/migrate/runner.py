"""Take a database to a revision, and prove that it is there.

The way of a run: connect on the direct URL with timeouts that hold, let the database prove which
branch it is, take the lock, plan, hand the connection to Alembic in process (one transaction per
revision), read back what was committed.
"""

from __future__ import annotations

import io
from contextlib import ExitStack
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from alembic import command

from api.database.timeouts import Timeouts
from infra.branches import identity
from infra.migrate import lock, phases, progress, records
from infra.migrate.attempts import Attempts, RevisionRun
from infra.migrate.blockers import watch_blockers
from infra.migrate.connection import current_versions, open_connection, widen_version_column
from infra.migrate.errors import MigrationError, NotVerifiedError, UnknownRevisionError
from infra.migrate.history import History, Revision, alembic_config

if TYPE_CHECKING:
    from collections.abc import Callable

    from alembic.config import Config

    from api.database.connection_url import DirectUrl
    from infra.branches.identity import BranchIdentity
    from infra.config import Project
    from infra.migrate.connection import Connection
    from infra.migrate.observer import Observer

#: What holds where `[tool.bough.migrate]` does not say otherwise. A lock is given up soon, because every
#: later query of that table queues behind who waits for it; a statement may run long, because most take
#: no lock that matters.
TIMEOUTS: Final = Timeouts(statement=900.0, lock=5.0, idle_in_transaction=300.0)


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


@dataclass(frozen=True, slots=True)
class Status:
    """A database beside the code.

    Args:
        current: What `alembic_version` holds; more than one only while a merge is pending.
        head: The newest revision of the code; `None` without any.
        pending: What is not applied, in order.
        unknown: Those of `current` that the code does not have: the database is ahead of it.
        allowed: Which of `pending` `apply` would run, which not yet, and why.
        half_done: Ids of revisions that an interrupted run has left half applied or half undone.
        live: The code that is live; `None` when nobody has said so.
        rehearsal: The last one; `None` without any.
    """

    current: tuple[str, ...]
    head: str | None
    pending: tuple[Revision, ...]
    unknown: tuple[str, ...]
    allowed: phases.Allowed
    half_done: tuple[str, ...]
    live: records.Release | None
    rehearsal: records.RememberedRehearsal | None


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
        live = records.live_release(connection)
        allowed = phases.allowed(plan, applied=applied, live=live, contract=contract, unused=unused)
        if guard is not None and allowed.run:
            guard(connection, allowed.run)
        return allowed

    run = _Run(project, url, expected, announce, timeouts, lock_wait, attempts, observer)
    return run.to(_Way(revision, History.upgrades, permit, _last, command.upgrade, undoing=False))


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
    return run.to(_Way(to, History.downgrades, permit, History.below, command.downgrade, undoing=True))


def target(url: DirectUrl, expected: BranchIdentity | None = None) -> BranchIdentity:
    """Return which branch a database is; for who asks before it calls what changes it.

    Raises:
        TargetError, MigrationError: As `apply`.
    """
    with open_connection(url, TIMEOUTS) as connection:
        return identity.verify(connection, expected)


def status(project: Project, url: DirectUrl) -> Status:
    """Compare a database with the code; takes no lock and changes nothing.

    Raises:
        MigrationError: The history is broken, or the database cannot be read.
    """
    with open_connection(url, TIMEOUTS) as connection, alembic_config(project) as config:
        history = History(config)
        current = current_versions(connection)
        unknown = history.unknown(current)
        pending = () if unknown else history.upgrades(current, "head")
        live = records.live_release(connection)
        allowed = phases.allowed(pending, applied=current, live=live, contract=False)
        half_done = tuple(sorted(progress.load(connection)))
        rehearsal = next(iter(records.rehearsals(connection)), None)
        return Status(current, history.head, pending, unknown, allowed, half_done, live, rehearsal)


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
class _Way:
    """Up or down, and how far."""

    revision: str
    plan: Callable[[History, tuple[str, ...], str], tuple[Revision, ...]]
    permit: Callable[[Connection, tuple[Revision, ...], frozenset[str]], phases.Allowed]
    #: What Alembic must be told so that it ends with the plan, from wherever in it.
    end: Callable[[History, tuple[Revision, ...]], str]
    migrate: Callable[[Config, str], None]
    undoing: bool


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

    def to(self, way: _Way) -> Report:
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
            versions = current_versions(connection)
            before = history.applied(versions)
            progress.check(connection, before, undoing=way.undoing)
            allowed = way.permit(connection, way.plan(history, versions, way.revision), before)
            if not allowed.run:
                return Report((), versions, allowed.held_back, allowed.why)
            widen_version_column(connection, max(len(revision.id) for revision in allowed.run))
            blockers = stack.enter_context(watch_blockers(self.url, connection, timeouts.lock / 3))
            attempts = Attempts(
                connection,
                self.url,
                history,
                before,
                allowed.run,
                timeouts,
                undoing=way.undoing,
                most=self.attempts or settings.attempts,
                announce=announce,
                observer=self.observer,
            )
            end = way.end(history, allowed.run)
            attempts.run(config, lambda: way.migrate(config, end), blockers)
            after = current_versions(connection)
            _verify(history.applied(after) ^ before, allowed.run)
            return Report(
                tuple(attempts.runs), after, allowed.held_back, allowed.why, tuple(attempts.dropped)
            )


def _verify(changed: frozenset[str], plan: tuple[Revision, ...]) -> None:
    planned = {revision.id for revision in plan}
    if changed != planned:
        wrong = ", ".join(sorted(changed ^ planned))
        message = f"Alembic reported success, but the database disagrees about {wrong}"
        raise NotVerifiedError(message, hint="look at it with: bough migrate status")
