"""The previews of a stage: found by their names, taken down, and swept when a pull request is closed."""

from __future__ import annotations

import re
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING

from infra.aws import log_groups
from infra.aws.function import LOG_GROUPS
from infra.aws.functions import Functions
from infra.aws.preview_function import owner
from infra.aws.secrets import Secrets
from infra.branches import guards
from infra.branches.sweep import DEFAULT_PATTERN, NamePattern
from infra.plan import Step

if TYPE_CHECKING:
    from collections.abc import Iterable

    from infra.aws.account import Account
    from infra.aws.function import Function, FunctionUrl
    from infra.aws.stage import Stage
    from infra.branches.provider import Branch, BranchProvider
    from infra.branches.pull_requests import PullRequests
    from infra.branches.sweep import Rules

_PATTERN = NamePattern(DEFAULT_PATTERN)


@dataclass(frozen=True, slots=True)
class Preview:
    """What there is of one preview.

    Args:
        number: Of its pull request.
        function: `None` where it is missing.
        url: Where that answers; `None` where it does not.
        branch: `None` where it is missing: it has expired, or was never made.
        secrets: Names of its parameters.
        log_group: Its name; `None` where it is missing.
    """

    number: int
    function: Function | None
    url: FunctionUrl | None
    branch: Branch | None
    secrets: tuple[str, ...]
    log_group: str | None

    @property
    def missing(self) -> str | None:
        """What it lacks to be a whole one; `None` for nothing."""
        there = {"function": self.function, "branch": self.branch, "URL": self.url}
        return ", ".join(name for name, found in there.items() if found is None) or None

    def made_at(self) -> datetime | None:
        """Return when the youngest part was made or changed, as far as that is known, with time zone."""
        times = [self.branch.created_at] if self.branch else []
        if self.function:
            times.append(datetime.fromisoformat(self.function.modified_at))
        return max(times, default=None)


def find(account: Account, stage: Stage, provider: BranchProvider) -> tuple[Preview, ...]:
    """Return what there is of each preview, by number: functions, branches and what belongs to them.

    Raises:
        InfraError: Something cannot be listed; half a list would be worse than none.
    """
    functions = Functions(account)
    with ThreadPoolExecutor() as threads:
        made = threads.submit(functions.list, f"{stage.stack}-pr-")
        groups = threads.submit(log_groups.find, account, f"{stage.stack}-pr-")
        secrets = threads.submit(Secrets(account, stage).list, "preview")
        branches = provider.list()
        by_function = {n: each for each in made.result() if (n := _number(each.name, f"{stage.stack}-"))}
        urls = dict(
            zip(
                by_function,
                threads.map(lambda f: functions.url(f.name, None), by_function.values()),
                strict=True,
            )
        )
        by_branch = {n: each for each in branches if (n := _PATTERN.number_of(each.name))}
        before = f"{LOG_GROUPS}{stage.stack}-"
        by_group = {n: each for each in groups.result() if (n := _number(each, before))}
        by_secret: dict[int, list[str]] = {}
        for secret in secrets.result():
            if n := _number(secret.owner, "preview/"):
                by_secret.setdefault(n, []).append(secret.parameter)
    return tuple(
        Preview(
            n, by_function.get(n), urls.get(n), by_branch.get(n), tuple(by_secret.get(n, ())), by_group.get(n)
        )
        for n in sorted({*by_function, *by_branch, *by_group, *by_secret})
    )


def down(account: Account, stage: Stage, provider: BranchProvider, preview: Preview) -> tuple[Step, ...]:
    """Return what takes a preview down: nothing where there is nothing of it.

    Raises:
        BranchProtectedError: Its branch is the default one, or protected; nothing was changed.
    """
    steps = []
    name, branch = stage.preview(preview.number), preview.branch
    if branch is not None:
        guards.refuse_default(branch, "be deleted")
        guards.refuse_protected(branch, "be deleted")
    if preview.function:
        steps.append(
            Step("function", f"Delete the function {name}", partial(Functions(account).delete, name))
        )
    # It would log again, and read its secrets.
    after = tuple(step.key for step in steps)
    if preview.log_group:
        run = partial(log_groups.delete, account, preview.log_group)
        steps.append(Step("logs", f"Delete the log group {preview.log_group}", run, after))
    if preview.secrets:
        title = f"Delete {len(preview.secrets)} parameters"
        steps.append(Step("secrets", title, lambda: _clear(account, stage, preview.number), after))
    if branch is not None:
        delete = partial(provider.delete, branch.id)
        steps.append(Step("branch", f"Delete the branch {branch.name} ({branch.id})", delete, after))
    return tuple(steps)


@dataclass(frozen=True, slots=True)
class Decision:
    """What becomes of a preview, and why."""

    preview: Preview
    delete: bool
    reason: str


def decide(
    previews: Iterable[Preview], pull_requests: PullRequests, now: datetime, rules: Rules
) -> tuple[Decision, ...]:
    """Decide about every preview; whatever is not certain stays.

    A branch that expires by itself goes like any other: its function would not.

    Args:
        previews: All.
        pull_requests: Asked for each that might go.
        now: With time zone.
        rules: How young ones stay.

    Raises:
        PullRequestsUnknownError: It cannot be told which are open.
    """
    return tuple(_decided(each, pull_requests, now, rules) for each in previews)


def _decided(preview: Preview, pull_requests: PullRequests, now: datetime, rules: Rules) -> Decision:
    made_at = preview.made_at()
    youngest = max(rules.grace, rules.older_than)
    why: str | None
    if made_at is not None and now - made_at < youngest:
        why = f"younger than {youngest}"
    elif preview.branch is not None:
        why = rules.why_keep(replace(preview.branch, expires_at=None), pull_requests, now)
    else:
        why = pull_requests.why_keep(preview.number)
    if why is not None:
        return Decision(preview, delete=False, reason=why)
    return Decision(preview, delete=True, reason=f"pull request {preview.number} is not open")


def _clear(account: Account, stage: Stage, number: int) -> None:
    Secrets(account, stage).clear(owner(number))


def _number(name: str, before: str) -> int | None:
    """Return the number in `<before>pr-<number>`, `None` where a name is another."""
    match = re.fullmatch(rf"{re.escape(before)}pr-([1-9][0-9]{{0,6}})", name)
    return int(match[1]) if match else None
