"""Stages on the AWS of a test whose code is one small module, and whose stack is one bucket."""

from __future__ import annotations

import hashlib
import itertools
import json
import secrets
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from infra.aws.deploy_lock import DeployLock
from infra.aws.package import Kind, Package
from infra.aws.release import Deploy, Wishes
from infra.aws.release_database import StageDatabase
from infra.aws.release_outlook import Deployment, read
from infra.aws.sources import Revisions
from infra.aws.stage import LIVE, Stage
from infra.aws.target import Target
from infra.config_tables import StageSettings
from infra.plan import execute
from tests.support.forks import target_of
from tests.support.published import make, zipped

if TYPE_CHECKING:
    from pathlib import Path

    from infra.aws.account import Account
    from infra.plan import Progress
    from infra.testing.databases import Database, World
    from tests.support.histories import History

#: What releases look up in a stack.
_TEMPLATE: Final = json.dumps(
    {
        "Resources": {"Bucket": {"Type": "AWS::S3::Bucket"}},
        "Outputs": {
            "ServerlessDeploymentBucketName": {"Value": {"Ref": "Bucket"}},
            "PreviewRoleArn": {"Value": "arn:aws:iam::123456789012:role/preview"},
        },
    }
)
_numbers = itertools.count()


@dataclass
class SmallStage:
    """A stage that has a function and no version yet, and a database with one revision's history.

    Args:
        deployment: For releases.
        folder: For its zips.
        said: What deploys announced.
        news: Of the steps.
    """

    deployment: Deployment
    folder: Path
    said: list[str]
    news: list[Progress]

    @property
    def name(self) -> str:
        """Of its function."""
        return self.deployment.stage.api

    def package(self, code: str, *, fails: tuple[str, ...] = ()) -> Package:
        """Return the package of code that answers with its name, and with 500 on what it fails."""
        return packaged(self.deployment, self.folder, code, fails)

    def deploy(self, package: Package, wishes: Wishes | None = None) -> Deploy:
        """Plan to deploy a package."""
        database = self.deployment.database
        status = database.status() if database is not None else None
        outlook = read(self.deployment, package, None, status)
        lock = DeployLock(
            self.deployment.account, self.deployment.stage, "a test", timedelta(hours=1), self.said.append
        )
        return Deploy(self.deployment, outlook, wishes or Wishes(), lock, self.said.append)

    def run(self, package: Package, wishes: Wishes | None = None) -> Deploy:
        """Deploy a package."""
        made = self.deploy(package, wishes)
        execute(made.steps(), self.news.append)
        return made

    @property
    def shares(self) -> dict[str, float] | None:
        """Shares of the requests by version; `None` where nothing is live."""
        alias = self.deployment.functions.alias(self.name, LIVE)
        return alias.shares if alias is not None else None


def small_stage(
    account: Account, history: History, database: Database, world: World, folder: Path
) -> SmallStage:
    """Make a stage with a function, a bucket, its secrets and an empty database."""
    stage = Stage("small", f"s{next(_numbers)}-{secrets.token_hex(2)}", StageSettings())
    account.stacks.create_stack(StackName=stage.stack, TemplateBody=_TEMPLATE)
    make(account, stage.api, zipped(folder, "made"))
    said: list[str] = []
    own = StageDatabase(history.project, target_of(database, world), lambda: database.pooled, said.append)
    deployment = Deployment(history.project, account, stage, own, Target.this_machine(), folder)
    return SmallStage(deployment, folder, said, [])


def packaged(deployment: Deployment, folder: Path, code: str, fails: tuple[str, ...]) -> Package:
    """Return small code as if it had been packaged from the project as it is."""
    file = folder / f"{code}.zip"
    if not file.is_file():
        # A zip holds the time, so that it is another one every two seconds.
        zipped(folder, code, fails=fails)
    content = file.read_bytes()
    known = tuple(
        path.stem for path in sorted((deployment.project.root / "migrations" / "versions").glob("*.py"))
    )
    return Package(
        zip=file,
        handler="app.handler",
        sha256=hashlib.sha256(content).hexdigest(),
        size=len(content),
        unzipped=len(content),
        target=deployment.target,
        revisions=Revisions(known[-1], known[-1], known) if known else Revisions(),
        kind=Kind.API,
        compiled_by=None,
    )
