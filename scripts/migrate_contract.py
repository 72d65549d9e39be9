"""`bough migrate apply --contract`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from scripts import output
from scripts.confirmation import confirm
from scripts.migrate_rehearse import forking
from scripts.signals import EndingSignals

if TYPE_CHECKING:
    from infra.branches.identity import BranchIdentity
    from infra.config import Project
    from infra.migrate.contract import RestorePoint
    from infra.migrate.runner import Report
    from scripts.target import Target

_MOMENT: Final = "%Y-%m-%dT%H:%M:%SZ"


def apply(
    project: Project,
    target: Target,
    branch: str | None,
    revision: str,
    *,
    require_rehearsal: bool,
    allow_unsafe: bool,
    yes: bool,
) -> Report:
    """Apply contract revisions, and say how to return."""
    from infra.migrate import contract, runner  # noqa: PLC0415  Alembic takes a quarter of a second
    from infra.migrate.rehearsal.fork import BranchForking  # noqa: PLC0415  as above
    from infra.migrate.rehearsal.target import Target as RehearsalTarget  # noqa: PLC0415  as above

    who = runner.target(target.url, target.expected)
    with EndingSignals(), forking(project, who, branch, rows=0, copy=False) as fork:
        done = contract.apply(
            project,
            RehearsalTarget(target.url, who, fork),
            provider=fork.provider if isinstance(fork, BranchForking) else None,
            consent=lambda what: confirm(what, yes=yes),
            announce=output.say,
            revision=revision,
            require_rehearsal=require_rehearsal,
            allow_unsafe=allow_unsafe,
        )
    if done.before is not None and done.report.runs:
        output.say(f"The way back, without the data that was dropped: bough migrate rollback {done.before}")
    if done.restore_point is not None:
        say_restore_point(done.restore_point, who)
    return done.report


def say_restore_point(point: RestorePoint, who: BranchIdentity) -> None:
    """Say what a restore point keeps, for how long, and how to return to it."""
    at = f"{point.at:{_MOMENT}}"
    until = f"{point.expires_at:{_MOMENT}}" if point.expires_at else "it is deleted"
    output.say(f"The branch {point.name} has everything as it was at {at}, until {until}")
    output.say(
        "To return to it, as long as its history goes back so far: "
        f"bough branch restore {who.name or who.branch_id} --at {at}"
    )
