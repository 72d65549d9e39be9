"""One branch of a name at any provider, whatever happens on the way: made, or found and verified."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final, TypeVar

from infra.branches.errors import (
    BranchConflictError,
    BranchDiffersError,
    BranchLimitError,
    ProviderUnavailableError,
)
from infra.branches.timestamps import rfc3339
from infra.http_errors import HttpAmbiguousError, HttpStatusError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from infra.branches.provider import Branch, BranchProvider, BranchSpec
    from infra.branches.provider_api import ProviderApi

_T = TypeVar("_T")

#: How often a branch is asked for before its answers count as lost for good.
_TRIES: Final = 3
#: Branches in a hint.
_NAMED: Final = 5


def ask_until_there(
    api: ProviderApi,
    name: str,
    *,
    make: Callable[[], _T],
    find: Callable[[], _T | None],
    announce: Callable[[str], None],
    pause: float,
    looks: int = 1,
) -> _T:
    """Ask for a branch until it is there: whoever made it, there is one of its name.

    Args:
        api: Of the provider.
        name: Of the branch.
        make: Asks for it once.
        find: Looks for it.
        announce: Is told when an answer was lost.
        pause: Seconds after a look: a request whose answer was lost may still be at work.
        looks: How many there are before it is asked for again.

    Raises:
        ProviderUnavailableError: It was not there after the last try.
    """
    for left in reversed(range(_TRIES * looks)):
        if (left + 1) % looks == 0:
            try:
                return make()
            except BranchConflictError as error:
                lost = str(error)
            except HttpAmbiguousError as error:
                lost = str(error)
                announce(f"{lost}; looking whether the branch {name!r} is there")
        if (found := find()) is not None:
            return found
        if left:
            api.pause(pause, f"the branch {name!r}")
    raise ProviderUnavailableError(
        f"the branch {name!r} is not there after {_TRIES} tries: {lost}",
        hint=f"try again later; {api.service}'s status is at {api.status_page}",
    )


def create_or_renew(provider: BranchProvider, spec: BranchSpec) -> Branch:
    """Return the branch of this name, made unless it exists, its expiry moved to the spec's.

    `BranchProvider.create` alone refuses another expiry, and "in 7 days" is another one every time.

    Raises:
        BranchDiffersError: It exists and differs in more than the time of its expiry, or never expires.
    """
    try:
        return provider.create(spec)
    except BranchDiffersError:
        found = provider.get(spec.name)
        if found.expires_at is None or spec.expires_at is None:
            raise
        # Refuses whatever else differs, before anything is changed.
        branch = provider.create(replace(spec, expires_at=found.expires_at))
        return provider.set_expiry(branch.id, spec.expires_at)


def refuse_different(
    found: Branch, spec: BranchSpec, branches: Sequence[Branch], *, parent: Branch, has_data: bool | None
) -> None:
    """Refuse a branch that is not what was asked for.

    Args:
        found: The branch.
        spec: What was asked for, its expiry in whole seconds.
        branches: All of the project.
        parent: What the spec's parent means.
        has_data: Whether it was made with data; `None` when the provider does not tell.

    Raises:
        BranchDiffersError: The message says what differs, the hint how to go on.
    """
    differences = {}
    if found.is_default:
        differences["default"] = "it is the default branch"
    elif has_data is not None and has_data is not spec.with_data:
        has, not_ = ("with", "without") if has_data else ("without", "with")
        differences["data"] = f"it was made {has} data, not {not_}"
    # A copy of the schema alone may have no parent, as at Neon.
    elif spec.with_data and found.parent_id != parent.id:
        names = {branch.id: branch.name for branch in branches}
        from_ = names.get(found.parent_id or "", found.parent_id) or "nothing"
        differences["parent"] = f"it was made from {from_}, not from {parent.name}"
    if found.is_protected is not spec.protected:
        differences["protection"] = "it is protected" if found.is_protected else "it is not protected"
    expires_at = None if found.expires_at is None else found.expires_at.replace(microsecond=0)
    if expires_at != spec.expires_at:
        differences["expiry"] = f"it expires {_at(expires_at)}, not {_at(spec.expires_at)}"
    if differences:
        raise BranchDiffersError(
            f"the branch {found.name!r} ({found.id}) is there and is not what was asked for: "
            + "; ".join(differences.values()),
            hint=_how_to_go_on(found.name, spec, differences),
        )


def _how_to_go_on(name: str, spec: BranchSpec, differences: dict[str, str]) -> str:
    if "default" in differences:
        return "take another name"
    if differences.keys() & {"data", "parent"}:
        return f"take another name, or first run: bough branch delete {name}"
    expiry = "never" if spec.expires_at is None else rfc3339(spec.expires_at)
    commands = {
        "expiry": f"bough branch expire {name} {expiry}",
        "protection": f"bough branch protect {name}{'' if spec.protected else ' --off'}",
    }
    needed = [command for difference, command in commands.items() if difference in differences]
    # Neither goes with the other: what is taken away goes first.
    if spec.expires_at is not None:
        needed.reverse()
    return f"ask for it as it is, or first run: {' && '.join(needed)}"


def _at(moment: datetime | None) -> str:
    return "never" if moment is None else f"at {rfc3339(moment)}"


def limit_reached(branches: Sequence[Branch], refused: BranchLimitError) -> BranchLimitError:
    """Return the refusal with how many branches the project has, and which could go.

    Args:
        branches: All, oldest first.
        refused: As the provider put it.
    """
    cause = refused.__cause__
    code = cause.api_code if isinstance(cause, HttpStatusError) else ""
    said = (cause.api_message if isinstance(cause, HttpStatusError) else "") or code
    # Neon's codes, which tell its limits apart.
    if code.startswith("BRANCHES_PROTECTED"):
        protected = [branch.name for branch in branches if branch.is_protected]
        message = f"the project has {len(protected)} protected branches, and may have no more ({said})"
        return BranchLimitError(message, hint=f"protected are {', '.join(protected)}")
    kind, counted = "branches", branches
    if code.startswith("ROOT_BRANCHES"):
        kind, counted = "root branches", [branch for branch in branches if branch.parent_id is None]
    parents = {branch.parent_id for branch in branches}
    free = [each for each in counted if not (each.is_default or each.is_protected or each.id in parents)]
    now = datetime.now(UTC)
    free.sort(key=lambda branch: (branch.expires_at is None or branch.expires_at > now, branch.created_at))
    names = ", ".join(branch.name for branch in free[:_NAMED]) or "none"
    return BranchLimitError(
        f"the project has {len(counted)} {kind}, and may have no more ({said})",
        hint=f"expired or oldest without children: {names}; to make room: bough branch delete NAME",
    )
