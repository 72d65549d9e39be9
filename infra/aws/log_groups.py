"""The log groups of functions, which are named after them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from infra.aws.errors import code_of, translated
from infra.aws.function import LOG_GROUPS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from infra.aws.account import Account


def find(account: Account, prefix: str) -> tuple[str, ...]:
    """Return the names of the log groups of functions whose names begin so, in order."""
    with translated("list the log groups"):
        pages = account.logs.get_paginator("describe_log_groups").paginate(
            logGroupNamePrefix=f"{LOG_GROUPS}{prefix}"
        )
        return tuple(sorted(each["logGroupName"] for page in pages for each in page["logGroups"]))


def ensure(account: Account, function: str, *, days: int, tags: Mapping[str, str]) -> str:
    """Have a function's log group, whose lines are kept for some days; return its name.

    Made before the function is called, whose role may not make it: Lambda would keep the lines forever.
    """
    name = f"{LOG_GROUPS}{function}"
    with translated(f"make log group {name}"):
        pages = account.logs.describe_log_groups(logGroupNamePrefix=name)["logGroups"]
        found = next((each for each in pages if each["logGroupName"] == name), None)
        if found is None:
            try:
                account.logs.create_log_group(logGroupName=name, tags=tags)
            except ClientError as error:
                if code_of(error) != "ResourceAlreadyExistsException":
                    raise
        if found is None or found.get("retentionInDays") != days:
            account.logs.put_retention_policy(logGroupName=name, retentionInDays=days)
    return name


def delete(account: Account, name: str) -> None:
    """Delete a log group; one that is gone is fine."""
    with translated(f"delete log group {name}"):
        try:
            account.logs.delete_log_group(logGroupName=name)
        except ClientError as error:
            if code_of(error) != "ResourceNotFoundException":
                raise
