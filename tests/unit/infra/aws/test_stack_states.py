"""What CloudFormation and Lambda answer about a stack, which moto never does: failures, and quotas."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest
from botocore.stub import Stubber

from infra.aws import osls
from infra.aws.osls import OslsFailedError, ServerlessYmlError
from infra.aws.preflight import ConcurrencyError, check_concurrency, check_functions
from infra.aws.stack import (
    Stack,
    StackBrokenError,
    StackBusyError,
    StackChange,
    StackFailedError,
)
from infra.config import Project
from tests.support.stacks import offline_account, shop

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

NAME = {"StackName": "shop-production"}


def described(status: str, **more: Any) -> dict[str, Any]:
    stack = {**NAME, "StackId": "arn:stack", "CreationTime": datetime.now(UTC), "StackStatus": status}
    return {"Stacks": [stack | more]}


def events(*given: tuple[str, str, str, str]) -> dict[str, Any]:
    """Return events as CloudFormation does, the newest first."""
    return {
        "StackEvents": [
            {
                **NAME,
                "StackId": "arn:stack",
                "Timestamp": datetime.now(UTC),
                "EventId": identity,
                "LogicalResourceId": resource,
                "ResourceStatus": status,
                "ResourceStatusReason": reason,
            }
            for identity, resource, status, reason in given
        ]
    }


EARLIER = ("1", "ApiRole", "UPDATE_FAILED", "of another deploy")


class Deployed:
    """A stack whose CloudFormation is scripted, and whose osls fails."""

    def __init__(self, folder: Path) -> None:
        account = offline_account()
        self.answers = Stubber(account.stacks)
        self.stack = Stack(Project(folder, "shop"), account, shop())
        program = folder / "osls"
        program.write_text("#!/bin/sh\necho 'Error:'\necho 'it did not go well'\nexit 1\n")
        program.chmod(0o755)
        service = osls.Service({}, shop(), {"PATH": "/bin:/usr/bin"}, folder, str(program))
        self.change = StackChange((), creates=False, service=service)

    def apply(self) -> None:
        self.stack.apply(self.change, lambda _: None)


@pytest.fixture
def deployed(tmp_path: Path) -> Iterator[Deployed]:
    deployed = Deployed(tmp_path)
    with deployed.answers:
        yield deployed
        deployed.answers.assert_no_pending_responses()


class TestApply:
    def test_gives_the_reasons_of_cloudformation(self, deployed: Deployed) -> None:
        """The first first, and none of what was cancelled because of it or failed before."""
        deployed.answers.add_response("describe_stack_events", events(EARLIER), NAME)
        deployed.answers.add_response("describe_stacks", described("UPDATE_ROLLBACK_COMPLETE"), NAME)
        after = events(
            ("4", "ApiLogGroup", "CREATE_FAILED", "Resource creation cancelled"),
            ("3", "ApiRole", "CREATE_FAILED", "not authorized to perform iam:CreateRole"),
            ("2", "ApiRole", "CREATE_IN_PROGRESS", ""),
            EARLIER,
        )
        deployed.answers.add_response("describe_stack_events", after, NAME)
        with pytest.raises(StackFailedError) as raised:
            deployed.apply()
        assert str(raised.value) == (
            "CloudFormation could not change shop-production:"
            " ApiRole: not authorized to perform iam:CreateRole"
        )

    def test_says_that_another_was_faster(self, deployed: Deployed) -> None:
        """Then nothing was changed, and waiting is all there is to do."""
        deployed.answers.add_response("describe_stack_events", events(EARLIER), NAME)
        deployed.answers.add_response("describe_stacks", described("UPDATE_IN_PROGRESS"), NAME)
        with pytest.raises(StackBusyError) as raised:
            deployed.apply()
        assert raised.value.retryable

    def test_says_what_osls_said_when_cloudformation_was_not_asked(self, deployed: Deployed) -> None:
        """Such as credentials that may not upload."""
        missing = ("ValidationError", "Stack with id shop-production does not exist")
        deployed.answers.add_client_error("describe_stack_events", *missing)
        deployed.answers.add_client_error("describe_stacks", *missing)
        deployed.answers.add_client_error("describe_stack_events", *missing)
        with pytest.raises(OslsFailedError, match="could not deploy shop-production: it did not go well"):
            deployed.apply()


class TestChange:
    @pytest.mark.parametrize(
        ("status", "error", "hint"),
        [
            ("UPDATE_IN_PROGRESS", StackBusyError, "wait"),
            ("REVIEW_IN_PROGRESS", StackBusyError, "wait"),
            ("ROLLBACK_COMPLETE", StackBrokenError, "delete-stack --stack-name shop-production"),
            ("DELETE_FAILED", StackBrokenError, "bough destroy production"),
            ("UPDATE_ROLLBACK_FAILED", StackBrokenError, "continue-update-rollback"),
        ],
    )
    def test_is_refused_where_nothing_can_be_deployed(
        self, deployed: Deployed, tmp_path: Path, status: str, error: type[Exception], hint: str
    ) -> None:
        """Before anything is packaged, and with the way out."""
        deployed.answers.add_response("describe_stacks", described(status), NAME)
        with pytest.raises(error) as raised:
            deployed.stack.change(tmp_path)
        assert hint in raised.value.hint  # type: ignore[attr-defined]


class TestRemove:
    def test_gives_the_reasons_of_cloudformation(self, deployed: Deployed) -> None:
        """The stack stays, and what is left of it can be deleted again."""
        deployed.answers.add_response("describe_stacks", described("UPDATE_COMPLETE"), NAME)
        deployed.answers.add_response("describe_stack_events", events(EARLIER), NAME)
        deployed.answers.add_response("delete_stack", {}, NAME)
        deployed.answers.add_response(
            "describe_stacks", described("DELETE_FAILED"), {"StackName": "arn:stack"}
        )
        after = events(("2", "ApiRole", "DELETE_FAILED", "has a policy of somebody else"), EARLIER)
        deployed.answers.add_response("describe_stack_events", after, NAME)
        with pytest.raises(StackFailedError, match="ApiRole: has a policy of somebody else"):
            deployed.stack.remove()

    def test_goes_on_where_an_earlier_deletion_failed(self, deployed: Deployed) -> None:
        """The bucket may be gone already, though the stack names it still."""
        bucket = {"OutputKey": "ServerlessDeploymentBucketName", "OutputValue": "artifacts"}
        half_deleted = described("DELETE_FAILED", Outputs=[bucket])
        deployed.answers.add_response("describe_stacks", half_deleted, NAME)
        deployed.answers.add_response("describe_stack_events", events(EARLIER), NAME)
        deployed.answers.add_response("delete_stack", {}, NAME)
        deployed.answers.add_response(
            "describe_stacks", described("DELETE_COMPLETE"), {"StackName": "arn:stack"}
        )
        with Stubber(deployed.stack.account.objects) as objects:
            objects.add_client_error("list_object_versions", "NoSuchBucket")
            assert deployed.stack.remove()


def template(**properties: Any) -> dict[str, Any]:
    functions = {
        "Api": {"FunctionName": "shop-production-api", "Runtime": "python3.13", **properties},
        "Migrate": {"FunctionName": "shop-production-migrate", "Runtime": "python3.13"},
    }
    return {
        "Resources": {
            name: {"Type": "AWS::Lambda::Function", "Properties": each} for name, each in functions.items()
        }
    }


class TestCheckConcurrency:
    """AWS keeps 100 executions for all other functions, or its whole quota where that is smaller."""

    @pytest.mark.parametrize(
        ("quota", "unreserved", "held", "spare"),
        [(1000, 1000, 0, 900), (1000, 120, 30, 50), (1000, 60, 0, 0), (10, 10, 0, 0)],
    )
    def test_counts_what_can_be_spared(self, quota: int, unreserved: int, held: int, spare: int) -> None:
        """With what the function holds already."""
        account = offline_account()
        settings = {"ConcurrentExecutions": quota, "UnreservedConcurrentExecutions": unreserved}
        with Stubber(account.functions) as answers:
            for _ in range(2):
                answers.add_response("get_account_settings", {"AccountLimit": settings})
                answers.add_response(
                    "get_function_concurrency",
                    {"ReservedConcurrentExecutions": held},
                    {"FunctionName": "shop-production-api"},
                )
            with pytest.raises(ConcurrencyError, match=f"can spare {spare} of its {quota}"):
                check_concurrency(account, template(ReservedConcurrentExecutions=spare + 1))
            check_concurrency(account, template(ReservedConcurrentExecutions=spare))

    def test_counts_nothing_of_a_function_that_does_not_exist(self) -> None:
        """A first deploy."""
        account = offline_account()
        settings = {"ConcurrentExecutions": 1000, "UnreservedConcurrentExecutions": 1000}
        with Stubber(account.functions) as answers:
            answers.add_response("get_account_settings", {"AccountLimit": settings})
            answers.add_client_error("get_function_concurrency", "ResourceNotFoundException")
            check_concurrency(account, template(ReservedConcurrentExecutions=900))

    def test_asks_nothing_where_nothing_is_reserved(self) -> None:
        """Most projects reserve nothing, and need no right to read quotas."""
        account = offline_account()
        with Stubber(account.functions):
            check_concurrency(account, template())


class TestCheckFunctions:
    def test_refuses_other_names(self) -> None:
        """Releases would act on functions that do not exist."""
        with pytest.raises(ServerlessYmlError, match="no function shop-staging-api"):
            check_functions(template(), shop("staging"))

    def test_refuses_snap_start_on_a_python_that_has_none(self) -> None:
        """CloudFormation would say so when everything else is made."""
        wanted = {"SnapStart": {"ApplyOn": "PublishedVersions"}}
        check_functions(template(**wanted), shop())
        with pytest.raises(ServerlessYmlError, match=r"SnapStart on python3\.11"):
            check_functions(template(**wanted, Runtime="python3.11"), shop())
