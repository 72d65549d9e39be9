"""What CloudFormation would refuse only when it is half done, asked of a template beforehand."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Final

from botocore.exceptions import ClientError

from infra.aws.errors import AwsError, code_of, translated
from infra.aws.osls import ServerlessYmlError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from infra.aws.account import Account
    from infra.aws.stage import Stage

#: Executions that AWS keeps unreserved, whatever is asked for; all of them in an account that has fewer.
#: https://docs.aws.amazon.com/lambda/latest/dg/configuration-concurrency.html
_UNRESERVED: Final = 100
#: Of Python's runtimes; the newer ones have it.
_WITHOUT_SNAP_START: Final = {"python3.11"}


class ConcurrencyError(AwsError):
    """More executions are to be reserved than the account can spare."""

    code: ClassVar[str] = "CONCURRENCY_QUOTA"


def check_functions(template: Mapping[str, Any], stage: Stage) -> None:
    """Refuse a template without the functions that releases act on, or with SnapStart that they cannot have.

    Raises:
        ServerlessYmlError: The message names the function.
    """
    functions = {each["FunctionName"]: each for each in _functions(template)}
    for name in (stage.api, stage.migrate):
        if name not in functions:
            raise ServerlessYmlError(
                f"serverless.yml has no function {name}",
                hint="its `service` is the project's, and its functions are `api` and `migrate`",
            )
    for properties in functions.values():
        if (
            properties.get("Runtime") in _WITHOUT_SNAP_START
            and properties.get("SnapStart", {}).get("ApplyOn") == "PublishedVersions"
        ):
            raise ServerlessYmlError(
                f"{properties['FunctionName']} cannot have SnapStart on {properties['Runtime']}",
                hint="take `snap_start` out of serverless.yml, or a newer `runtime` of [tool.bough.aws]",
            )


def check_concurrency(account: Account, template: Mapping[str, Any]) -> None:
    """Refuse a template that reserves too much; asks nothing where it reserves nothing.

    Raises:
        ConcurrencyError: The message has what can be spared.
    """
    wanted = {
        each["FunctionName"]: each["ReservedConcurrentExecutions"]
        for each in _functions(template)
        if "ReservedConcurrentExecutions" in each
    }
    if not wanted:
        return
    with translated("read the quota of concurrent executions"):
        limits = account.functions.get_account_settings()["AccountLimit"]
        held = sum(_reserved(account, name) for name in wanted)
    quota = limits["ConcurrentExecutions"]
    spare = max(limits["UnreservedConcurrentExecutions"] + held - min(_UNRESERVED, quota), 0)
    if (total := sum(wanted.values())) > spare:
        raise ConcurrencyError(
            f"{total} executions are to be reserved, and account {account.id} can spare {spare} of its"
            f" {quota} in {account.region}",
            hint="lower `reserved_concurrency` in serverless.yml, or have AWS raise the quota",
        )


def _functions(template: Mapping[str, Any]) -> list[dict[str, Any]]:
    return [
        resource["Properties"]
        for resource in template["Resources"].values()
        # One without a name was written below `resources`, and is none of the releases'.
        if resource["Type"] == "AWS::Lambda::Function" and "FunctionName" in resource["Properties"]
    ]


def _reserved(account: Account, function: str) -> int:
    try:
        answer = account.functions.get_function_concurrency(FunctionName=function)
    except ClientError as error:
        if code_of(error) == "ResourceNotFoundException":
            return 0
        raise
    return answer.get("ReservedConcurrentExecutions", 0)
