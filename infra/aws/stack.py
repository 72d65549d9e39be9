"""A stage's CloudFormation stack: compared before it is touched, because touching it takes a minute."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar, Final

from botocore.exceptions import ClientError, WaiterError

from infra.aws import osls
from infra.aws.errors import AwsError, code_of, translated
from infra.aws.preflight import check_concurrency, check_functions
from infra.aws.template import Difference, differences
from infra.aws.uploads import no_bucket_is_empty

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from types_boto3_cloudformation.type_defs import StackEventTypeDef, StackTypeDef, WaiterConfigTypeDef
    from types_boto3_s3.type_defs import ObjectIdentifierTypeDef

    from infra.aws.account import Account
    from infra.aws.stage import Stage
    from infra.config import Project

#: Seconds between looks at a stack that is being deleted, and how often.
_LOOKS: Final[WaiterConfigTypeDef] = {"Delay": 5, "MaxAttempts": 240}
_CANCELLED: Final = "cancelled"


class StackNotFoundError(AwsError):
    """The stage was never deployed here."""

    code: ClassVar[str] = "STACK_NOT_FOUND"


class StackBusyError(AwsError):
    """CloudFormation is at work on the stack, for somebody else."""

    code: ClassVar[str] = "STACK_BUSY"
    retryable: ClassVar[bool] = True


class StackBrokenError(AwsError):
    """An earlier deploy left the stack in a state that nothing can be deployed to."""

    code: ClassVar[str] = "STACK_BROKEN"


class StackFailedError(AwsError):
    """CloudFormation gave up, and took back what it had changed; the message has its reasons."""

    code: ClassVar[str] = "STACK_FAILED"


@dataclass(frozen=True, slots=True)
class StackChange:
    """What a deploy does to the stack.

    Args:
        differences: To the template that is deployed; all of it in the first deploy.
        creates: Whether there is no stack yet.
        service: Deploys it.
    """

    differences: tuple[Difference, ...]
    creates: bool
    service: osls.Service = field(repr=False)


@dataclass(frozen=True, slots=True)
class StackOutputs:
    """What releases, previews and secrets look up in the stack.

    Args:
        bucket: For artifacts.
        preview_role: ARN of the role that previews' functions have.
        http_api: URL of the HTTP API, where the stage has one.
    """

    bucket: str
    preview_role: str
    http_api: str | None = None


@dataclass(frozen=True, slots=True)
class Stack:
    """The stack of a stage.

    Args:
        project: Its `serverless.yml` is what the stack is made of.
        account: Where it is.
        stage: Whose it is.
    """

    project: Project
    account: Account
    stage: Stage

    def change(self, dist: Path) -> StackChange | None:
        """Compile `serverless.yml`, and compare it with what is deployed; nothing is changed.

        Args:
            dist: The folder with the artifacts and their descriptions.

        Returns:
            None where the deployed template is the same, but for the code of its functions.

        Raises:
            OslsMissingError, NotPackagedError, ServerlessYmlError: There is no template.
            StackBusyError, StackBrokenError: Nothing can be deployed to the stack as it is.
            ConcurrencyError: AWS would refuse the reserved concurrency.
        """
        stack = self._find()
        if stack is not None:
            self._check_state(stack["StackStatus"])
        service = osls.package(self.project.root, self.account, self.stage, dist)
        check_functions(service.template, self.stage)
        deployed = self._template() if stack is not None else {}
        found = differences(deployed, service.template)
        if not found:
            return None
        check_concurrency(self.account, service.template)
        return StackChange(found, creates=stack is None, service=service)

    def apply(self, change: StackChange, announce: Callable[[str], None]) -> None:
        """Deploy a change, and wait until CloudFormation is done.

        Args:
            change: What `change` found.
            announce: Is told what osls says, line by line.

        Raises:
            StackFailedError: CloudFormation gave up; it has put back what was there before.
            StackBusyError: Somebody else was faster.
            OslsFailedError: It did not come to that.
        """
        last = self._events(1)
        try:
            change.service.deploy(announce)
        except osls.OslsFailedError as error:
            state = (self._find() or {"StackStatus": ""})["StackStatus"]
            self._check_busy(state)
            if reasons := self._reasons(last[0]["EventId"] if last else None):
                raise StackFailedError(
                    f"CloudFormation could not {'create' if change.creates else 'change'}"
                    f" {self.stage.stack}: {'; '.join(reasons)}",
                    hint="it has put back what was there before; mend the cause, and deploy again",
                ) from error
            self._check_state(state)
            raise

    def outputs(self) -> StackOutputs:
        """Look up what the stack made.

        Raises:
            StackNotFoundError: The stage was never deployed, or not to its end.
        """
        stack = self._find()
        outputs = stack.get("Outputs", []) if stack is not None else []
        found = {each["OutputKey"]: each["OutputValue"] for each in outputs}
        if not found.keys() >= {"ServerlessDeploymentBucketName", "PreviewRoleArn"}:
            raise StackNotFoundError(
                f"stage {self.stage.name} is not deployed in account {self.account.id}"
                f" ({self.account.region})",
                hint=f"bough deploy {self.stage.name}",
            )
        return StackOutputs(
            found["ServerlessDeploymentBucketName"], found["PreviewRoleArn"], found.get("HttpApiUrl")
        )

    def exists(self) -> bool:
        """Return whether there is a stack, in whatever state."""
        return self._find() is not None

    def remove(self) -> bool:
        """Delete the stack with all that it holds, artifacts and logs too; tell whether there was one.

        Raises:
            StackBusyError: CloudFormation is at work on it.
            StackFailedError: Something could not be deleted.
        """
        stack = self._find()
        if stack is None:
            return False
        self._check_busy(stack["StackStatus"])
        last = self._events(1)
        for each in stack.get("Outputs", ()):
            if each["OutputKey"] == "ServerlessDeploymentBucketName":
                self._empty(each["OutputValue"])
        with translated(f"delete stack {self.stage.stack}"):
            self.account.stacks.delete_stack(StackName=self.stage.stack)
            try:
                # By its id: the name of a deleted stack is that of none.
                self.account.stacks.get_waiter("stack_delete_complete").wait(
                    StackName=stack["StackId"], WaiterConfig=_LOOKS
                )
            except WaiterError as error:
                reasons = self._reasons(last[0]["EventId"] if last else None) or [str(error)]
                raise StackFailedError(
                    f"CloudFormation could not delete {self.stage.stack}: {'; '.join(reasons)}"
                ) from error
        return True

    def _find(self) -> StackTypeDef | None:
        with translated(f"look up stack {self.stage.stack}"):
            try:
                return self.account.stacks.describe_stacks(StackName=self.stage.stack)["Stacks"][0]
            except ClientError as error:
                if code_of(error) == "ValidationError" and "does not exist" in str(error):
                    return None
                raise

    def _template(self) -> Mapping[str, Any]:
        with translated(f"read the template of {self.stage.stack}"):
            body: Any = self.account.stacks.get_template(StackName=self.stage.stack)["TemplateBody"]
        # botocore leaves a template that is not JSON a string; osls deploys JSON.
        return body if isinstance(body, dict) else {}

    def _check_busy(self, status: str) -> None:
        if status.endswith("_IN_PROGRESS"):
            raise StackBusyError(
                f"CloudFormation is at work on {self.stage.stack} ({status})",
                hint="wait for the other deploy to end",
            )

    def _check_state(self, status: str) -> None:
        name = self.stage.stack
        self._check_busy(status)
        where = f"--stack-name {name} --region {self.account.region}"
        if status == "DELETE_FAILED":
            raise StackBrokenError(
                f"{name} is half deleted ({status})", hint=f"delete the rest: bough destroy {self.stage.name}"
            )
        if status in {"ROLLBACK_COMPLETE", "ROLLBACK_FAILED", "CREATE_FAILED"}:
            raise StackBrokenError(
                f"{name} was never deployed to its end ({status})",
                hint=f"aws cloudformation delete-stack {where}",
            )
        if status == "UPDATE_ROLLBACK_FAILED":
            raise StackBrokenError(
                f"CloudFormation could not put {name} back to what it was ({status})",
                hint=f"aws cloudformation continue-update-rollback {where}",
            )

    def _events(self, most: int) -> list[StackEventTypeDef]:
        """Return the stack's events, the newest first; none where there is no stack."""
        with translated(f"read the events of {self.stage.stack}"):
            try:
                page = self.account.stacks.describe_stack_events(StackName=self.stage.stack)
            except ClientError as error:
                if code_of(error) == "ValidationError":
                    return []
                raise
        return page["StackEvents"][:most]

    def _reasons(self, after: str | None) -> list[str]:
        """Return why resources failed since an event, the first first."""
        reasons = []
        for event in self._events(100):
            if event["EventId"] == after:
                break
            reason = event.get("ResourceStatusReason", "")
            if event.get("ResourceStatus", "").endswith("_FAILED") and _CANCELLED not in reason:
                reasons.append(f"{event.get('LogicalResourceId')}: {reason}")
        return reasons[::-1]

    def _empty(self, bucket: str) -> None:
        # Missing where an earlier deletion came that far.
        with translated(f"empty bucket {bucket}"), no_bucket_is_empty():
            pages = self.account.objects.get_paginator("list_object_versions").paginate(Bucket=bucket)
            for page in pages:
                found = [*page.get("Versions", ()), *page.get("DeleteMarkers", ())]
                objects: list[ObjectIdentifierTypeDef] = [
                    {"Key": each["Key"], "VersionId": each["VersionId"]} for each in found
                ]
                if objects:
                    self.account.objects.delete_objects(
                        Bucket=bucket, Delete={"Objects": objects, "Quiet": True}
                    )
