"""Whether an account can spare what a template reserves: CloudFormation would say so only at the end."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Final

from botocore.exceptions import ClientError

from infra.aws.errors import AwsError, code_of, translated

if TYPE_CHECKING:
    from collections.abc import Mapping

    from infra.aws.account import Account

#: Executions that AWS keeps unreserved, whatever is asked for; all of them in an account that has fewer.
#: https://docs.aws.amazon.com/lambda/latest/dg/configuration-concurrency.html
_UNRESERVED: Final = 100


class ConcurrencyError(AwsError):
    """More executions are to be reserved than the account can spare."""

    code: ClassVar[str] = "CONCURRENCY_QUOTA"


def check_concurrency(account: Account, template: Mapping[str, Any]) -> None:
    """Refuse a template that reserves too much; asks nothing where it reserves nothing.

    Raises:
        ConcurrencyError: The message has what can be spared.
    """
    wanted = {
        properties["FunctionName"]: properties["ReservedConcurrentExecutions"]
        for resource in template["Resources"].values()
        if "ReservedConcurrentExecutions" in (properties := resource.get("Properties", {}))
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


def _reserved(account: Account, function: str) -> int:
    try:
        answer = account.functions.get_function_concurrency(FunctionName=function)
    except ClientError as error:
        if code_of(error) == "ResourceNotFoundException":
            return 0
        raise
    return answer.get("ReservedConcurrentExecutions", 0)
