"""`docs/reference/deployer_policy.json`: it allows what the code asks of AWS, and no more."""

from __future__ import annotations

import ast
import json
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[3]
POLICY = ROOT / "docs" / "reference" / "deployer_policy.json"

#: What the code calls its clients, and the services that these ask.
CLIENTS = {
    "_client": "lambda",
    "_invoker": "lambda",
    "functions": "lambda",
    "logs": "logs",
    "metrics": "cloudwatch",
    "objects": "s3",
    "parameters": "ssm",
    "stacks": "cloudformation",
}
#: Operations whose right is called otherwise.
RIGHTS = {
    "lambda:Invoke": {"lambda:InvokeFunction"},
    "s3:DeleteObjects": {"s3:DeleteObject", "s3:DeleteObjectVersion"},
    "s3:DownloadFile": {"s3:GetObject"},
    "s3:HeadObject": {"s3:GetObject", "s3:ListBucket"},
    "s3:ListObjectsV2": {"s3:ListBucket"},
    "s3:ListObjectVersions": {"s3:ListBucketVersions"},
    # With tags.
    "ssm:PutParameter": {"ssm:AddTagsToResource", "ssm:PutParameter"},
}

#: What osls asks while it deploys (its `lib/plugins/aws/deploy` and `lib`), and signed requests.
OTHERS = {
    "cloudformation:CreateStack",
    "cloudformation:DescribeStackResource",
    "cloudformation:DescribeStackResources",
    "cloudformation:ListStackResources",
    "cloudformation:UpdateStack",
    "cloudformation:ValidateTemplate",
    "lambda:InvokeFunctionUrl",
    "s3:GetBucketLocation",
}
#: Of what a stage is made; CloudFormation asks for it with the deployer's rights.
TYPES = {
    "AWS::CloudWatch::Alarm",
    "AWS::IAM::Role",
    "AWS::Lambda::Function",
    "AWS::Logs::LogGroup",
    "AWS::S3::Bucket",
    "AWS::S3::BucketPolicy",
}


def allowed() -> set[str]:
    statements = json.loads(POLICY.read_text())["Statement"]
    return {action for statement in statements for action in statement["Action"]}


def asked() -> dict[str, str]:
    """Return the rights that the code needs, with a place that needs each."""
    found = {}
    for folder in ("infra/aws", "scripts"):
        for file in sorted((ROOT / folder).rglob("*.py")):
            for operation, line in _operations(ast.parse(file.read_text())):
                for right in RIGHTS.get(operation, {operation}):
                    found[right] = f"{file.relative_to(ROOT)}:{line}"
    return found


def asked_by_types() -> set[str]:
    """Return the rights that CloudFormation's handlers of these types may use, as AWS publishes them."""
    import cfnlint

    found: set[str] = set()
    for file in (Path(cfnlint.__file__).parent / "data" / "schemas" / "resources").glob("*.json"):
        schema = json.loads(file.read_text())
        if schema.get("typeName") in TYPES:
            for handler in schema["handlers"].values():
                found.update(handler["permissions"])
    return found


def _operations(module: ast.Module) -> Iterator[tuple[str, int]]:
    for node in ast.walk(module):
        if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)):
            continue
        owner = node.func.value
        service = CLIENTS.get(owner.attr) if isinstance(owner, ast.Attribute) and _is_client(owner) else None
        name = node.func.attr
        if name == "get_paginator" and isinstance(node.args[0], ast.Constant):
            name = str(node.args[0].value)
        if service and name != "get_waiter":
            yield f"{service}:{''.join(word.capitalize() for word in name.split('_'))}", node.lineno


def _is_client(owner: ast.Attribute) -> bool:
    """Tell an account's client from what else is called `functions`."""
    holder = owner.value
    name = holder.attr if isinstance(holder, ast.Attribute) else getattr(holder, "id", None)
    return name in {"account", "_account"} or owner.attr in {"_client", "_invoker"}


class TestDeployerPolicy:
    def test_allows_what_the_code_asks(self) -> None:
        """A command that lacks a right fails at the user's first deploy: add it to the policy here."""
        missing = {right: place for right, place in asked().items() if right not in allowed()}
        assert missing == {}

    @pytest.mark.prove
    def test_allows_nothing_that_nobody_asks(self) -> None:
        """Neither this code, nor osls, nor CloudFormation for what a stage is made of."""
        assert allowed() - asked().keys() - OTHERS - asked_by_types() == set()

    def test_names_the_resources_of_one_service(self) -> None:
        """Everything else of the account is out of reach, but for what AWS cannot restrict."""
        statements = json.loads(POLICY.read_text())["Statement"]
        unbound = {
            action
            for statement in statements
            if "SERVICE" not in statement["Resource"]
            for action in statement["Action"]
        }
        assert unbound == {
            "cloudformation:ValidateTemplate",
            "cloudwatch:DescribeAlarms",
            "cloudwatch:GetMetricData",
            "lambda:GetAccountSettings",
            "lambda:GetLayerVersion",
            "lambda:ListFunctions",
            "logs:DescribeLogGroups",
            "logs:DescribeResourcePolicies",
        }
