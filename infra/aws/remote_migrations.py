"""Migrations that run inside AWS, as seen from here: called once, followed in the function's log."""

from __future__ import annotations

import json
import uuid
from concurrent.futures import Future, wait
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from threading import Thread
from typing import TYPE_CHECKING, Final

from infra.aws.errors import AwsUnreachableError
from infra.aws.logs import Wanted, follow
from infra.aws.secrets import Secrets
from infra.aws.uploads import upload
from infra.migrate.errors import MigrationError
from infra.migrate.remote_run import URL_VARIABLE, RemoteRun, report_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from api.database.connection_url import DirectUrl
    from infra.aws.account import Account
    from infra.aws.function import Invocation
    from infra.aws.functions import Functions
    from infra.aws.package import Package
    from infra.aws.stage import Stage
    from infra.branches.identity import BranchIdentity
    from infra.migrate.runner import Report

_NEWEST: Final = "$LATEST"
_OWNER: Final = "migrate"
_CLOCKS: Final = timedelta(minutes=5)


class _EndedError(Exception):
    """The run is over: nothing more is to be read of it."""


@dataclass(frozen=True, slots=True)
class RemoteMigrations:
    """The migration function of a stage.

    Args:
        account: Where it is.
        stage: Whose database it reaches.
        functions: Of the account.
        package: Of this checkout's revisions; the function is given it unless it has it.
        bucket: Returns the stage's, for packages.
        expected: The branch that the database must be; `None` where no provider knows it.
        direct_url: Returns the direct connection string of that branch's owner, **with the password**: the
            function's secret where nobody has written it. `None` where no provider can be asked.
        announce: Is told what happens there.
    """

    account: Account
    stage: Stage
    functions: Functions
    package: Package
    bucket: Callable[[], str]
    expected: BranchIdentity | None
    direct_url: Callable[[], DirectUrl] | None
    announce: Callable[[str], None] = field(repr=False)

    def apply(
        self,
        revision: str = "head",
        *,
        contract: bool = False,
        require_rehearsal: bool = False,
        allow_unsafe: bool = False,
    ) -> Report:
        """Have the function run revisions, and tell of its progress meanwhile.

        Ctrl-C ends the watching and not the run, which the log goes on telling of.

        Args:
            revision: The last to apply.
            contract: Whether contract revisions run too, as far as the live code was built with them.
            require_rehearsal: Refuse what was not rehearsed.
            allow_unsafe: A rehearsal that found it unsafe is enough.

        Raises:
            MigrationError: As `infra.migrate.runner.apply`, with the same code and exit code.
            FunctionNotFoundError: The stage was never deployed.
            AwsError: The function cannot be called; it may be at work all the same.
        """
        # By its id: the function may have got other revisions meanwhile.
        last = self.package.revisions.head if revision == "head" else revision
        run = RemoteRun(
            uuid.uuid4().hex[:12],
            last or "head",
            self.expected,
            contract=contract,
            require_rehearsal=require_rehearsal,
            allow_unsafe=allow_unsafe,
        )
        return self._run(run)

    def record(self) -> None:
        """Take down in the database that code with the package's revisions is live.

        Raises:
            MigrationError, AwsError: As `apply`.
        """
        self._run(RemoteRun(uuid.uuid4().hex[:12], expected=self.expected, record=True))

    def _run(self, run: RemoteRun) -> Report:
        self._update()
        self._write_secret()
        done = self._call(run)
        watch = f"bough logs {self.stage.name} --migrate --follow --filter {run.id}"
        try:
            self._tell(run, done)
            answer = done.result()
        except KeyboardInterrupt:
            self.announce(f"It goes on in AWS. Watch it: {watch}")
            raise
        except AwsUnreachableError as error:
            # Networks on the way forget a connection that is silent for minutes.
            raise AwsUnreachableError(
                f"{error}; the run may go on in AWS", hint=f"watch it: {watch}; then run this again"
            ) from error
        return _report(answer)

    def _write_secret(self) -> None:
        secrets = Secrets(self.account, self.stage)
        names = {secret.name for secret in secrets.list(_OWNER)}
        if self.direct_url is not None and URL_VARIABLE not in names:
            self.announce(f"Writing {self.stage.parameter(_OWNER, URL_VARIABLE)}")
            secrets.put(_OWNER, URL_VARIABLE, self.direct_url().libpq(), replace=False)

    def _update(self) -> None:
        function = self.functions.get(self.stage.migrate)
        if function.code_sha256 != self.package.code_sha256:
            self.announce(f"Giving {function.name} these revisions ({self.package.size / 1e6:.1f} MB)")
            source = upload(self.account, self.bucket(), self.package)
            self.functions.update_code(function.name, source, revision_id=function.revision_id)

    def _call(self, run: RemoteRun) -> Future[Invocation]:
        done: Future[Invocation] = Future()

        def call() -> None:
            try:
                done.set_result(self.functions.invoke(self.stage.migrate, _NEWEST, run.event()))
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
        group = f"/aws/lambda/{self.stage.migrate}"
        with suppress(_EndedError):
            for event in follow(self.account, group, wanted, announce=self.announce, pause=pause):
                if (message := run.message(event.message)) is not None:
                    self.announce(message)


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
