"""How much a project may have."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, PositiveInt


class Limits(BaseModel):
    """Neon's limits, with room for one developer's machine.

    Neon gives 10 branches on its Free and Launch plans, counted over a team's previews in one place.
    Here each branch costs disk only until it is used, and nothing can be bought, so that the limit
    only has to stop a loop that has run wild. Active computes are Neon's 20: as many as are known to
    fit into 1.5 GB. The rest are what Neon's documents or its clients' error lists name.

    Args:
        branches: Of one project, deleted ones not counted.
        root_branches: Without a parent; schema-only branches are.
        protected_branches: Of one project.
        active_endpoints: That run at once, the default branch's not counted.
        roles: Of one branch.
        databases: Of one branch.
        suspend_timeout_seconds: The shortest that may be asked for.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    branches: PositiveInt = 100
    root_branches: PositiveInt = 25
    protected_branches: PositiveInt = 25
    active_endpoints: PositiveInt = 20
    roles: PositiveInt = 500
    databases: PositiveInt = 500
    suspend_timeout_seconds: PositiveInt = 60
