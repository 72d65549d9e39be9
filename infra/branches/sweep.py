"""Delete the branches of pull requests that are no longer open.

Planning only reads: it says of every branch whether it goes or stays, and why. Whoever plans reads the
branches first and the pull requests after them: a pull request that is opened in between is then known.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from infra.branches.errors import (
    BranchNotFoundError,
    ProviderAuthError,
    ProviderUnavailableError,
    PullRequestsUnknownError,
    SweepPatternError,
)
from infra.branches.pull_requests import GivenPullRequests
from infra.errors import InfraError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import datetime

    from infra.branches.provider import Branch, BranchProvider
    from infra.branches.pull_requests import PullRequests

DEFAULT_PATTERN: Final = "pr-{number}"
DEFAULT_GRACE: Final = timedelta(hours=1)

_NUMBER: Final = "{number}"
#: They would meet the next branch too.
_ENDS_A_SWEEP: Final = (ProviderAuthError, ProviderUnavailableError, PullRequestsUnknownError)


class NamePattern:
    """What the branches of pull requests are called: `pr-{number}`, `preview/pr-{number}-*`."""

    def __init__(self, text: str) -> None:
        """Read a pattern.

        Args:
            text: Has `{number}` once, and after it perhaps `*`, which stands for anything.

        Raises:
            SweepPatternError: It has not, or `*` stands where the number could be read in two ways.
        """
        before, found, after = text.partition(_NUMBER)
        if not found or _NUMBER in after or "*" in before:
            raise SweepPatternError(
                f"the pattern {text!r} does not say where the pull request's number is",
                hint="write {number} once, and * only after it, as in preview/pr-{number}-*",
            )
        if before[-1:].isdigit() or after[:1].isdigit():
            raise SweepPatternError(f"the pattern {text!r} has another digit beside the number")
        self.text = text
        rest = ".*".join(map(re.escape, after.split("*")))
        self._regex = re.compile(rf"{re.escape(before)}([0-9]{{1,10}})(?![0-9]){rest}", re.DOTALL)

    def number_of(self, name: str) -> int | None:
        """Return the number of the pull request that a branch belongs to, `None` where the name has none."""
        match = self._regex.fullmatch(name)
        return int(match[1]) if match else None


@dataclass(frozen=True, slots=True)
class Rules:
    """What may go.

    Args:
        pattern: Only branches with such a name.
        grace: Only branches older than this: one may be made before its pull request is seen.
        older_than: Only branches older than this, too.
    """

    pattern: NamePattern = field(default_factory=lambda: NamePattern(DEFAULT_PATTERN))
    grace: timedelta = DEFAULT_GRACE
    older_than: timedelta = timedelta()

    def why_keep(self, branch: Branch, pull_requests: PullRequests, now: datetime) -> str | None:
        """Return why a branch must stay, children aside; `None` when it may go."""
        number = self.pattern.number_of(branch.name)
        youngest = max(self.grace, self.older_than)
        reason = None
        if branch.is_default:
            reason = "the default branch"
        elif branch.is_protected:
            reason = "protected"
        elif number is None:
            reason = f"its name is not {self.pattern.text}"
        elif branch.expires_at is not None and branch.expires_at > now:
            reason = f"expires by itself at {branch.expires_at.isoformat(timespec='seconds')}"
        elif now - branch.created_at < youngest:
            reason = f"younger than {youngest}"
        else:
            reason = pull_requests.why_keep(number)
        return reason


@dataclass(frozen=True, slots=True)
class Decision:
    """What becomes, or became, of a branch, and why."""

    branch: Branch
    delete: bool
    reason: str


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a sweep did.

    Args:
        deleted: In order.
        kept: Those that turned out, right before their end, to have to stay.
        failed: Those that should have gone; the reason is the provider's or GitHub's.
    """

    deleted: tuple[Decision, ...]
    kept: tuple[Decision, ...]
    failed: tuple[Decision, ...]


def plan(
    branches: Sequence[Branch], open_pull_requests: frozenset[int], now: datetime, rules: Rules
) -> tuple[Decision, ...]:
    """Decide about every branch: first those that go, children before their parents, then those that stay.

    Args:
        branches: All of the project, for a parent stays as long as a child does.
        open_pull_requests: All that are open.
        now: With time zone.
        rules: What may go.
    """
    pull_requests = GivenPullRequests(open_pull_requests)
    keep = {
        branch.id: reason
        for branch in branches
        if (reason := rules.why_keep(branch, pull_requests, now)) is not None
    }
    going = {branch.id: branch for branch in branches if branch.id not in keep}
    while parents := {
        branch.parent_id: branch.name
        for branch in branches
        if branch.id in keep and branch.parent_id in going
    }:
        for parent, child in parents.items():
            keep[parent] = f"parent of {child}, which stays"
            del going[parent]
    ordered = sorted(going.values(), key=lambda branch: -_depth(branch, going))
    closed = "pull request {} is not open"
    return (
        *(Decision(each, True, closed.format(rules.pattern.number_of(each.name))) for each in ordered),
        *(Decision(each, False, keep[each.id]) for each in branches if each.id in keep),
    )


def execute(
    provider: BranchProvider,
    decisions: Sequence[Decision],
    pull_requests: PullRequests,
    now: datetime,
    rules: Rules,
    *,
    announce: Callable[[str], None],
) -> Outcome:
    """Delete what was decided, each after another look at it and at its pull request.

    A branch that cannot be deleted does not hold up the others, unless the provider or GitHub refuses the
    token or does not answer any more.

    Args:
        provider: Of the project.
        decisions: As `plan` returned them.
        pull_requests: Asked again for each.
        now: As for `plan`.
        rules: As for `plan`.
        announce: Is told of each branch that was deleted, in one sentence.
    """
    deleted: list[Decision] = []
    kept: list[Decision] = []
    failed: list[Decision] = []
    waiting = [decision for decision in decisions if decision.delete]
    while waiting:
        decision = waiting.pop(0)
        branch = decision.branch
        try:
            reason = _second_look(provider, branch, pull_requests, now, rules)
            if reason is not None:
                kept.append(Decision(branch, delete=False, reason=reason))
                continue
            provider.delete(branch.id)
        except InfraError as error:
            failed.append(Decision(branch, delete=True, reason=str(error)))
            if isinstance(error, _ENDS_A_SWEEP):
                failed += [Decision(each.branch, delete=True, reason="not tried") for each in waiting]
                break
        else:
            announce(f"Deleted {branch.name} ({branch.id}): {decision.reason}")
            deleted.append(decision)
    return Outcome(tuple(deleted), tuple(kept), tuple(failed))


def _depth(branch: Branch, branches: dict[str, Branch]) -> int:
    """Return how many of the branches lie above one."""
    depth = 0
    while branch.parent_id in branches:
        branch = branches[branch.parent_id]
        depth += 1
    return depth


def _second_look(
    provider: BranchProvider, branch: Branch, pull_requests: PullRequests, now: datetime, rules: Rules
) -> str | None:
    """Return why a branch must stay after all."""
    try:
        today = provider.get(branch.id)
    except BranchNotFoundError:
        return "gone already"
    if (today.id, today.name) != (branch.id, branch.name):
        return f"now called {today.name}"
    return rules.why_keep(today, pull_requests, now)
