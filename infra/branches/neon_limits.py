"""What to say when a project has as many branches as it may have: how many, and which could go."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from infra.branches.errors import BranchLimitError
from infra.http_errors import HttpStatusError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from infra.branches.neon_answers import NeonBranch

#: Branches in a hint.
_NAMED: Final = 5


def limit_reached(branches: Sequence[NeonBranch], refused: BranchLimitError) -> BranchLimitError:
    """Return the refusal with the numbers and names of the project.

    Args:
        branches: All, oldest first.
        refused: As Neon put it.
    """
    cause = refused.__cause__
    code = cause.api_code if isinstance(cause, HttpStatusError) else ""
    said = (cause.api_message if isinstance(cause, HttpStatusError) else "") or code
    if code.startswith("BRANCHES_PROTECTED"):
        protected = [branch.name for branch in branches if branch.protected]
        message = f"the project has {len(protected)} protected branches, and may have no more ({said})"
        return BranchLimitError(message, hint=f"protected are {', '.join(protected)}")
    kind = "branches"
    counted = branches
    if code.startswith("ROOT_BRANCHES"):
        kind, counted = "root branches", [branch for branch in branches if branch.parent_id is None]
    parents = {branch.parent_id for branch in branches}
    free = [b for b in counted if not (b.default or b.protected or b.id in parents)]
    now = datetime.now(UTC)
    free.sort(key=lambda branch: (branch.expires_at is None or branch.expires_at > now, branch.created_at))
    names = ", ".join(branch.name for branch in free[:_NAMED]) or "none"
    return BranchLimitError(
        f"the project has {len(counted)} {kind}, and may have no more ({said})",
        hint=f"expired or oldest without children: {names}; to make room: bough branch delete NAME",
    )
