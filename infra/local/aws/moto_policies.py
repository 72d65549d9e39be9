"""Resource policies of functions, by qualifier, as AddPermission makes them and URLs are opened by them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

from moto.awslambda.exceptions import GenericResourcNotFound, UnknownPolicyException

from infra.local.aws.moto_refusals import ResourceConflictError, require_revision

if TYPE_CHECKING:
    from infra.local.aws.moto_lambda import Lambda

#: By operator and key: what AddPermission calls the value.
_CONDITIONS: Final = {
    ("ArnLike", "AWS:SourceArn"): "SourceArn",
    ("StringEquals", "AWS:SourceAccount"): "SourceAccount",
    ("StringEquals", "aws:PrincipalOrgID"): "PrincipalOrgID",
    ("StringEquals", "lambda:FunctionUrlAuthType"): "FunctionUrlAuthType",
    ("Bool", "lambda:InvokedViaFunctionUrl"): "InvokedViaFunctionUrl",
}


def add(backend: Lambda, name: str, qualifier: str, wanted: dict[str, Any]) -> dict[str, Any]:
    """Take what AddPermission was asked for; return the statement."""
    require_revision(backend.revision_of(name, qualifier), wanted.get("RevisionId"))
    function = backend.latest(name)
    statements = function.statements.setdefault(qualifier, [])
    sid = wanted.get("StatementId", f"{len(statements)}")
    if any(each["Sid"] == sid for each in statements):
        raise ResourceConflictError(
            f"The statement id ({sid}) provided already exists. Please provide a new statement id, or "
            "remove the existing statement."
        )
    conditions: dict[str, dict[str, str]] = {}
    for (operator, key), field in _CONDITIONS.items():
        if field in wanted:
            value = wanted[field]
            conditions.setdefault(operator, {})[key] = (
                str(value).lower() if isinstance(value, bool) else str(value)
            )
    statement = {
        "Sid": sid,
        "Effect": "Allow",
        "Principal": _principal(wanted["Principal"]),
        "Action": wanted["Action"],
        "Resource": function.deployed().arn + (f":{qualifier}" if qualifier else ""),
        **({"Condition": conditions} if conditions else {}),
    }
    statements.append(statement)
    backend.change_revision(name, qualifier)
    return statement


def remove(backend: Lambda, name: str, qualifier: str, sid: str, revision: str | None) -> None:
    """Take what RemovePermission was asked for.

    Raises:
        UnknownPolicyException: There is no such statement.
    """
    require_revision(backend.revision_of(name, qualifier), revision)
    statements = backend.latest(name).statements.get(qualifier, [])
    kept = [each for each in statements if each["Sid"] != sid]
    if len(kept) == len(statements):
        raise UnknownPolicyException
    statements[:] = kept
    backend.change_revision(name, qualifier)


def read(backend: Lambda, name: str, qualifier: str) -> dict[str, Any]:
    """Return what GetPolicy does.

    Raises:
        GenericResourcNotFound: There is no statement.
    """
    revision = backend.revision_of(name, qualifier)
    statements = backend.latest(name).statements.get(qualifier)
    if not statements:
        raise GenericResourcNotFound
    policy = {"Version": "2012-10-17", "Id": "default", "Statement": statements}
    return {"Policy": json.dumps(policy), "RevisionId": revision}


def everybody_may_call(statements: list[dict[str, Any]]) -> bool:
    """Say whether a URL without a signature answers: that takes both permissions, for everybody."""
    return any(
        _allows(each, "lambda:InvokeFunctionUrl", "lambda:FunctionUrlAuthType", "NONE") for each in statements
    ) and any(
        _allows(each, "lambda:InvokeFunction", "lambda:InvokedViaFunctionUrl", "true") for each in statements
    )


def _allows(statement: dict[str, Any], action: str, key: str, value: str) -> bool:
    conditions = {
        name: wanted for each in statement.get("Condition", {}).values() for name, wanted in each.items()
    }
    return (
        statement["Principal"] in ("*", {"AWS": "*"})
        and statement["Action"] in (action, "lambda:*")
        and all(name == key and wanted == value for name, wanted in conditions.items())
    )


def _principal(principal: str) -> str | dict[str, str]:
    if principal == "*":
        return principal
    if principal.endswith(".amazonaws.com"):
        return {"Service": principal}
    return {"AWS": f"arn:aws:iam::{principal}:root" if principal.isdigit() else principal}
