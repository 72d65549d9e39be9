"""The migration function: revisions that run inside AWS, for a database that nothing else reaches.

An artifact of its own holds it, which ships Alembic; the API's does not. `bough migrate apply --remote` calls
it, and follows its progress in its log.
"""

from __future__ import annotations

import json
import os
import signal
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Final, Protocol

from api.database.connection_url import ConnectionUrlError, DirectUrl
from api.parameters import ParameterError, forget, secret
from infra.aws.sources import built_with
from infra.config import load_project
from infra.errors import InfraError
from infra.migrate import live, runner
from infra.migrate.errors import DirectUrlInvalidError, DirectUrlMissingError, MigrationError
from infra.migrate.rehearsal import memory
from infra.migrate.remote_run import URL_VARIABLE, RemoteRun, report_as_json

if TYPE_CHECKING:
    from collections.abc import Iterator

    import sqlalchemy as sa

    from infra.migrate.history import Revision

#: Lambda's variable that says where the artifact lies; the project's pyproject.toml is in it.
_CODE: Final = "LAMBDA_TASK_ROOT"

#: Seconds before Lambda ends the environment in which a statement is cancelled, its revision rolled back, and
#: the answer given.
_RESERVE: Final = 15.0


class Context(Protocol):
    """What Lambda says of an invocation."""

    def get_remaining_time_in_millis(self) -> int:
        """Return after how long Lambda ends it."""


class OutOfTimeError(MigrationError):
    """The function's time is over before the revisions are applied."""

    code: ClassVar[str] = "MIGRATION_OUT_OF_TIME"


class RemoteRunError(Exception):
    """A run failed: its message is JSON, the error's code, exit code, message and hint.

    It is raised and not returned, so that Lambda counts it and the alarm on failed migrations hears of it.
    """


class _TimeIsUp(KeyboardInterrupt):
    """Interrupts a revision as Ctrl-C would: psycopg cancels what runs on the server for this base alone."""


class _Progress:
    """Tells of each revision that has run."""

    def __init__(self, run: RemoteRun) -> None:
        self._run = run

    def say(self, message: str) -> None:
        """Tell how far it is."""
        # Lambda's log may be read in JSON, whose lines are none of ours: this is for who follows the run.
        print(self._run.line(message), flush=True)  # noqa: T201  a function's log is its standard output

    def attempt(self, connection: sa.Connection, url: DirectUrl, plan: tuple[Revision, ...]) -> None:
        """Nothing to tell: the first revision is about to run."""

    def done(self, revision: Revision) -> None:
        """Tell of it: its transaction is about to be committed."""
        self.say(f"Ran {revision.id} ({revision.phase})")

    def ended(self) -> None:
        """Nothing to tell: the answer does."""


def handler(event: Any, context: Context) -> dict[str, Any]:
    """Run revisions as `RemoteRun` says, and return the report.

    Raises:
        RemoteRunError: It failed; what was applied stays applied, and the next run goes on there.
    """
    try:
        run = RemoteRun.of(event)
        with _time_limit(context.get_remaining_time_in_millis() / 1000 - _RESERVE):
            return report_as_json(_apply(run))
    except _TimeIsUp:
        failed: InfraError = OutOfTimeError(
            "the function's time ended before all revisions were applied; what was at work is rolled back",
            hint="the next run goes on there; longer work: bough migrate backfill, or a larger timeout",
        )
    except InfraError as error:
        failed = error
    # Outside of `except`: Lambda logs the chain of what is raised, and it may quote a connection string.
    raise RemoteRunError(
        json.dumps(
            {"code": failed.code, "exit_code": failed.exit_code, "message": str(failed), "hint": failed.hint}
        )
    )


def _apply(run: RemoteRun) -> runner.Report:
    code, url, progress = Path(os.environ[_CODE]), _url(), _Progress(run)
    if run.record:
        live.record(url, run.expected, built_with(code), None)
        return runner.Report((), ())
    progress.say(f"Migrating {url}")
    project = load_project(code)
    return runner.apply(
        project,
        url,
        expected=run.expected,
        announce=progress.say,
        revision=run.revision,
        contract=run.contract,
        guard=memory.guard(project, allow_unsafe=run.allow_unsafe) if run.require_rehearsal else None,
        observer=progress,
    )


def _url() -> DirectUrl:
    # Read by each run: an environment may outlive a password.
    forget()
    try:
        return DirectUrl.parse(secret(URL_VARIABLE))
    except ParameterError as error:
        raise DirectUrlMissingError(
            str(error), hint=f"write it: bough secrets set {URL_VARIABLE} --function migrate"
        ) from None
    except ConnectionUrlError as error:
        raise DirectUrlInvalidError(f"{URL_VARIABLE}: {error}", hint=error.hint) from None


@contextmanager
def _time_limit(seconds: float) -> Iterator[None]:
    """Interrupt the block after so many seconds, a statement that runs on the server included."""

    def interrupt(*_: object) -> None:
        raise _TimeIsUp

    before = signal.signal(signal.SIGALRM, interrupt)
    signal.setitimer(signal.ITIMER_REAL, max(seconds, 0.001))
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
