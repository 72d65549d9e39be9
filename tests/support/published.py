"""Functions on the AWS of a test, with versions that say which one they are."""

from __future__ import annotations

import json
import zipfile
from typing import TYPE_CHECKING, Final

from infra.aws.function import Configuration
from infra.aws.functions import Functions
from infra.aws.stage import LIVE
from infra.aws.target import Target
from infra.aws.uploads import SentCode

if TYPE_CHECKING:
    from pathlib import Path

    from infra.aws.account import Account
    from infra.aws.function import Alias, Function, Version
    from infra.aws.release_note import ReleaseNote

_HANDLER: Final = """
import json

def handler(event, context):
    path = event["rawPath"]
    body = {{"code": {code!r}, "path": path, "headers": event["headers"], "body": event.get("body")}}
    metrics = {{"Namespace": "shop", "Dimensions": [["Place"]], "Metrics": [{{"Name": "Questions"}}]}}
    counted = {{"_aws": {{"Timestamp": 0, "CloudWatchMetrics": [metrics]}}, "Place": "here", "Questions": 1}}
    print(json.dumps({{"level": "INFO", "message": "asked", "path": path, **counted}}))
    if path == "/raises":
        raise ValueError("no such thing")
    status = 500 if path in {fails!r} else 200
    headers = {{"content-type": "application/json"}}
    return {{"statusCode": status, "headers": headers, "body": json.dumps(body)}}
"""

_LOGS: Final = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Action": "logs:*", "Resource": "*"}],
}


def role(account: Account, name: str = "tests") -> str:
    """Return the ARN of a role that may write logs, and do nothing else."""
    iam = account.session.client("iam", endpoint_url=account.endpoint)
    try:
        arn = iam.create_role(RoleName=name, AssumeRolePolicyDocument="{}")["Role"]["Arn"]
    except iam.exceptions.EntityAlreadyExistsException:
        return iam.get_role(RoleName=name)["Role"]["Arn"]
    iam.put_role_policy(RoleName=name, PolicyName="logs", PolicyDocument=json.dumps(_LOGS))
    return arn


def zipped(folder: Path, code: str, *, fails: tuple[str, ...] = ()) -> SentCode:
    """Return the zip of a function that answers with `code`, and with 500 on the paths that it `fails`."""
    file = folder / f"{code}.zip"
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("app.py", _HANDLER.format(code=code, fails=fails))
    return SentCode(file)


def logging_role(account: Account) -> str:
    """Return the ARN of a role that may write logs."""
    arn = role(account, "logs")
    policy = {
        "Version": "2012-10-17",
        "Statement": [{"Effect": "Allow", "Action": "logs:*", "Resource": "*"}],
    }
    iam = account.session.client("iam", endpoint_url=account.endpoint)
    iam.put_role_policy(RoleName="logs", PolicyName="logs", PolicyDocument=json.dumps(policy))
    return arn


def make(account: Account, name: str, code: SentCode, role_arn: str | None = None) -> Function:
    """Make a function, with a role that may do nothing unless one is given."""
    target = Target.this_machine()
    configuration = Configuration(
        "app.handler", role_arn or role(account), target.runtime, target.architecture, memory=512, timeout=15
    )
    return Functions(account).create(name, code, configuration, tags={"bough:service": "shop"})


def publish(account: Account, name: str, code: SentCode, note: ReleaseNote | None = None) -> Version:
    """Publish a version of a function, made unless it is there."""
    functions = Functions(account)
    if (found := functions.find(name)) is None:
        found = make(account, name, code)
    else:
        found = functions.update_code(name, code, revision_id=found.revision_id)
    return functions.publish(name, code_sha256=found.code_sha256, description=str(note or ""))


def lead(account: Account, name: str, version: str, **weights: float) -> Alias:
    """Have the alias `live` lead to a version, and by `v2=0.1` to others."""
    functions = Functions(account)
    live = functions.alias(name, LIVE)
    shares = {number.removeprefix("v"): share for number, share in weights.items()}
    revision_id, before = (live.revision_id, live.before_at(version)) if live else (None, None)
    return functions.point(name, LIVE, version, weights=shares, revision_id=revision_id, before=before)
