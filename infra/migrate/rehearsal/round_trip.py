"""Down and up again on a fork: what a downgrade leaves, and whether an upgrade does the same twice."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from infra.migrate import catalog, runner
from infra.migrate.catalog import differences, listed
from infra.migrate.connection import TIMEOUTS, open_connection
from infra.migrate.errors import MigrationError
from infra.migrate.rehearsal.results import Check, Outcome

if TYPE_CHECKING:
    from collections.abc import Sequence

    from infra.config import Project
    from infra.migrate.catalog import Catalog, Difference
    from infra.migrate.history import Revision
    from infra.migrate.rehearsal.fork import Fork

DOWN: Final = "downgrade leaves no trace"
AGAIN: Final = "second upgrade makes the same schema"


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
    _down_failed: str | None = None
    _up_failed: str | None = None

    def down(self) -> None:
        """Undo what can be undone."""
        for index in range(len(self.plan) - 1, self._lowest - 1, -1):
            try:
                runner.rollback(self.project, self.fork.direct, expected=self.fork.identity)
            except MigrationError as error:
                self._down_failed = str(error)
                return
            self._undone[index] = look(self.fork)

    def up(self) -> None:
        """Run again what was undone."""
        for index in sorted(self._undone):
            try:
                runner.apply(
                    self.project,
                    self.fork.direct,
                    expected=self.fork.identity,
                    revision=self.plan[index].id,
                    unused=True,
                )
            except MigrationError as error:
                self._up_failed = str(error)
                return
            if index + 1 < len(self.plan):
                self.schemas[index + 1] = look(self.fork)

    @property
    def has_undone(self) -> bool:
        """Whether there is a way up."""
        return bool(self._undone)

    @property
    def is_at_end(self) -> bool:
        """Whether the fork is where the first upgrade has left it."""
        return self._up_failed is None

    def checks(self) -> tuple[Check, Check]:
        """Say how both went, once they have ended."""
        return self._check_down(), self._check_up()

    def _check_down(self) -> Check:
        """Compare each state on the way down with the same on the way up."""
        if self._down_failed is not None:
            return Check(DOWN, Outcome.FAILED, self._down_failed)
        if not self._undone:
            return Check(DOWN, Outcome.SKIPPED, self._irreversible())
        for index, found in sorted(self._undone.items(), reverse=True):
            different = differences(self.schemas[index], found) if index in self.schemas else ()
            if left := [each for each in different if not _is_validated(each)]:
                return Check(DOWN, Outcome.FAILED, f"after that of {self.plan[index].id}: {listed(left)}")
        undone = ", ".join(self.plan[index].id for index in sorted(self._undone))
        detail = f"{undone} undone" + (f"; {self._irreversible()}" if self._lowest else "")
        return Check(DOWN, Outcome.PASSED, detail)

    def _check_up(self) -> Check:
        """Compare the end of the second upgrade with that of the first."""
        if self._up_failed is not None:
            return Check(AGAIN, Outcome.FAILED, self._up_failed)
        if not self._undone:
            return Check(AGAIN, Outcome.SKIPPED, "nothing was undone")
        if left := differences(self.schemas[len(self.plan)], look(self.fork)):
            return Check(AGAIN, Outcome.FAILED, listed(left))
        return Check(AGAIN, Outcome.PASSED, f"{len(self._undone)} of {len(self.plan)} revisions run again")

    @property
    def _lowest(self) -> int:
        """How far down it can go: the index after the last revision that cannot be undone."""
        return max((i + 1 for i, revision in enumerate(self.plan) if revision.irreversible), default=0)

    def _irreversible(self) -> str:
        revision = self.plan[self._lowest - 1]
        return f"{revision.id} cannot be undone: {revision.irreversible}"


def _is_validated(difference: Difference) -> bool:
    """Whether a constraint is only known to hold for the old rows, too: there is nothing to undo."""
    before, after = difference.before, difference.after
    return (before, after) == ("not validated", "yes") or before == f"{after} NOT VALID"


def look(fork: Fork) -> Catalog:
    """Return a fork's schema."""
    with open_connection(fork.direct, TIMEOUTS) as connection:
        return catalog.snapshot(connection)
