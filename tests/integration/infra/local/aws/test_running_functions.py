"""Functions that were deployed to the AWS of this machine run, as they were when they were published."""

from __future__ import annotations

import base64
import time
from typing import TYPE_CHECKING, Any

import httpx2
import pytest
from botocore.exceptions import ClientError

from tests.support.deployed_functions import PUBLIC, code

if TYPE_CHECKING:
    from tests.support.deployed_functions import Deployer

#: As little of a signature as tells the service.
_AUTHORIZED = {"Authorization": "AWS4-HMAC-SHA256 Credential=local/20260101/us-east-1/lambda/aws4_request"}

_WHO = """
    import os

    def handler(event, context):
        print("was asked", event)
        return {
            "event": event,
            "name": context.function_name,
            "version": context.function_version,
            "arn": context.invoked_function_arn,
            "memory": context.memory_limit_in_mb,
            "word": os.environ.get("WORD"),
            "endpoint": os.environ["AWS_ENDPOINT_URL"],
        }
"""


class TestInvoke:
    def test_runs_the_code_with_the_functions_settings(self, deployer: Deployer) -> None:
        """The function learns its name, ARN, memory and variables; its log comes along."""
        made = deployer.function("who", _WHO, Environment={"Variables": {"WORD": "tree"}})
        answer = deployer.invoke("who", {"a": 1}, LogType="Tail")
        assert answer["Payload"] == {
            "event": {"a": 1},
            "name": "who",
            "version": "$LATEST",
            "arn": made["FunctionArn"],
            "memory": "512",
            "word": "tree",
            "endpoint": deployer.access.endpoint,
        }
        assert answer["ExecutedVersion"] == "$LATEST"
        assert "FunctionError" not in answer
        lines = base64.b64decode(answer["LogResult"]).decode().splitlines()
        assert lines[0].startswith("START RequestId: ")
        assert lines[1] == "was asked {'a': 1}"
        assert lines[3].startswith("REPORT RequestId: ")

    def test_a_version_stays_what_it_was(self, deployer: Deployer) -> None:
        """Code and variables that come later reach neither a version nor the alias that leads to it."""
        deployer.function("old", "def handler(e, c): return 'one'")
        first = deployer.client.publish_version(FunctionName="old")["Version"]
        arn = deployer.client.create_alias(FunctionName="old", Name="live", FunctionVersion=first)["AliasArn"]
        deployer.client.update_function_code(
            FunctionName="old", ZipFile=code("def handler(e, c): return [c.invoked_function_arn, 'two']")
        )
        assert deployer.invoke("old", Qualifier="1")["Payload"] == "one"
        assert deployer.invoke(arn)["Payload"] == "one"
        assert deployer.invoke("old")["Payload"][1] == "two"
        second = deployer.client.publish_version(FunctionName="old")["Version"]
        deployer.client.update_alias(FunctionName="old", Name="live", FunctionVersion=second)
        answer = deployer.invoke("old", Qualifier="live")
        assert answer["Payload"] == [arn, "two"]
        assert answer["ExecutedVersion"] == "2"

    @pytest.mark.prove
    def test_weights_of_an_alias_share_the_requests(self, deployer: Deployer) -> None:
        """With the other version's weight at 1 all requests reach that one."""
        deployer.function("shared", "def handler(e, c): return 'one'")
        deployer.client.publish_version(FunctionName="shared")
        deployer.client.update_function_code(
            FunctionName="shared", ZipFile=code("def handler(e, c): return 2")
        )
        deployer.client.publish_version(FunctionName="shared")
        weights = {"AdditionalVersionWeights": {"2": 1.0}}
        deployer.client.create_alias(
            FunctionName="shared", Name="live", FunctionVersion="1", RoutingConfig=weights
        )
        assert {deployer.invoke("shared", Qualifier="live")["ExecutedVersion"] for _ in range(5)} == {"2"}

    @pytest.mark.prove
    def test_an_exception_is_an_unhandled_error(self, deployer: Deployer) -> None:
        """The error comes as Lambda reports it, with its type and message."""
        deployer.function("broken", "def handler(e, c): raise ValueError('no')")
        answer = deployer.invoke("broken")
        assert answer["FunctionError"] == "Unhandled"
        assert answer["Payload"]["errorType"] == "ValueError"
        assert answer["Payload"]["errorMessage"] == "no"

    @pytest.mark.prove
    def test_a_function_that_takes_too_long_is_ended(self, deployer: Deployer) -> None:
        """Its own timeout counts."""
        deployer.function("slow", "import time\ndef handler(e, c): time.sleep(30)", Timeout=1)
        answer = deployer.invoke("slow")
        assert answer["FunctionError"] == "Unhandled"
        assert "timed out after 1.00 seconds" in answer["Payload"]["errorMessage"]

    @pytest.mark.prove
    def test_an_event_is_run_without_an_answer(self, deployer: Deployer) -> None:
        """It is accepted at once; what the function says is in its log."""
        deployer.function("later", "def handler(e, c): print('ran with', e)")
        assert deployer.invoke("later", {"n": 7}, InvocationType="Event")["StatusCode"] == 202
        end = time.monotonic() + 20
        while "ran with {'n': 7}" not in _lines(deployer, "later"):
            assert time.monotonic() < end, _lines(deployer, "later")
            time.sleep(0.05)

    @pytest.mark.prove
    def test_what_is_not_there_cannot_be_called(self, deployer: Deployer) -> None:
        """Neither a function nor a qualifier is made up."""
        # Called as a part of a path is.
        deployer.function("policy", "def handler(e, c): pass")
        for arguments in ({"FunctionName": "nowhere"}, {"FunctionName": "policy", "Qualifier": "live"}):
            with pytest.raises(ClientError, match="ResourceNotFoundException"):
                deployer.client.invoke(**arguments)
        assert deployer.client.invoke(FunctionName="policy", InvocationType="DryRun")["StatusCode"] == 204

    @pytest.mark.prove
    def test_nothing_runs_where_concurrency_is_zero(self, deployer: Deployer) -> None:
        """As on AWS that switches a function off, by its URL as well."""
        deployer.function("off", "def handler(e, c): return 1")
        deployer.client.put_function_concurrency(FunctionName="off", ReservedConcurrentExecutions=0)
        answer = deployer.client.create_function_url_config(FunctionName="off", AuthType="NONE")
        for statement in PUBLIC:
            deployer.client.add_permission(FunctionName="off", Principal="*", **statement)
        assert httpx2.get(answer["FunctionUrl"]).status_code == 429
        # What the client does not try again five times.
        asked = f"{deployer.access.endpoint}/2015-03-31/functions/off/invocations"
        assert httpx2.post(asked, headers=_AUTHORIZED).json()["__type"] == "TooManyRequestsException"

    @pytest.mark.prove
    def test_a_queue_has_its_messages_handled(self, deployer: Deployer) -> None:
        """Other services run functions as callers do."""
        queues: Any = deployer.account.session.client("sqs", endpoint_url=deployer.access.endpoint)
        url = queues.create_queue(QueueName="orders")["QueueUrl"]
        deployer.function("handles", "def handler(e, c): print('got', e['Records'][0]['body'])")
        deployer.client.create_event_source_mapping(
            EventSourceArn="arn:aws:sqs:us-east-1:123456789012:orders", FunctionName="handles"
        )
        queues.send_message(QueueUrl=url, MessageBody="an order")
        assert "got an order" in _lines(deployer, "handles")


_OTHER = {"Effect": "Allow", "Action": "s3:GetObject", "Resource": "*"}


class TestLogs:
    def test_lines_are_events_of_the_functions_group(self, deployer: Deployer) -> None:
        """Lambda's lines and the function's own, in their order."""
        deployer.function("speaks", "def handler(e, c): print('one'); print('two')")
        deployer.invoke("speaks")
        deployer.invoke("speaks")
        starts = [line.split(" ")[0] for line in _lines(deployer, "speaks")]
        assert starts == ["START", "one", "two", "END", "REPORT"] * 2

    @pytest.mark.prove
    def test_lines_are_lost_where_the_role_may_not_write_them(self, deployer: Deployer) -> None:
        """As on AWS nobody is told; the log group is not made either."""
        deployer.function("mute", "def handler(e, c): print('one')", Role=deployer.role("mute", (_OTHER,)))
        assert "FunctionError" not in deployer.invoke("mute")
        found = deployer.account.logs.describe_log_groups(logGroupNamePrefix="/aws/lambda/mute")
        assert found["logGroups"] == []

    @pytest.mark.prove
    def test_embedded_metrics_are_counted(self, deployer: Deployer) -> None:
        """A line in the Embedded Metric Format is a metric at once, with its dimensions."""
        body = """
            import json, time

            def handler(event, context):
                directive = {"Namespace": "bough", "Dimensions": [["FunctionName"]],
                             "Metrics": [{"Name": "ServerErrors", "Unit": "Count"}]}
                aws = {"Timestamp": time.time_ns() // 1_000_000, "CloudWatchMetrics": [directive]}
                print(json.dumps({"_aws": aws, "FunctionName": "counts", "ServerErrors": event}))
        """
        deployer.function("counts", body)
        for value in (1, 0, 1):
            deployer.invoke("counts", value)
        assert _sum(deployer, "bough", "ServerErrors", "counts") == 2
        assert _sum(deployer, "AWS/Lambda", "Invocations", "counts") == 3
        assert _sum(deployer, "AWS/Lambda", "Errors", "counts") == 0


def _lines(deployer: Deployer, name: str) -> list[str]:
    logs = deployer.account.logs
    if not logs.describe_log_groups(logGroupNamePrefix=f"/aws/lambda/{name}")["logGroups"]:
        return []
    events = logs.filter_log_events(logGroupName=f"/aws/lambda/{name}")["events"]
    return [event["message"] for event in events]


def _sum(deployer: Deployer, namespace: str, metric: str, function: str) -> float:
    now = time.time()
    found = deployer.account.metrics.get_metric_statistics(
        Namespace=namespace,
        MetricName=metric,
        Dimensions=[{"Name": "FunctionName", "Value": function}],
        StartTime=now - 600,
        EndTime=now + 60,
        Period=60,
        Statistics=["Sum"],
    )
    return sum(point["Sum"] for point in found["Datapoints"])
