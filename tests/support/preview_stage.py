"""A stage on the AWS of this machine that previews are made of, with a database at a control plane."""

from __future__ import annotations

import json
import subprocess
import sys
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

import psycopg

from infra.aws.secrets import Secrets
from infra.aws.stage import find_stage
from infra.branches.identity import BranchIdentity
from infra.branches.neon.provider import NeonProvider
from infra.branches.provider import DatabaseRole
from infra.config import load_project
from infra.context import ProviderName
from infra.migrate import runner
from tests.support.deployed_functions import ARCHITECTURE, RUNTIME
from tests.support.histories import empty_history
from tests.support.published import make, zipped

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from api.database.connection_url import DirectUrl
    from infra.aws.account import Account
    from tests.support.histories import History
    from tests.support.neon_api import NeonApi
    from tests.support.recording_proxy import RecordingProxy

#: What of a stage's stack counts here.
TEMPLATE: Final = {
    "Resources": {"Bucket": {"Type": "AWS::S3::Bucket"}},
    "Outputs": {
        "ServerlessDeploymentBucketName": {"Value": {"Ref": "Bucket"}},
        "PreviewRoleArn": {"Value": "arn:aws:iam::123456789012:role/tests"},
    },
}
PROJECT: Final = """
[project]
name = "previewed"
version = "1"
requires-python = ">=3.11"
"""
PACKAGE: Final = """[tool.bough]
app = "app:app"
handler = "app.handler"
"""
AWS: Final = f"""
[tool.bough.aws]
runtime = "{RUNTIME}"
architecture = "{ARCHITECTURE}"
"""
APP: Final = """
def handler(event, context):
    return {"statusCode": 200, "body": "first"}
"""


@dataclass(frozen=True)
class Shop:
    """A deployed stage: its account, its project with one revision applied, and what its branches are."""

    account: Account
    history: History
    provider: NeonProvider
    proxy: RecordingProxy
    environment: dict[str, str]

    number: int = 12

    @property
    def function(self) -> str:
        return f"previewed-production-pr-{self.number}"

    def database(self) -> DirectUrl:
        return self.provider.direct_url(f"pr-{self.number}", DatabaseRole.OWNER)

    def secrets(self) -> Secrets:
        return Secrets(self.account, find_stage(self.history.project))

    def left(self) -> list[str]:
        """Return everything that has the preview's number in its name."""
        names = [
            *(each["FunctionName"] for each in self.account.functions.list_functions()["Functions"]),
            *(each["logGroupName"] for each in self.account.logs.describe_log_groups()["logGroups"]),
            *(secret.parameter for secret in self.secrets().list("preview")),
            *(branch.name for branch in self.provider.list()),
        ]
        return [name for name in names if f"pr-{self.number}" in name]


@contextmanager
def deployed_shop(account: Account, api: NeonApi, as_neon: dict[str, str], folder: Path) -> Iterator[Shop]:
    """Make the stage, with a column `a` of one row in its database."""
    project_id = api.new_project()
    with (
        empty_history(folder) as empty,
        NeonProvider(project_id, api.api_key, base_url=api.base_url, announce=lambda _: None) as provider,
    ):
        root = empty.project.root
        file = root / "pyproject.toml"
        file.write_text(PROJECT + file.read_text().replace("[tool.bough]\n", PACKAGE) + AWS)
        (root / "app.py").write_text(APP)
        subprocess.run([sys.executable, "-m", "uv", "lock", "--quiet", "--offline"], cwd=root, check=True)
        history = replace(empty, project=load_project(root))
        history.write("one", None, "op.execute('CREATE TABLE a (id int)')")
        main = provider.list()[0]
        url = provider.direct_url(main.id, DatabaseRole.OWNER)
        runner.apply(history.project, url, expected=BranchIdentity.of(ProviderName.NEON, main))
        with psycopg.connect(url.libpq()) as connection:
            connection.execute("INSERT INTO a VALUES (1)")
        stage = find_stage(history.project)
        account.stacks.create_stack(StackName=stage.stack, TemplateBody=json.dumps(TEMPLATE))
        make(account, stage.api, zipped(root, "api"))
        environment = {
            **account.environment(),
            **as_neon,
            "NEON_PROJECT_ID": project_id,
        }
        yield Shop(account, history, provider, api.proxy, environment)
