"""Migrations that run inside AWS, as seen from here: called once, followed in the function's log."""

from __future__ import annotations

import json
from concurrent.futures import Future, wait
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from threading import Thread
from typing import TYPE_CHECKING, Final

from infra.aws.logs import Wanted, follow
from infra.aws.uploads import upload
from infra.migrate.errors import MigrationError
from infra.migrate.remote_run import report_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from infra.aws.account import Account
    from infra.aws.function import Invocation
    from infra.aws.functions import Functions
    from infra.aws.package import Package
    from infra.aws.stage import Stage
    from infra.migrate.remote_run import RemoteRun
    from infra.migrate.runner import Report

_NEWEST: Final = "$LATEST"
_CLOCKS: Final = timedelta(minutes=5)


class _EndedError(Exception):
    """The run is over: nothing more is to be read of it."""


class RemoteMigrations:
    """The migration function of a stage.

    Args:
        account: Where it is.
        stage: Whose database it reaches.
        functions: Of the account.
        announce: Is told what happens there.
    """

    def __init__(
        self, account: Account, stage: Stage, functions: Functions, announce: Callable[[str], None]
    ) -> None:
        """Ask nothing yet."""
        self._account = account
        self._stage = stage
        self._functions = functions
        self._announce = announce

    def update(self, package: Package, bucket: str | None) -> None:
        """Give the function the revisions of a package, unless it has them.

        Raises:
            FunctionNotFoundError: The stage was never deployed.
            FunctionChangedError, FunctionFailedError: As `Functions.update_code`.
        """
        function = self._functions.get(self._stage.migrate)
        if function.code_sha256 != package.code_sha256:
            self._announce(f"Giving {function.name} these revisions ({package.size / 1e6:.1f} MB)")
            source = upload(self._account, bucket, package)
            self._functions.update_code(function.name, source, revision_id=function.revision_id)

    def apply(self, run: RemoteRun) -> Report:
        """Have the function run revisions, and tell of its progress meanwhile.

        Ctrl-C ends the watching and not the run, which the log goes on telling of.

        Raises:
            MigrationError: As `infra.migrate.runner.apply`, with the same code and exit code.
            AwsError: The function cannot be called; it may be at work all the same.
        """
        done = self._call(run)
        try:
            self._tell(run, done)
        except KeyboardInterrupt:
            self._announce(f"It goes on in AWS. Watch it: bough logs --migrate --follow --filter {run.id}")
            raise
        return _report(done.result())

    def _call(self, run: RemoteRun) -> Future[Invocation]:
        done: Future[Invocation] = Future()

        def call() -> None:
            try:
                done.set_result(self._functions.invoke(self._stage.migrate, _NEWEST, run.event()))
            except BaseException as error:  # noqa: BLE001  raised where the result is taken
                done.set_exception(error)

        # A daemon: after Ctrl-C nobody waits for its answer.
        Thread(target=call, name="migration", daemon=True).start()
        return done

    def _tell(self, run: RemoteRun, done: Future[Invocation]) -> None:
        """Announce each line of progress until the run has ended, and those of its last moments."""
        last_look = False

        def pause(seconds: float) -> None:
            nonlocal last_look
            if last_look:
                raise _EndedError
            wait([done], timeout=seconds)
            last_look = done.done()

        # The id says which run it is, and clocks differ.
        since = datetime.now(UTC) - _CLOCKS
        wanted = Wanted(since, pattern=f'"{run.id}"')
        group = f"/aws/lambda/{self._stage.migrate}"
        with suppress(_EndedError):
            for event in follow(self._account, group, wanted, announce=self._announce, pause=pause):
                if (message := run.message(event.message)) is not None:
                    self._announce(message)


def _report(done: Invocation) -> Report:
    answer = json.loads(done.result)
    if done.error is None:
        return report_of(answer)
    message = str(answer.get("errorMessage"))
    try:
        said = json.loads(message)
        kind = {"code": str(said["code"]), "exit_code": int(said["exit_code"])}
        text, hint = str(said["message"]), said["hint"]
    except (ValueError, KeyError, TypeError):
        # Lambda's own words: out of time or memory, or the function could not start.
        raise MigrationError(
            f"the migration function ended without a report: {message}",
            hint="see its log: bough logs --migrate --since 30m; the next run goes on there",
        ) from None
    # The error is one of those that a run out here raises, so programs find the same code.
    raise type("RemoteMigrationError", (MigrationError,), kind)(text, hint=hint)
