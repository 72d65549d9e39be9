"""Stacks on the AWS of this machine: kinds of resources that moto lacks, and updates that are some."""

from __future__ import annotations

import base64
import json
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import httpx2
import pytest

from tests.support.deployed_functions import ARCHITECTURE, EXTENSION, PUBLIC, RUNTIME, code

if TYPE_CHECKING:
    from tests.support.deployed_functions import Deployer

pytestmark = pytest.mark.prove


def _template(role: str, key: str, release: str, days: int) -> str:
    """Return a stack's template; its version's logical id changes with the release, as osls's does."""
    version, api = f"Version{release}", {"Ref": "Api"}
    permissions = {
        f"Permission{index}": {
            "Type": "AWS::Lambda::Permission",
            "Properties": {
                "FunctionName": {"Ref": "Live"},
                "Principal": "*",
                **{name: value for name, value in each.items() if name != "StatementId"},
            },
        }
        for index, each in enumerate(PUBLIC)
    }
    resources: dict[str, Any] = {
        "Logs": {
            "Type": "AWS::Logs::LogGroup",
            "Properties": {"LogGroupName": "/aws/lambda/stacked", "RetentionInDays": days},
        },
        "Function": {
            "Type": "AWS::Lambda::Function",
            "Properties": {
                "FunctionName": "stacked",
                "Handler": "function.handler",
                "Runtime": RUNTIME,
                "Architectures": [ARCHITECTURE],
                "Layers": [EXTENSION],
                "Role": role,
                "Code": {"S3Bucket": "stacked", "S3Key": key},
                "Environment": {"Variables": {"RELEASE": release}},
            },
        },
        version: {
            "Type": "AWS::Lambda::Version",
            "DeletionPolicy": "Retain",
            "Properties": {"FunctionName": {"Ref": "Function"}},
        },
        "Live": {
            "Type": "AWS::Lambda::Alias",
            "Properties": {
                "FunctionName": {"Ref": "Function"},
                "FunctionVersion": {"Fn::GetAtt": [version, "Version"]},
                "Name": "live",
            },
        },
        "Url": {
            "Type": "AWS::Lambda::Url",
            "DependsOn": "Live",
            "Properties": {
                "TargetFunctionArn": {"Fn::GetAtt": ["Function", "Arn"]},
                "Qualifier": "live",
                "AuthType": "NONE",
            },
        },
        "Alarm": {
            "Type": "AWS::CloudWatch::Alarm",
            "Properties": {
                "AlarmName": "stacked-errors",
                "Namespace": "AWS/Lambda",
                "MetricName": "Errors",
                "Statistic": "Sum",
                "Period": 300,
                "EvaluationPeriods": 1,
                "Threshold": days,
                "ComparisonOperator": "GreaterThanOrEqualToThreshold",
            },
        },
        "Api": {"Type": "AWS::ApiGatewayV2::Api", "Properties": {"Name": "stacked", "ProtocolType": "HTTP"}},
        "Integration": {
            "Type": "AWS::ApiGatewayV2::Integration",
            "Properties": {
                "ApiId": api,
                "IntegrationType": "AWS_PROXY",
                "IntegrationUri": {"Ref": "Live"},
                "PayloadFormatVersion": "2.0",
            },
        },
        "Route": {
            "Type": "AWS::ApiGatewayV2::Route",
            "Properties": {
                "ApiId": api,
                "RouteKey": "$default",
                "Target": {"Fn::Join": ["/", ["integrations", {"Ref": "Integration"}]]},
            },
        },
        "Stage": {
            "Type": "AWS::ApiGatewayV2::Stage",
            "Properties": {"ApiId": api, "StageName": "$default", "AutoDeploy": True},
        },
        **permissions,
    }
    outputs = {
        "Url": {"Value": {"Fn::GetAtt": ["Url", "FunctionUrl"]}},
        "Endpoint": {"Value": {"Fn::GetAtt": ["Api", "ApiEndpoint"]}},
    }
    return json.dumps({"Resources": resources, "Outputs": outputs})


_SAYS = "import os\ndef handler(e, c): return {word!r} + os.environ['RELEASE'] + c.function_version"


class TestStacks:
    def test_a_second_update_is_one(self, deployer: Deployer) -> None:
        """Code, settings, version, alias, retention and alarm are new; deleting it leaves nothing."""
        account = deployer.account
        account.objects.create_bucket(Bucket="stacked")
        for word in ("one", "two"):
            account.objects.put_object(Bucket="stacked", Key=word, Body=code(_SAYS.format(word=word)))
        role = deployer.role("stacked")
        account.stacks.create_stack(StackName="stacked", TemplateBody=_template(role, "one", "A", 14))
        stack = account.stacks.describe_stacks(StackName="stacked")["Stacks"][0]
        outputs = {each["OutputKey"]: each["OutputValue"] for each in stack["Outputs"]}
        assert outputs["Endpoint"].startswith("https://")
        assert httpx2.get(outputs["Url"]).text == "oneA1"
        configuration = deployer.client.get_function_configuration(FunctionName="stacked")
        assert configuration["Architectures"] == [ARCHITECTURE]
        assert [layer["Arn"] for layer in configuration["Layers"]] == [EXTENSION]

        account.stacks.update_stack(StackName="stacked", TemplateBody=_template(role, "two", "B", 30))
        assert httpx2.get(outputs["Url"]).text == "twoB2"
        group = account.logs.describe_log_groups(logGroupNamePrefix="/aws/lambda/stacked")["logGroups"][0]
        assert group["retentionInDays"] == 30
        assert account.logs.filter_log_events(logGroupName="/aws/lambda/stacked")["events"]
        alarm = account.metrics.describe_alarms(AlarmNames=["stacked-errors"])["MetricAlarms"][0]
        assert alarm["Threshold"] == 30
        versions = deployer.client.list_versions_by_function(FunctionName="stacked")["Versions"]
        assert [each["Version"] for each in versions] == ["$LATEST", "1", "2"]

        account.stacks.delete_stack(StackName="stacked")
        assert account.metrics.describe_alarms(AlarmNames=["stacked-errors"])["MetricAlarms"] == []
        with pytest.raises(httpx2.ConnectError):
            httpx2.get(outputs["Url"])
        assert all(
            each["FunctionName"] != "stacked" for each in deployer.client.list_functions()["Functions"]
        )

    def test_a_deleted_stack_makes_nothing_anew(self, deployer: Deployer) -> None:
        """Its outputs are what they were; who waits for its end reads them."""
        stacks, objects = deployer.account.stacks, deployer.account.objects
        output = {"Value": {"Ref": "Bucket"}, "Export": {"Name": "ended-bucket"}}
        template = {"Resources": {"Bucket": {"Type": "AWS::S3::Bucket"}}, "Outputs": {"Bucket": output}}
        before = {each["Name"] for each in objects.list_buckets()["Buckets"]}
        made = stacks.create_stack(StackName="ended", TemplateBody=json.dumps(template))["StackId"]
        (bucket,) = {each["Name"] for each in objects.list_buckets()["Buckets"]} - before
        stacks.delete_stack(StackName="ended")
        (ended,) = stacks.describe_stacks(StackName=made)["Stacks"]
        assert (ended["StackStatus"], ended["Outputs"][0]["OutputValue"]) == ("DELETE_COMPLETE", bucket)
        assert {each["Name"] for each in objects.list_buckets()["Buckets"]} == before


class TestPreconditions:
    def test_versions_numbers_are_not_used_twice(self, deployer: Deployer) -> None:
        """Nor is a version deleted that an alias leads to, or published when nothing has changed."""
        deployer.function("numbered", "def handler(e, c): return 1")
        client = deployer.client
        assert client.publish_version(FunctionName="numbered")["Version"] == "1"
        assert client.publish_version(FunctionName="numbered")["Version"] == "1"
        client.update_function_configuration(FunctionName="numbered", MemorySize=256)
        assert client.publish_version(FunctionName="numbered")["Version"] == "2"
        client.create_alias(FunctionName="numbered", Name="live", FunctionVersion="2")
        with pytest.raises(client.exceptions.ResourceConflictException):
            client.delete_function(FunctionName="numbered", Qualifier="2")
        client.delete_function(FunctionName="numbered", Qualifier="1")
        client.update_function_configuration(FunctionName="numbered", MemorySize=128)
        assert client.publish_version(FunctionName="numbered")["Version"] == "3"

    def test_revisions_and_hashes_are_checked(self, deployer: Deployer) -> None:
        """What was read before somebody else's change does not do."""
        made = deployer.function("guarded", "def handler(e, c): return 1")
        client = deployer.client
        client.update_function_configuration(FunctionName="guarded", Description="other")
        stale = {"FunctionName": "guarded", "RevisionId": made["RevisionId"]}
        with pytest.raises(client.exceptions.PreconditionFailedException):
            client.update_function_code(ZipFile=code(""), **stale)
        with pytest.raises(client.exceptions.InvalidParameterValueException, match="CodeSHA256"):
            client.publish_version(FunctionName="guarded", CodeSha256=base64.b64encode(b"x" * 32).decode())
        with pytest.raises(client.exceptions.PreconditionFailedException):
            client.add_permission(StatementId="a", Action="lambda:*", Principal="*", **stale)

    def test_variables_of_lambdas_own_are_refused(self, deployer: Deployer) -> None:
        """Whoever makes or changes the function."""
        client, wanted = deployer.client, {"Variables": {"AWS_REGION": "eu-central-1"}}
        with pytest.raises(client.exceptions.InvalidParameterValueException, match="request: AWS_REGION"):
            deployer.function("reserved", "", Environment=wanted)
        deployer.function("varied", "")
        with pytest.raises(client.exceptions.InvalidParameterValueException, match="request: AWS_REGION"):
            client.update_function_configuration(FunctionName="varied", Environment=wanted)

    def test_a_function_is_deleted_once(self, deployer: Deployer) -> None:
        """Whoever asks at the same time learns that it is gone."""
        deployer.function("unwanted", "")
        deployer.client.create_function_url_config(FunctionName="unwanted", AuthType="NONE")
        with ThreadPoolExecutor() as threads:
            asked = [threads.submit(deployer.client.delete_function, FunctionName="unwanted") for _ in "abc"]
        errors = [each.exception() for each in asked]
        assert errors.count(None) == 1
        assert sum("ResourceNotFoundException" in str(each) for each in errors) == 2

    def test_the_newest_code_is_no_version_to_delete(self, deployer: Deployer) -> None:
        """It goes with the function."""
        deployer.function("newest", "")
        with pytest.raises(deployer.client.exceptions.InvalidParameterValueException, match="LATEST"):
            deployer.client.delete_function(FunctionName="newest", Qualifier="$LATEST")
