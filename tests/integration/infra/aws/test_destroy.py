"""A stage's end: what it finds, and that nothing is left, on the AWS of this machine."""

from __future__ import annotations

import itertools
import json
from datetime import timedelta
from typing import TYPE_CHECKING, Final

import pytest

from infra.aws import destroy
from infra.aws.deploy_lock import DeployLock, DeployRunningError
from infra.aws.functions import Functions
from infra.aws.secrets import Secrets
from infra.aws.stack import Stack
from infra.aws.stage import LIVE, Stage
from infra.config import Project
from infra.config_tables import StageSettings
from infra.plan import execute
from tests.support.published import lead, make, publish, zipped

if TYPE_CHECKING:
    from pathlib import Path

    from infra.aws.account import Account
    from infra.plan import Progress, Step

_numbers = itertools.count()

#: What of a stage's stack counts here.
TEMPLATE: Final = {
    "Resources": {"Bucket": {"Type": "AWS::S3::Bucket"}},
    "Outputs": {
        "ServerlessDeploymentBucketName": {"Value": {"Ref": "Bucket"}},
        "PreviewRoleArn": {"Value": "arn:aws:iam::123456789012:role/preview"},
    },
}


def names(account: Account) -> set[str]:
    """Return everything in the account that has a name."""
    functions, logs = account.functions.list_functions(), account.logs.describe_log_groups()
    stacks = account.stacks.list_stacks(StackStatusFilter=["CREATE_COMPLETE", "DELETE_FAILED"])
    # Ten a page; those of other tests are among them.
    parameters = account.parameters.get_paginator("describe_parameters").paginate()
    return {
        *(each["FunctionName"] for each in functions["Functions"]),
        *(each["logGroupName"] for each in logs["logGroups"]),
        *(each["StackName"] for each in stacks["StackSummaries"]),
        *(each["Name"] for page in parameters for each in page["Parameters"]),
        *(each["Name"] for each in account.objects.list_buckets()["Buckets"]),
    }


class Deployed:
    """A stage with one of each thing that a stage can have, and a neighbour whose name begins as its does."""

    def __init__(self, account: Account, folder: Path) -> None:
        self.account = account
        name = f"d{next(_numbers)}"
        self.stage = Stage("shop", name, StageSettings())
        self.neighbour = Stage("shop", f"{name}-eu", StageSettings())
        self.stack = Stack(Project(folder, "shop"), account, self.stage)
        account.stacks.create_stack(StackName=self.stage.stack, TemplateBody=json.dumps(TEMPLATE))
        bucket = self.stack.outputs().bucket
        account.objects.put_object(Bucket=bucket, Key="artifacts/1.zip", Body=b"1")
        code = zipped(folder, "one")
        for name in (self.stage.migrate, self.stage.preview(7), self.neighbour.api):
            make(account, name, code)
        publish(account, self.stage.api, code)
        lead(account, self.stage.api, "1")
        self.url = Functions(account).ensure_url(self.stage.api, LIVE, "NONE").url
        for stage in (self.stage, self.neighbour):
            Secrets(account, stage).put("api", "AUTH_SECRET", "secret")
        for name in (self.stage.api, self.stage.preview(7), self.neighbour.api):
            # A function that has run has made it.
            if (group := f"/aws/lambda/{name}") not in names(account):
                account.logs.create_log_group(logGroupName=group)

    def lock(self) -> DeployLock:
        return DeployLock(self.account, self.stage, "here", timedelta(minutes=5), lambda _: None)

    def steps(self) -> list[Step]:
        found = destroy.find(self.account, self.stage, self.stack)
        return destroy.steps(self.account, self.stage, self.stack, found, self.lock())


@pytest.fixture
def deployed(account: Account, tmp_path: Path) -> Deployed:
    return Deployed(account, tmp_path)


def ignore(_: Progress) -> None:
    """Watch nothing."""


class TestDestroy:
    """`destroy.find` and `destroy.steps`."""

    @pytest.mark.prove
    def test_leaves_nothing_of_the_stage_and_all_of_others(self, account: Account, tmp_path: Path) -> None:
        """Each thing was listed before; the second time there is nothing to do."""
        before = names(account)
        deployed = Deployed(account, tmp_path)
        stage, stack, neighbour = deployed.stage, deployed.stack, deployed.neighbour
        assert list(destroy.find(account, stage, stack).rows()) == [
            ("url", deployed.url),
            ("function", stage.api),
            ("function", stage.migrate),
            ("versions", "1"),
            ("preview", stage.preview(7)),
            ("stack", stage.stack),
            ("artifacts", "1"),
            ("parameter", stage.parameter("api", "AUTH_SECRET")),
            ("log group", f"/aws/lambda/{stage.api}"),
            ("log group", f"/aws/lambda/{stage.preview(7)}"),
        ]
        execute(deployed.steps(), ignore)
        assert names(account) - before == {
            neighbour.api,
            f"/aws/lambda/{neighbour.api}",
            neighbour.parameter("api", "AUTH_SECRET"),
        }
        assert list(destroy.find(account, stage, stack).rows()) == []

    @pytest.mark.prove
    def test_waits_for_no_deploy(self, deployed: Deployed) -> None:
        """It says who deploys, and has removed nothing."""
        other = deployed.lock()
        other.take()
        before = names(deployed.account)
        with pytest.raises(DeployRunningError):
            execute(deployed.steps(), ignore)
        assert names(deployed.account) == before
        other.release()
