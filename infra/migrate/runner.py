"""Take a database to a revision, and prove that it is there.

The way of a run: connect on the direct URL with timeouts that hold, let the database prove which
branch it is, take the lock, plan, hand the connection to Alembic in process (one transaction per
revision), read back what was committed.
"""

from __future__ import annotations

import io
import time
from contextlib import ExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import psycopg
import sqlalchemy as sa
from alembic import command

from api.database.timeouts import Timeouts
from infra.branches import identity
from infra.migrate import failure
from infra.migrate.connection import (
    as_sqlalchemy,
    current_versions,
    hold_lock,
    open_connection,
    widen_version_column,
)
from infra.migrate.errors import MigrationError, NotVerifiedError, UnknownRevisionError
from infra.migrate.history import History, Phase, Revision, alembic_config

if TYPE_CHECKING:
    from collections.abc import Callable

    from alembic.config import Config
    from alembic.runtime.migration import MigrationInfo

    from api.database.connection_url import DirectUrl
    from infra.branches.identity import BranchIdentity
    from infra.config import Project
    from infra.migrate.connection import Connection

#: A lock is given up soon, because every later query of that table queues behind who waits for it;
#: a statement may run long, because most take no lock that matters.
TIMEOUTS: Final = Timeouts(statement=900.0, lock=5.0, idle_in_transaction=300.0)

#: Seconds to wait for another migration of the same database.
LOCK_WAIT: Final = 60.0


@dataclass(frozen=True, slots=True)
class RevisionRun:
    """One revision that was applied or undone, and for how long it ran, in seconds."""

    id: str
    message: str
    phase: Phase
    seconds: float


@dataclass(frozen=True, slots=True)
class Report:
    """What a run did, in order (empty: there was nothing to do), and where the database is now."""

    runs: tuple[RevisionRun, ...]
    current: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Status:
    """A database beside the code.

    Args:
        current: What `alembic_version` holds; more than one only while a merge is pending.
        head: The newest revision of the code; `None` without any.
        pending: What `apply` would run, in order.
        unknown: Those of `current` that the code does not have: the database is ahead of it.
    """

    current: tuple[str, ...]
    head: str | None
    pending: tuple[Revision, ...]
    unknown: tuple[str, ...]


def apply(
    project: Project,
    url: DirectUrl,
    *,
    expected: BranchIdentity | None = None,
    announce: Callable[[str], None] | None = None,
    revision: str = "head",
    timeouts: Timeouts = TIMEOUTS,
    lock_wait: float = LOCK_WAIT,
) -> Report:
    """Run every pending revision up to `revision`, one transaction each.

    When one fails, those before it stay applied and it is rolled back; running again goes on there.
    A second run beside this one waits `lock_wait` seconds for it, then finds nothing to do.

    Args:
        project: Whose revisions.
        url: The database.
        expected: The branch that it must be; without one it must be some branch.
        announce: Is told which one it is, before anything is changed.
        revision: The last to apply.
        timeouts: Of each statement.
        lock_wait: Seconds.

    Raises:
        TargetError: It is another branch, or does not say which.
        MigrationError: See `infra.migrate.errors`; nothing was changed unless it is one of
            `RevisionFailedError` and `NotVerifiedError`.
    """
    run = _Run(project, url, expected, announce, timeouts, lock_wait)
    return run.to(revision, History.upgrades, command.upgrade)


def rollback(
    project: Project,
    url: DirectUrl,
    *,
    expected: BranchIdentity | None = None,
    announce: Callable[[str], None] | None = None,
    to: str = "-1",
    timeouts: Timeouts = TIMEOUTS,
    lock_wait: float = LOCK_WAIT,
) -> Report:
    """Undo revisions down to `to`: an id, `base`, or `-n` for the last n.

    Raises:
        TargetError, MigrationError: As `apply`.
    """
    run = _Run(project, url, expected, announce, timeouts, lock_wait)
    return run.to(to, History.downgrades, command.downgrade)


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
        return Status(current, history.head, pending, unknown)


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


@dataclass(frozen=True, slots=True)
class _Run:
    project: Project
    url: DirectUrl
    expected: BranchIdentity | None
    announce: Callable[[str], None] | None
    timeouts: Timeouts
    lock_wait: float

    def to(
        self,
        revision: str,
        plan_to: Callable[[History, tuple[str, ...], str], tuple[Revision, ...]],
        migrate: Callable[[Config, str], None],
    ) -> Report:
        with ExitStack() as stack:
            connection = stack.enter_context(open_connection(self.url, self.timeouts))
            found = identity.verify(connection, self.expected)
            if self.announce:
                self.announce(f"→ {found}")
            stack.enter_context(hold_lock(connection, self.lock_wait))
            config = stack.enter_context(alembic_config(self.project))
            history = History(config)
            versions = current_versions(connection)
            before = history.applied(versions)
            plan = plan_to(history, versions, revision)
            if not plan:
                return Report((), versions)
            widen_version_column(connection, max(len(revision.id) for revision in plan))
            runs: list[RevisionRun] = []
            try:
                with as_sqlalchemy(connection) as lent:
                    config.attributes["connection"] = lent
                    config.attributes["on_version_apply"] = (_recorder(lent, plan, runs),)
                    migrate(config, revision)
            except Exception as error:
                raise self._explain(error, connection, history, before, plan) from error
            after = current_versions(connection)
            _verify(history.applied(after) ^ before, plan)
            return Report(tuple(runs), after)

    def _explain(
        self,
        error: Exception,
        connection: Connection,
        history: History,
        before: frozenset[str],
        plan: tuple[Revision, ...],
    ) -> MigrationError:
        # How far it came is asked of the database, not of Alembic: a constraint that is checked at
        # COMMIT fails after its revision had reported itself done.
        try:
            done = len(history.applied(current_versions(connection)) ^ before)
        except psycopg.Error:
            return failure.lost(error, self.url)
        revision = plan[done] if done < len(plan) else None
        return failure.failed(error, revision, self.timeouts, done)


def _recorder(
    connection: sa.Connection, plan: tuple[Revision, ...], runs: list[RevisionRun]
) -> Callable[..., None]:
    planned = {revision.id: revision for revision in plan}
    begun: list[float] = []

    @sa.event.listens_for(connection, "begin")
    def _begin(_connection: sa.Connection) -> None:
        begun.append(time.monotonic())

    def record(*, step: MigrationInfo, **_: object) -> None:
        revision = planned[str(step.up_revision_id)]
        # The first: an autocommit block inside a revision begins again.
        seconds = time.monotonic() - begun[0]
        runs.append(RevisionRun(revision.id, revision.message, revision.phase, seconds))
        begun.clear()

    return record


def _verify(changed: frozenset[str], plan: tuple[Revision, ...]) -> None:
    planned = {revision.id for revision in plan}
    if changed != planned:
        wrong = ", ".join(sorted(changed ^ planned))
        message = f"Alembic reported success, but the database disagrees about {wrong}"
        raise NotVerifiedError(message, hint="look at it with: bough migrate status")
