"""What a run does once it has the lock."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from infra.migrate import order, progress, records
from infra.migrate.attempts import Attempts
from infra.migrate.blockers import watch_blockers
from infra.migrate.connection import current_versions, widen_version_column
from infra.migrate.errors import NotVerifiedError

if TYPE_CHECKING:
    from collections.abc import Callable

    from alembic.config import Config

    from api.database.connection_url import DirectUrl
    from api.database.timeouts import Timeouts
    from infra.migrate.connection import Connection
    from infra.migrate.history import History, Revision
    from infra.migrate.observer import Observer
    from infra.migrate.phases import Allowed


@dataclass(frozen=True, slots=True)
class Way:
    """Up or down, and how far."""

    revision: str
    plan: Callable[[History, tuple[str, ...], str], tuple[Revision, ...]]
    permit: Callable[[Connection, tuple[Revision, ...], frozenset[str]], Allowed]
    #: What Alembic must be told so that it ends with the plan, from wherever in it.
    end: Callable[[History, tuple[Revision, ...]], str]
    migrate: Callable[[Config, str], None]
    undoing: bool


@dataclass(frozen=True, slots=True)
class LockedRun:
    """A connection that holds the lock, and what Alembic is to do on it.

    Args:
        way: Up or down.
        connection: The raw one, in autocommit.
        url: Of the same database.
        config: Of the project.
        history: Of the project.
        timeouts: In force on the connection.
        most: How often a revision is tried.
        announce: Is told of every wait.
        observer: Watches.
    """

    way: Way
    connection: Connection
    url: DirectUrl
    config: Config
    history: History
    timeouts: Timeouts
    most: int
    announce: Callable[[str], None]
    observer: Observer | None

    def bring_into_order(self) -> list[Attempts]:
        """Apply what the database lacks below its newest revision, since that was moved there.

        Raises:
            ReorderedError: Somebody is about to undo revisions, or a contract revision is among these.
        """
        if self.way.undoing:
            if self.history.is_line:
                order.require(self.connection, self.history)
            return []
        done = []
        while (gap := order.find(self.connection, self.history)) is not None:
            versions = current_versions(self.connection)
            if gap.missing:
                self.announce(f"{gap.missing[0].id} was put before {versions[0]}, which is applied already")
                if self.way.permit(self.connection, gap.missing, self.history.applied(versions)).held_back:
                    order.require(self.connection, self.history)
            order.point_at(self.connection, gap.below)
            if gap.missing:
                before = self.history.applied(current_versions(self.connection))
                progress.check(self.connection, before, undoing=False)
                done.append(self.through(before, gap.missing))
        return done

    def through(self, before: frozenset[str], plan: tuple[Revision, ...]) -> Attempts:
        """Run revisions that follow each other, and make sure that they are what changed.

        Args:
            before: Ids of what Alembic takes for applied.
            plan: In the order of running.

        Raises:
            RevisionFailedError: One failed for good.
            NotVerifiedError: Alembic has done something else.
        """
        widen_version_column(self.connection, max(len(revision.id) for revision in plan))
        attempts = Attempts(
            self.connection,
            self.url,
            self.history,
            before,
            plan,
            self.timeouts,
            undoing=self.way.undoing,
            most=self.most,
            announce=self.announce,
            observer=self.observer,
            first_fill=self._is_first_fill(before, plan),
        )
        end = self.way.end(self.history, plan)
        with watch_blockers(self.url, self.connection, self.timeouts.lock / 3) as blockers:
            attempts.run(self.config, lambda: self.way.migrate(self.config, end), blockers)
        _verify(self.history.applied(current_versions(self.connection)) ^ before, plan)
        return attempts

    def _is_first_fill(self, before: frozenset[str], plan: tuple[Revision, ...]) -> bool:
        """Tell whether a run that is killed here would leave contract revisions that may run all the same."""
        if self.way.undoing:
            return False
        begins = not before and any(revision.phase == "contract" for revision in plan[1:])
        return begins or bool(records.first_fill(self.connection))


def _verify(changed: frozenset[str], plan: tuple[Revision, ...]) -> None:
    planned = {revision.id for revision in plan}
    if changed != planned:
        wrong = ", ".join(sorted(changed ^ planned))
        message = f"Alembic reported success, but the database disagrees about {wrong}"
        raise NotVerifiedError(message, hint="look at it with: bough migrate status")
