"""A run of revisions that happens elsewhere: what is asked of the migration function, and what it answers.

Both sides use it: `infra.migrate.function` inside AWS, and `infra.aws.remote_migrations` out here.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any, ClassVar, Final, Self

from infra.branches.identity import BranchIdentity
from infra.migrate.attempts import RevisionRun
from infra.migrate.errors import MigrationError
from infra.migrate.history import Revision
from infra.migrate.runner import Report

#: The function's secret: where the database is, with its owner's password.
URL_VARIABLE: Final = "DATABASE_URL_UNPOOLED"

#: What every line of progress begins with, so that it is told from whatever else a revision prints.
PROGRESS: Final = "bough-migrate"


class RemoteRunInvalidError(MigrationError):
    """The migration function was called with something else than a run."""

    code: ClassVar[str] = "REMOTE_RUN_INVALID"
    exit_code: ClassVar[int] = 2


@dataclass(frozen=True, slots=True)
class RemoteRun:
    """What the migration function is to do.

    Args:
        id: Names the run in the function's log.
        revision: The last to apply.
        expected: The branch that the database must be; without one it must be some branch.
        contract: Whether contract revisions run too, as far as the live code was built with them.
        require_rehearsal: Refuse what was not rehearsed.
        allow_unsafe: A rehearsal that found it unsafe is enough.
        record: Run nothing: take down that code with the revisions of the function's artifact is live.
    """

    id: str
    revision: str = "head"
    expected: BranchIdentity | None = None
    contract: bool = False
    require_rehearsal: bool = False
    allow_unsafe: bool = False
    record: bool = False

    def event(self) -> bytes:
        """Return the function's event."""
        return json.dumps(asdict(self)).encode()

    @classmethod
    def of(cls, event: Any) -> Self:
        """Read an event, and nothing but what `event` writes.

        Raises:
            RemoteRunInvalidError: A key is missing, unknown, or of another type.
        """
        try:
            given = dict(event)
            expected = given.pop("expected")
            run = cls(**given, expected=expected and BranchIdentity(**expected))
        except (KeyError, TypeError, ValueError) as error:
            raise RemoteRunInvalidError(f"the event is no run of revisions: {error}") from error
        kinds: dict[str, type] = {"id": str, "revision": str}
        wrong = [
            field.name
            for field in fields(run)
            if field.name != "expected" and type(getattr(run, field.name)) is not kinds.get(field.name, bool)
        ]
        if wrong:
            raise RemoteRunInvalidError(f"the event is no run of revisions: {', '.join(wrong)} is wrong")
        return run

    def line(self, message: str) -> str:
        """Return the line of the log that says how far the run is."""
        return f"{PROGRESS} {json.dumps({'run': self.id, 'message': message})}"

    def message(self, line: str) -> str | None:
        """Return what a line of the log says of this run; `None` where it is about something else."""
        word, _, text = line.partition(" ")
        if word != PROGRESS:
            return None
        try:
            said = json.loads(text)
            return str(said["message"]) if said["run"] == self.id else None
        except (ValueError, KeyError, TypeError):
            return None


def report_as_json(report: Report) -> dict[str, Any]:
    """Return a report as the function answers it."""
    return {
        "runs": [asdict(run) for run in report.runs],
        "current": list(report.current),
        "held_back": [asdict(each) | {"path": each.path.name} for each in report.held_back],
        "why": report.why,
        "dropped_indexes": list(report.dropped_indexes),
    }


def report_of(answer: dict[str, Any]) -> Report:
    """Return the report that the function answered; its revisions' paths are their files' names alone."""
    return Report(
        runs=tuple(RevisionRun(**run) for run in answer["runs"]),
        current=tuple(answer["current"]),
        held_back=tuple(Revision(**each | {"path": Path(each["path"])}) for each in answer["held_back"]),
        why=answer["why"],
        dropped_indexes=tuple(answer["dropped_indexes"]),
    )
