"""A branch's data replaced at Neon, once, whatever happens on the way."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from infra.branches.errors import BranchError, ProviderUnavailableError
from infra.branches.neon.errors import history_translated
from infra.http_errors import HttpAmbiguousError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from infra.branches.neon.answers import NeonBranch
    from infra.branches.neon.api import NeonApi

#: How often it is asked for before its answers count as lost for good.
_TRIES: Final = 3
#: Seconds before it is looked for. A request may be at work though its answer was lost, and unlike a
#: second branch, a second restore would not be refused: it would take away what was written meanwhile.
_PAUSE: Final = 1.0


def restore(
    api: NeonApi,
    branch: NeonBranch,
    source_id: str,
    options: Mapping[str, object],
    announce: Callable[[str], None],
) -> NeonBranch:
    """Replace the branch's data, and return it once nothing is under way on it.

    Args:
        api: Of the project.
        branch: As it is before.
        source_id: Of the branch whose data it gets; its own, for a moment of its past.
        options: Of the request.
        announce: Is told when an answer was lost.

    Raises:
        HistoryError: Neon keeps nothing of the moment.
    """
    for _ in range(_TRIES):
        try:
            answer = api.restore_branch(branch.id, source_id, options)
        except HttpAmbiguousError as error:
            lost = str(error)
        except BranchError as error:
            raise history_translated(error) from error.__cause__
        else:
            api.finish(answer.operations)
            return api.settled(branch.id)
        announce(f"{lost}; looking whether {branch.name!r} was restored")
        api.pause(_PAUSE, f"the branch {branch.name!r}")
        if _has_begun(api, branch, options.get("preserve_under_name")):
            return api.settled(branch.id)
    message = f"the branch {branch.name!r} was not restored after {_TRIES} tries: {lost}"
    raise ProviderUnavailableError(message, hint="try again later; Neon's status is at neonstatus.com")


def _has_begun(api: NeonApi, before: NeonBranch, preserved: object) -> bool:
    """Return whether the lost request was done, by what it leaves behind."""
    branches = {branch.id: branch for branch in api.branches()}
    now = branches.get(before.id, before)
    return (
        not now.is_settled
        or now.last_reset_at != before.last_reset_at
        or any(branch.name == preserved for branch in branches.values())
    )
