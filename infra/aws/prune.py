"""Deletes the versions that nobody will return to: each keeps its zip in the account's 75 GB."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from infra.aws.function import Alias, Version
    from infra.aws.functions import Functions


def superseded(versions: Sequence[Version], aliases: Iterable[Alias], keep: int) -> tuple[Version, ...]:
    """Return the versions to delete, the oldest first.

    Args:
        versions: All, in any order.
        aliases: All of the function's; what one of them leads to stays, be it for a share of the requests,
            and what it led to before: versions that failed are newer than the one that a rollback returns to.
        keep: How many of the newest others stay.
    """
    named = {number for alias in aliases for number in (*alias.shares, *alias.before[:1])}
    others = sorted(
        (version for version in versions if version.number not in named),
        key=lambda version: int(version.number),
    )
    return tuple(others[: max(0, len(others) - keep)])


def prune(functions: Functions, name: str, keep: int) -> tuple[Version, ...]:
    """Delete a function's superseded versions, and return them.

    Lambda itself refuses to delete a version that an alias leads to by then.
    """
    gone = superseded(functions.versions(name), functions.aliases(name), keep)
    for version in gone:
        functions.delete(name, version.number)
    return gone
