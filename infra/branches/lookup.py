"""Which branch is meant: by id or by name, never by an empty word."""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING, Final, Protocol, TypeVar

from infra.branches.errors import BranchNameMissingError, BranchNotFoundError

if TYPE_CHECKING:
    from collections.abc import Sequence


class _Named(Protocol):
    @property
    def id(self) -> str: ...

    @property
    def name(self) -> str: ...


#: A branch, in the kit's words or its provider's.
_Branch = TypeVar("_Branch", bound=_Named)

#: Of the names in a hint.
_NEAREST: Final = 5


def required(branch: str) -> str:
    """Return the id or name without the spaces around it.

    Raises:
        BranchNameMissingError: Nothing is left.
    """
    if stripped := branch.strip():
        return stripped
    raise BranchNameMissingError(
        "no branch was named", hint="name one by its id or its name; `bough branch list` lists them"
    )


def find(branches: Sequence[_Branch], wanted: str) -> _Branch | None:
    """Return the branch with this id, else the one with this name, if any.

    Raises:
        BranchNameMissingError: `wanted` is empty.
    """
    wanted = required(wanted)
    by_id = {branch.id: branch for branch in branches}
    by_name = {branch.name: branch for branch in branches}
    return by_id.get(wanted) or by_name.get(wanted)


def get(branches: Sequence[_Branch], wanted: str) -> _Branch:
    """Return the branch with this id or name.

    Raises:
        BranchNameMissingError: `wanted` is empty.
        BranchNotFoundError: There is none.
    """
    found = find(branches, wanted)
    if found is None:
        raise not_found(branches, wanted)
    return found


def not_found(branches: Sequence[_Named], wanted: str) -> BranchNotFoundError:
    """Return the error for a branch that is not there; its hint has the nearest names."""
    names = [branch.name for branch in branches]
    nearest = difflib.get_close_matches(wanted, names, n=_NEAREST, cutoff=0.5)
    listed, what = (nearest, "did you mean") if nearest else (names[:_NEAREST], "there are")
    if len(names) > len(listed) and not nearest:
        listed.append("…")
    hint = f"{what} {', '.join(listed)}{'?' if nearest else ''}" if listed else "the project has no branches"
    return BranchNotFoundError(f"there is no branch {wanted!r}", hint=hint)
