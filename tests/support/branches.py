"""Branches that no provider has, for what is decided about them."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from infra.branches.errors import BranchNotFoundError
from infra.branches.provider import Branch, BranchState

if TYPE_CHECKING:
    from collections.abc import Callable

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)


def branch(name: str, parent: str | None = "br-main", *, age: float = 48.0, **changes: Any) -> Branch:
    """Return a branch with the id `br-<name>`, made `age` hours before `NOW`."""
    made = Branch(
        id=f"br-{name}",
        name=name,
        project_id="calm-lake-1",
        parent_id=parent,
        is_default=False,
        is_protected=False,
        state=BranchState.READY,
        created_at=NOW - timedelta(hours=age),
    )
    return replace(made, **changes)


MAIN = branch("main", None, age=1000, is_default=True)


class Provider:
    """As much of a provider as a sweep needs; `before_get` changes its branches at the last moment."""

    def __init__(self, *branches: Branch, before_get: Callable[[Provider, str], None] | None = None) -> None:
        """Have these branches."""
        self.branches = {each.id: each for each in branches}
        self.deleted: list[str] = []
        self._before_get = before_get

    def get(self, name: str) -> Branch:
        """Return a branch by its id."""
        if self._before_get:
            self._before_get(self, name)
        try:
            return self.branches[name]
        except KeyError:
            message = f"no branch {name}"
            raise BranchNotFoundError(message) from None

    def delete(self, name: str) -> None:
        """Delete a branch by its id."""
        self.deleted.append(name)
        del self.branches[name]
