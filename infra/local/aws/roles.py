"""What a function's role allows, by the policies that IAM has of it here.

moto's own evaluator does the work: Allow and Deny with wildcards. It knows no conditions but those of trust
policies, and takes a statement with another as refused.
"""

from __future__ import annotations

import json
from typing import Any

from moto.iam.access_control import IAMPolicy, PermissionResult
from moto.iam.exceptions import NotFoundException
from moto.iam.models import iam_backends
from moto.utilities.utils import get_partition


def allows(role: str, action: str, resource: str) -> bool:
    """Say whether a role may do something.

    Args:
        role: Its ARN.
        action: Such as `ssm:GetParameter`.
        resource: The ARN of what it is done to.
    """
    account, name = role.split(":")[4], role.rpartition("/")[2]
    backend = iam_backends[account][get_partition(resource.split(":")[3])]
    try:
        # What CloudFormation made is no text.
        documents: list[Any] = [
            backend.get_role_policy(name, each)[1] for each in backend.list_role_policies(name)
        ]
        inline = [each if isinstance(each, str) else json.dumps(each) for each in documents]
        attached = list(backend.get_role_by_arn(role).managed_policies.values())
    except NotFoundException:
        return False
    results = [IAMPolicy(policy).is_action_permitted(action, resource) for policy in [*inline, *attached]]
    return PermissionResult.PERMITTED in results and PermissionResult.DENIED not in results
