"""What the roles of a template allow: as much of IAM's evaluation as they use, and a refusal of any more."""

from __future__ import annotations

import re
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

#: Where the template is deployed.
PSEUDO_PARAMETERS = {
    "AWS::Partition": "aws",
    "AWS::Region": "eu-central-1",
    "AWS::AccountId": "123456789012",
}


def allows(
    template: Mapping[str, Any],
    role: str,
    action: str,
    resource: str,
    context: Mapping[str, Any] | None = None,
) -> bool:
    """Tell whether a role may do something; a policy that is not written in the template raises."""
    properties = template["Resources"][role]["Properties"]
    assert "ManagedPolicyArns" not in properties
    statements = [
        statement for policy in properties["Policies"] for statement in policy["PolicyDocument"]["Statement"]
    ]
    return any(_applies(statement, action, resource, context or {}) for statement in statements)


def actions(template: Mapping[str, Any], role: str) -> set[str]:
    """Return all that a role may do, whatever to."""
    policies = template["Resources"][role]["Properties"]["Policies"]
    return {
        action
        for policy in policies
        for statement in policy["PolicyDocument"]["Statement"]
        for action in _list(statement["Action"])
    }


def resolved(value: Any) -> str:
    """Return a string of the template as CloudFormation would put it."""
    if isinstance(value, dict):
        assert value.keys() == {"Fn::Sub"}
        return re.sub(r"\$\{([^}]+)\}", lambda found: PSEUDO_PARAMETERS[found[1]], value["Fn::Sub"])
    assert isinstance(value, str)
    return value


def _applies(statement: Mapping[str, Any], action: str, resource: str, context: Mapping[str, Any]) -> bool:
    assert statement["Effect"] == "Allow"
    assert statement.keys() <= {"Effect", "Action", "Resource", "Condition"}
    return (
        any(fnmatchcase(action, each) for each in _list(statement["Action"]))
        and any(fnmatchcase(resource, resolved(each)) for each in _list(statement["Resource"]))
        and all(
            _holds(operator, resolved(wanted), context.get(key))
            for operator, keys in statement.get("Condition", {}).items()
            for key, wanted in keys.items()
        )
    )


def _holds(operator: str, wanted: str, found: Any) -> bool:
    match operator:
        case "StringEquals":
            return found == wanted
        case "StringLike":
            return found is not None and fnmatchcase(found, wanted)
        case "ForAnyValue:StringEquals":
            return wanted in (found or ())
        case _:
            raise AssertionError(operator)


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]
