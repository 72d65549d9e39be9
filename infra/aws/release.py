"""A deploy, as a plan: what is found becomes a list of steps, and what failed leaves the old version live.

Revisions come before code and stay when the code does not: the old version fits them, which the rehearsal has
proven. Nothing that a step changes is seen by anybody before `live` moves.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from itertools import pairwise
from secrets import token_hex
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from infra.aws.deployed_code import artifact_of, keep_alone
from infra.aws.errors import AwsError
from infra.aws.live_traffic import LiveTraffic
from infra.aws.prune import prune
from infra.aws.release_database import require_safe
from infra.aws.release_note import ReleaseNote
from infra.aws.smoke import Smoke
from infra.aws.source_commit import source_commit
from infra.aws.uploads import upload
from infra.errors import InfraError
from infra.plan import Step

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from infra.aws.canary import Canary
    from infra.aws.deploy_lock import DeployLock
    from infra.aws.function import Function, FunctionUrl, Version
    from infra.aws.release_database import StageDatabase
    from infra.aws.release_outlook import Deployment, Outlook
    from infra.aws.remote_migrations import RemoteMigrations
    from infra.aws.smoke import SmokeCheck
    from infra.aws.stack import StackChange
    from infra.aws.uploads import CodeSource
    from infra.migrate.history import Revision
    from infra.migrate.rehearsal.results import Rehearsal
    from infra.migrate.runner import Report


@dataclass(frozen=True, slots=True)
class Wishes:
    """How a deploy shall go.

    Args:
        canary: How traffic is shifted; `None` for all at once.
        rehearse: Whether revisions run on a fork first.
    """

    canary: Canary | None = None
    rehearse: bool = True


@dataclass(slots=True)
class Outcome:
    """What has come of a deploy until now; each field is `None` or empty before its step.

    Args:
        rehearsal: What the revisions did on a fork.
        migrated: What was applied to the database, and what is held back there.
        version: That was published.
        checks: What it answered.
        canary: What was seen in the canary.
        url: Where the stage answers.
    """

    rehearsal: Rehearsal | None = None
    migrated: Report | None = None
    version: Version | None = None
    checks: tuple[SmokeCheck, ...] = ()
    canary: str | None = None
    url: FunctionUrl | None = None


class Deploy:
    """One deploy.

    Args:
        deployment: What, and where to.
        outlook: What was found there.
        wishes: How it shall go.
        lock: Of the stage.
        announce: Is told what goes on within the longer steps.

    Attributes:
        to: The deployment.
        found: The outlook.
        outcome: What has come of it until now.
    """

    def __init__(
        self,
        deployment: Deployment,
        outlook: Outlook,
        wishes: Wishes,
        lock: DeployLock,
        announce: Callable[[str], None],
    ) -> None:
        """Do nothing yet."""
        self.to = deployment
        self.found = outlook
        self._wishes = wishes
        self._lock = lock
        self._announce = announce
        self._traffic = LiveTraffic(
            deployment.account, deployment.stage, outlook.alias, outlook.url, announce
        )
        self._source: CodeSource | None = None
        self.outcome = Outcome(url=outlook.url)

    def steps(self) -> tuple[Step, ...]:
        """Return what is to be done, one after the other; nothing when there is nothing to do."""
        wanted = [*self._before_code(), *self._code(), *self._record()]
        if not wanted:
            return ()
        lock = Step("lock", f"Lock stage {self.to.stage.name}", self._take_lock, undo=self._lock.release)
        steps = [lock, *wanted, Step("unlock", "Unlock the stage", self._unlock)]
        return (lock, *(replace(step, after=(before.key,)) for before, step in pairwise(steps)))

    def _before_code(self) -> Iterator[Step]:
        """Yield what comes first: whatever refuses the deploy comes before anything is changed."""
        found = self.found
        if found.must_rehearse and self._wishes.rehearse:
            yield Step("rehearse", "Rehearse the revisions on a fork", self._rehearse)
        if found.missing:
            yield Step("secrets", f"Write {' and '.join(found.missing)} of the API", self._write_secrets)
        if (change := found.change) is not None:
            what = "Create" if change.creates else "Change"
            yield Step("stack", f"{what} stack {self.to.stage.stack}", partial(self._apply, change))
        if found.must_migrate and found.status is not None:
            yield Step("migrate", f"Apply {_named(found.status.allowed.run)}", self._migrate)
        if self.to.remote is not None and found.must_release:
            run = partial(self._migrate_remotely, self.to.remote)
            yield Step("migrate", "Apply what is pending, from inside AWS", run)

    def _code(self) -> Iterator[Step]:
        found, name = self.found, self.to.stage.api
        if not found.must_release:
            return
        if found.change is not None or found.newest is None or not self._is_newest(found.newest):
            yield Step("upload", f"Upload the code, {found.package.size / 1e6:.1f} MB", self._upload)
            yield Step("code", f"Give {name} the new code", self._update_code)
        yield Step("publish", f"Publish a version of {name}", self._publish)
        yield Step("smoke", f"Ask it {', '.join(self.to.project.smoke.paths)}", self._smoke)
        canary = self._wishes.canary
        if canary is not None and found.alias is not None:
            title = f"Lead {canary.share:.0%} of the requests to it for {canary.spoken_length}"
            watch, traffic = partial(self._watch, canary), self._traffic
            yield Step("canary", title, watch, undo=traffic.end_canary, stop=traffic.stop)
        yield Step("shift", "Lead all requests to it", self._shift, undo=self._traffic.shift_back)

    def _record(self) -> Iterator[Step]:
        found = self.found
        if found.must_record and self.to.database is not None:
            write = partial(self._write_record, self.to.database)
            undo = partial(self._write_earlier_record, self.to.database)
            yield Step("record", "Record in the database what is live", write, undo=undo)
        if found.must_release and self.to.remote is not None:
            yield Step("record", "Record in the database what is live", self.to.remote.record)
        if found.must_release:
            yield Step("prune", "Delete old versions", self._prune)

    def _take_lock(self) -> None:
        self._lock.take()
        try:
            self._traffic.check()
        except Exception:
            self._lock.release()
            raise

    def _rehearse(self) -> str | None:
        database, live = self._database(), self.found.live
        deployed = artifact_of(self.to, live, self._announce) if live is not None else None
        self.outcome.rehearsal = done = database.rehearse(deployed)
        if done is None:
            return None
        require_safe(done)
        return done.verdict.value

    def _write_secrets(self) -> str:
        values = {
            "DATABASE_URL": lambda: self._database().login().libpq(),
            "AUTH_SECRET": lambda: token_hex(32),
        }
        for name in self.found.missing:
            self.to.secrets.put("api", name, values[name](), replace=False)
        return ", ".join(self.to.stage.parameter("api", name) for name in self.found.missing)

    def _apply(self, change: StackChange) -> None:
        self.to.stack.apply(change, self._announce)

    def _migrate(self) -> str:
        rehearsed = self.found.must_rehearse and self._wishes.rehearse
        return self._migrated(self._database().expand(rehearsed=rehearsed))

    def _migrate_remotely(self, remote: RemoteMigrations) -> str:
        return self._migrated(remote.apply(require_rehearsal=self.to.project.migrate.require_rehearsal))

    def _migrated(self, done: Report) -> str:
        self.outcome.migrated = done
        at = f"the database is at {', '.join(done.current) or 'base'}"
        return f"{at}; held back: {_named(done.held_back)}" if done.held_back else at

    def _upload(self) -> None:
        self._source = upload(self.to.account, self.to.stack.outputs().bucket, self.found.package)

    def _update_code(self) -> str | None:
        function = self.to.functions.get(self.to.stage.api)
        if self._is_newest(function):
            return "it came with the stack"
        if self._source is None:
            message = "the code was not uploaded"
            raise AssertionError(message)
        self.to.functions.update_code(function.name, self._source, revision_id=function.revision_id)
        return None

    def _publish(self) -> str:
        package = self.found.package
        revisions = package.revisions
        code = source_commit(self.to.project.root) or package.sha256
        self.outcome.version = self.to.functions.publish(
            self.to.stage.api,
            code_sha256=package.code_sha256,
            description=str(ReleaseNote(code, revisions.head, revisions.needed)),
        )
        return f"version {self._version}"

    def _smoke(self) -> str:
        self.outcome.checks = self._smoke_test.require(self._version)
        return ", ".join(map(str, self.outcome.checks))

    def _watch(self, canary: Canary) -> str:
        self.outcome.canary = self._traffic.watch(canary, self._version, self._smoke_test)
        return self.outcome.canary

    def _shift(self) -> str:
        self.outcome.url = self._traffic.shift(self._version)
        return f"{self.outcome.url.url} is version {self._version}"

    def _write_record(self, database: StageDatabase) -> None:
        package = self.found.package
        database.record(package.revisions, keep_alone(self.to.project.root, package))

    def _write_earlier_record(self, database: StageDatabase) -> str | None:
        status = self.found.status
        if status is None or status.live is None:
            return None
        database.record_again(status.live)
        return f"head {status.live.head or 'none'} is recorded as live again"

    def _prune(self) -> str:
        # The new version is live and recorded: nothing that fails from here on is a reason to return.
        try:
            deleted = prune(self.to.functions, self.to.stage.api, self.to.project.aws.versions)
        except InfraError as error:
            return f"not now: {error}"
        return ", ".join(version.number for version in deleted) or "there are none to delete"

    def _unlock(self) -> str | None:
        try:
            self._lock.release()
        except InfraError as error:
            return f"it stays locked until its deadline: {error}"
        return None

    def _database(self) -> StageDatabase:
        if self.to.database is None:
            raise AwsError(
                f"no database is known for stage {self.to.stage.name}",
                hint="write the API's connection string with: bough secrets set DATABASE_URL",
            )
        return self.to.database

    def _is_newest(self, function: Function) -> bool:
        return function.code_sha256 == self.found.package.code_sha256

    @property
    def _version(self) -> str:
        if self.outcome.version is None:
            message = "no version was published"
            raise AssertionError(message)
        return self.outcome.version.number

    @property
    def _smoke_test(self) -> Smoke:
        test = Smoke(self.to.functions, self.to.stage.api, self.to.project.smoke)
        return replace(test, host=urlsplit(self.found.url.url).netloc) if self.found.url else test


def _named(revisions: Sequence[Revision]) -> str:
    """Name revisions in a few words; none are those that an interrupted run has left half applied."""
    if not revisions:
        return "what was left half applied"
    first, last = revisions[0].id, revisions[-1].id
    return first if len(revisions) == 1 else f"{len(revisions)} revisions, {first} to {last}"
