"""Down and up again on a fork: what a downgrade leaves, and whether an upgrade does the same twice."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from infra.migrate import catalog, runner
from infra.migrate.catalog import differences
from infra.migrate.connection import open_connection
from infra.migrate.errors import MigrationError
from infra.migrate.rehearsal.results import Check, Outcome

if TYPE_CHECKING:
    from collections.abc import Sequence

    from infra.config import Project
    from infra.migrate.catalog import Catalog
    from infra.migrate.history import Revision
    from infra.migrate.rehearsal.fork import Fork

DOWN: Final = "downgrade leaves no trace"
AGAIN: Final = "second upgrade makes the same schema"

#: Differences that a check's detail lists.
_LISTED: Final = 5


@dataclass(slots=True)
class RoundTrip:
    """The way back to where a fork began, and up once more, one revision at a time.

    Args:
        project: Whose revisions.
        fork: At the plan's end.
        plan: Has run, in this order.
        schemas: Those before the first upgrade, as 0, and after it, as the plan's length; the way up adds
            what it sees before each other revision.
    """

    project: Project
    fork: Fork
    plan: Sequence[Revision]
    schemas: dict[int, Catalog]
    _undone: dict[int, Catalog] = field(default_factory=dict)

    @property
    def lowest(self) -> int:
        """How far down it can go: the index after the last revision that cannot be undone."""
        return max((i + 1 for i, revision in enumerate(self.plan) if revision.irreversible), default=0)

    def down(self) -> str | None:
        """Undo what can be undone; return what went wrong."""
        for index in range(len(self.plan) - 1, self.lowest - 1, -1):
            try:
                runner.rollback(self.project, self.fork.direct, expected=self.fork.identity)
            except MigrationError as error:
                return str(error)
            self._undone[index] = self.look()
        return None

    def up(self) -> str | None:
        """Run again what was undone; return what went wrong."""
        for index in range(self.lowest, len(self.plan)):
            try:
                runner.apply(
                    self.project,
                    self.fork.direct,
                    expected=self.fork.identity,
                    revision=self.plan[index].id,
                    unused=True,
                )
            except MigrationError as error:
                return str(error)
            if index + 1 < len(self.plan):
                self.schemas[index + 1] = self.look()
        return None

    def check_down(self, error: str | None) -> Check:
        """Compare each state on the way down with the same on the way up."""
        if error is not None:
            return Check(DOWN, Outcome.FAILED, error)
        if self.lowest == len(self.plan):
            return Check(DOWN, Outcome.SKIPPED, self._irreversible())
        for index, found in sorted(self._undone.items(), reverse=True):
            if index in self.schemas and (left := differences(self.schemas[index], found)):
                return Check(DOWN, Outcome.FAILED, f"after that of {self.plan[index].id}: {listed(left)}")
        undone = ", ".join(revision.id for revision in self.plan[self.lowest :])
        detail = f"{undone} undone" + (f"; {self._irreversible()}" if self.lowest else "")
        return Check(DOWN, Outcome.PASSED, detail)

    def check_up(self, error: str | None) -> Check:
        """Compare the end of the second upgrade with that of the first."""
        if error is not None:
            return Check(AGAIN, Outcome.FAILED, error)
        if self.lowest == len(self.plan):
            return Check(AGAIN, Outcome.SKIPPED, self._irreversible())
        if left := differences(self.schemas[len(self.plan)], self.look()):
            return Check(AGAIN, Outcome.FAILED, listed(left))
        return Check(AGAIN, Outcome.PASSED, f"{len(self.plan) - self.lowest} revisions run again")

    def look(self) -> Catalog:
        """Return the fork's schema as it is now."""
        return look(self.fork)

    def _irreversible(self) -> str:
        revision = self.plan[self.lowest - 1]
        return f"{revision.id} cannot be undone: {revision.irreversible}"


def look(fork: Fork) -> Catalog:
    """Return a fork's schema."""
    with open_connection(fork.direct, runner.TIMEOUTS) as connection:
        return catalog.snapshot(connection)


def listed(found: Sequence[object]) -> str:
    """Return the first of them in one line."""
    more = len(found) - _LISTED
    return "; ".join(map(str, found[:_LISTED])) + (f"; and {more} more" if more > 0 else "")
