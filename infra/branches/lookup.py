"""Which branch is meant: by id or by name, never by an empty word."""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING, Final, Protocol, TypeVar

from infra.branches.errors import BranchNameInvalidError, BranchNameMissingError, BranchNotFoundError

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
#: By Neon's API document; Supabase's says nothing.
_LONGEST_NAME: Final = 256


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
        BranchNameInvalidError: Several have this name.
    """
    wanted = required(wanted)
    by_id = {branch.id: branch for branch in branches}
    return by_id.get(wanted) or named(branches, wanted)


def named(branches: Sequence[_Branch], name: str) -> _Branch | None:
    """Return the branch with this name, if any.

    Raises:
        BranchNameInvalidError: Several have it: any of them could be the wrong one.
    """
    found = [branch for branch in branches if branch.name == name]
    if len(found) > 1:
        raise BranchNameInvalidError(
            f"{len(found)} branches have the name {name!r}",
            hint=f"give the id of the one that is meant: {', '.join(branch.id for branch in found)}",
        )
    return found[0] if found else None


def checked_name(name: str) -> str:
    """Return the name of a branch to be made, without the spaces around it.

    Raises:
        BranchNameMissingError: Nothing is left.
        BranchNameInvalidError: It is too long, or has characters that do not show.
    """
    name = required(name)
    if len(name) > _LONGEST_NAME:
        raise BranchNameInvalidError(
            f"a branch's name has at most {_LONGEST_NAME} characters, not {len(name)}"
        )
    if not name.isprintable():
        raise BranchNameInvalidError(f"the branch's name {name!r} has characters that do not show")
    return name


def refuse_id(branches: Sequence[_Named], name: str) -> None:
    """Refuse a name for which another branch would be found.

    Raises:
        BranchNameInvalidError: It is a branch's id.
    """
    if other := next((branch for branch in branches if branch.id == name), None):
        raise BranchNameInvalidError(f"{name!r} is the id of the branch {other.name!r}, and so no name")


def get(branches: Sequence[_Branch], wanted: str) -> _Branch:
    """Return the branch with this id or name.

    Raises:
        BranchNameMissingError: `wanted` is empty.
        BranchNameInvalidError: Several have this name.
        BranchNotFoundError: There is none; the hint has the nearest names.
    """
    if found := find(branches, wanted):
        return found
    names = [branch.name for branch in branches]
    nearest = difflib.get_close_matches(wanted, names, n=_NEAREST, cutoff=0.5)
    listed, what = (nearest, "did you mean") if nearest else (names[:_NEAREST], "there are")
    if len(names) > len(listed) and not nearest:
        listed.append("…")
    hint = f"{what} {', '.join(listed)}{'?' if nearest else ''}" if listed else "the project has no branches"
    raise BranchNotFoundError(f"there is no branch {wanted!r}", hint=hint)
