"""The database of a stage, as a deploy sees it: rehearse, expand, record which code is live."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from infra.aws.secret_values import why_not
from infra.branches.login_roles import LoginRoleError
from infra.migrate import live, runner
from infra.migrate.errors import DatabaseAheadError, RehearsalUnsafeError
from infra.migrate.findings import Verdict
from infra.migrate.rehearsal import memory
from infra.migrate.rehearsal.rehearse import rehearse
from infra.migrate.rehearsal.results import Outcome
from infra.migrate.status import status

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from api.database.connection_url import PooledUrl
    from infra.aws.sources import Revisions
    from infra.config import Project
    from infra.migrate.records import Release
    from infra.migrate.rehearsal.results import Rehearsal
    from infra.migrate.rehearsal.target import Target
    from infra.migrate.runner import Report
    from infra.migrate.status import Status


@dataclass(frozen=True, slots=True)
class StageDatabase:
    """The branch that a stage works on.

    Args:
        project: Whose revisions.
        target: The branch, as its owner, and how it is forked.
        application: Returns what the application logs in with, **with the password**.
        announce: Is told of each step of a rehearsal, and of every wait.
    """

    project: Project
    target: Target
    application: Callable[[], PooledUrl]
    announce: Callable[[str], None] = field(repr=False)

    def login(self) -> PooledUrl:
        """Return what the application logs in with, **with the password**, having logged in once.

        Raises:
            LoginRoleError: Its role cannot: a rotation has ended that login.
        """
        url, branch = self.application(), self.target.expected
        if (reason := why_not(url)) is None:
            return url
        raise LoginRoleError(
            f"the application cannot log in as {url.user}: {reason}",
            hint=f"let it again: bough branch adopt {branch.name or branch.branch_id}" if branch else None,
        )

    def status(self) -> Status:
        """Compare it with the code; changes nothing.

        Raises:
            TargetError, MigrationError: It is another branch, cannot be read, or is ahead of the code.
        """
        runner.target(self.target.url, self.target.expected)
        found = status(self.project, self.target.url)
        if found.unknown:
            raise DatabaseAheadError(
                f"the database has {', '.join(found.unknown)}, which this code does not know",
                hint="deploy newer code; an older version is made live with: bough rollback",
            )
        return found

    def rehearse(self, deployed: Path | None) -> Rehearsal | None:
        """Run what is pending on a fork; `None` where that is nothing.

        Args:
            deployed: The artifact of the code that is live, on this machine; `None` where it is not at hand.

        Raises:
            InfraError: It cannot be rehearsed.
        """
        return rehearse(self.project, self.target, announce=self.announce, deployed=deployed)

    def expand(self, *, rehearsed: bool) -> Report:
        """Apply what may run while the old code is live.

        Args:
            rehearsed: Refuse what was not rehearsed as it is now.

        Raises:
            MigrationError: Those before the one that failed stay applied; the old code fits them.
        """
        required = rehearsed or self.project.migrate.require_rehearsal
        return runner.apply(
            self.project,
            self.target.url,
            expected=self.target.expected,
            announce=self.announce,
            guard=memory.guard(self.project, allow_unsafe=False) if required else None,
        )

    def record(self, revisions: Revisions, artifact: Path | None) -> None:
        """Take down which code is live.

        Raises:
            NotLiveError: It needs a revision that the database lacks.
        """
        live.record(self.target.url, self.target.expected, revisions, artifact)

    def record_again(self, release: Release) -> None:
        """Take down that the code of an earlier record is live again."""
        live.record_again(self.target.url, self.target.expected, release)


def require_safe(done: Rehearsal) -> None:
    """Refuse what a rehearsal found unsafe.

    Raises:
        RehearsalUnsafeError: It must not be applied as it is.
    """
    if done.verdict is not Verdict.UNSAFE:
        return
    unsafe = [each.measure.revision.id for each in done.revisions if each.verdict is Verdict.UNSAFE]
    failed = [
        f"not so: {each.name} ({each.detail})" for each in done.checks if each.outcome is Outcome.FAILED
    ]
    raise RehearsalUnsafeError(
        "; ".join([f"the rehearsal found {', '.join(unsafe) or 'the revisions'} unsafe", *failed]),
        hint="see the whole report: bough migrate rehearse",
    )
