"""What a deploy finds before it changes anything, and what of it must change."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from infra.aws.functions import Functions
from infra.aws.package import Kind, build_package
from infra.aws.secrets import Secrets
from infra.aws.stack import Stack
from infra.aws.stage import LIVE

if TYPE_CHECKING:
    from pathlib import Path

    from infra.aws.account import Account
    from infra.aws.function import Alias, Function, FunctionUrl
    from infra.aws.package import Package
    from infra.aws.release_database import StageDatabase
    from infra.aws.remote_migrations import RemoteMigrations
    from infra.aws.stack import StackChange
    from infra.aws.stage import Stage
    from infra.aws.target import Target
    from infra.config import Project
    from infra.migrate.status import Status

#: What the API of a stage reads, and a first deploy fills in.
SECRETS: Final = ("DATABASE_URL", "AUTH_SECRET")


@dataclass(frozen=True)
class Deployment:
    """What is deployed, and where to.

    Args:
        project: Whose code.
        account: Where.
        stage: As what.
        database: That it works on; `None` for a project without migrations, and where `remote` is given.
        target: What the artifact is built for.
        dist: The folder that it is built in.
        remote: What alone reaches the database; its state is not known here, and nothing is rehearsed.
    """

    project: Project
    account: Account
    stage: Stage
    database: StageDatabase | None
    target: Target
    dist: Path
    remote: RemoteMigrations | None = None
    functions: Functions = field(init=False, repr=False)
    stack: Stack = field(init=False, repr=False)
    secrets: Secrets = field(init=False, repr=False)

    def __post_init__(self) -> None:
        """Make what acts on the account; nothing is asked yet."""
        object.__setattr__(self, "functions", Functions(self.account))
        object.__setattr__(self, "stack", Stack(self.project, self.account, self.stage))
        object.__setattr__(self, "secrets", Secrets(self.account, self.stage))


@dataclass(frozen=True, slots=True)
class Outlook:
    """A stage as it was found, beside what it shall be.

    Args:
        package: What was built.
        status: The database beside the code; `None` without migrations.
        change: What is different in the stack; `None` for nothing.
        missing: The API's secrets that nobody has written yet.
        newest: The function's newest code and settings; `None` before the first deploy.
        live: The code and settings of the live version; `None` where there is none.
        alias: Where `live` leads; `None` where there is none.
        url: Where the alias answers; `None` where it does not.
    """

    package: Package
    status: Status | None
    change: StackChange | None
    missing: tuple[str, ...]
    newest: Function | None
    live: Function | None
    alias: Alias | None
    url: FunctionUrl | None

    @property
    def code_is_live(self) -> bool:
        """Whether all requests reach this very code, with the function's newest settings."""
        return (
            self.alias is not None
            and not self.alias.weights
            and self.live is not None
            and self.newest is not None
            and self.live.code_sha256 == self.package.code_sha256
            and self.live.configuration == self.newest.configuration
            and self.live.settings == self.newest.settings
        )

    @property
    def must_release(self) -> bool:
        """Whether a version is to be published, or led to."""
        return self.change is not None or not self.code_is_live or self.url is None

    @property
    def must_rehearse(self) -> bool:
        """Whether revisions run that live code could be hurt by: an empty database has none."""
        return self.must_migrate and self.status is not None and bool(self.status.current)

    @property
    def must_migrate(self) -> bool:
        """Whether revisions may run now."""
        return self.status is not None and (bool(self.status.allowed.run) or bool(self.status.half_done))

    @property
    def must_record(self) -> bool:
        """Whether the database does not know yet which code is live."""
        if self.status is None or self.package.revisions.head is None:
            return False
        live = self.status.live
        return self.must_release or live is None or live.revisions != frozenset(self.package.revisions.known)


def look(deployment: Deployment) -> Outlook:
    """Build the packages, and read all that a deploy depends on; nothing is changed.

    Raises:
        InfraError: Something cannot be built or read, or the database is ahead of the code.
    """
    project, database = deployment.project, deployment.database
    with ThreadPoolExecutor(1) as threads:
        # The database answers while the packages are built.
        status = threads.submit(database.status) if database is not None else None
        package = build_package(project, deployment.dist, target=deployment.target)
        build_package(project, deployment.dist, target=deployment.target, kind=Kind.MIGRATE)
        change = deployment.stack.change(deployment.dist)
        return read(deployment, package, change, status.result() if status is not None else None)


def read(
    deployment: Deployment, package: Package, change: StackChange | None, status: Status | None
) -> Outlook:
    """Read what is deployed, beside a package, a change of the stack and the state of the database.

    Raises:
        AwsError: As AWS does.
    """
    functions, name = deployment.functions, deployment.stage.api
    secrets = {secret.name for secret in deployment.secrets.list("api")}
    newest = functions.find(name)
    alias = functions.alias(name, LIVE) if newest is not None else None
    return Outlook(
        package=package,
        status=status,
        change=change,
        missing=tuple(each for each in SECRETS if each not in secrets),
        newest=newest,
        live=functions.find(name, alias.version) if alias is not None else None,
        alias=alias,
        url=functions.url(name, LIVE) if alias is not None else None,
    )
