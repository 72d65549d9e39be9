"""Operations as requests leave them to be done, before they run."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final
from uuid import uuid4

from infra.local.neon_api.state import Action, Operation

if TYPE_CHECKING:
    from infra.local.neon_api.state import Branch, State

_ON_ENDPOINTS: Final = (
    Action.CREATE_COMPUTE,
    Action.START_COMPUTE,
    Action.SUSPEND_COMPUTE,
    Action.APPLY_CONFIG,
)
Step = tuple[Action, dict[str, Any]]


def plan(state: State, branch: Branch, *steps: Step, source_id: str | None = None) -> list[Operation]:
    """Add the steps to the state, as operations on the branch that run in this order; return them."""
    batch, endpoint = uuid4(), state.endpoint_of(branch.id)
    planned = [
        Operation(
            batch=batch,
            project_id=branch.project_id,
            branch_id=branch.id,
            endpoint_id=endpoint.id if endpoint and action in _ON_ENDPOINTS else None,
            source_id=source_id,
            action=action,
            details=details,
        )
        for action, details in steps
    ]
    state.operations |= {each.id: each for each in planned}
    return planned
