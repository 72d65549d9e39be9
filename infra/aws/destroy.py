"""Everything that a stage has in AWS, and the plan that removes it. Its database is no part of it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from infra.aws import log_groups
from infra.aws.errors import translated
from infra.aws.function import LOG_GROUPS
from infra.aws.functions import Functions
from infra.aws.secrets import Secrets
from infra.aws.stack import StackNotFoundError
from infra.aws.stage import LIVE
from infra.aws.uploads import PREFIX, no_bucket_is_empty
from infra.plan import Step

if TYPE_CHECKING:
    from collections.abc import Iterator

    from infra.aws.account import Account
    from infra.aws.deploy_lock import DeployLock
    from infra.aws.stack import Stack
    from infra.aws.stage import Stage


@dataclass(frozen=True, slots=True)
class Belongings:
    """What a stage has.

    Args:
        stack: Its CloudFormation stack's name; `None` without one.
        url: Where the API answers; `None` where it does not.
        functions: Those that the stack makes, as far as they are there.
        versions: How many the API has published.
        previews: The functions of previews.
        artifacts: How many were uploaded.
        secrets: The names of its parameters.
        log_groups: Of its functions.
    """

    stack: str | None
    url: str | None
    functions: tuple[str, ...]
    versions: int
    previews: tuple[str, ...]
    artifacts: int
    secrets: tuple[str, ...]
    log_groups: tuple[str, ...]

    def rows(self) -> Iterator[tuple[str, str]]:
        """Yield what each thing is, and its name or how many there are."""
        if self.url:
            yield "url", self.url
        yield from (("function", name) for name in self.functions)
        if self.versions:
            yield "versions", str(self.versions)
        yield from (("preview", name) for name in self.previews)
        if self.stack:
            yield "stack", self.stack
        if self.artifacts:
            yield "artifacts", str(self.artifacts)
        yield from (("parameter", name) for name in self.secrets)
        yield from (("log group", name) for name in self.log_groups)


def find(account: Account, stage: Stage, stack: Stack) -> Belongings:
    """Look for everything that a stage has; nothing is changed.

    Names decide. What begins with this stage's name and is another's, such as `production-eu`, is left out.
    """
    functions = Functions(account)
    names = _functions(account, stage)
    own = tuple(name for name in (stage.api, stage.migrate) if name in names)
    url = functions.url(stage.api, LIVE) if stage.api in own else None
    return Belongings(
        stack=stage.stack if stack.exists() else None,
        url=url.url if url else None,
        functions=own,
        versions=len(functions.versions(stage.api)) if stage.api in own else 0,
        previews=tuple(name for name in names if name not in own),
        artifacts=_artifacts(account, stack),
        secrets=tuple(secret.parameter for secret in Secrets(account, stage).list()),
        log_groups=_log_groups(account, stage),
    )


def steps(account: Account, stage: Stage, stack: Stack, found: Belongings, lock: DeployLock) -> list[Step]:
    """Return what removes it: first what answers requests, last what it has logged."""
    functions = Functions(account)
    plan = [Step("lock", "Keep deploys of the stage away", lock.take, undo=lock.release)]
    plan += [_deletion(functions, name, f"Delete the preview {name}", ("lock",)) for name in found.previews]
    if found.stack:
        plan.append(
            Step(
                "stack",
                f"Delete the stack {found.stack}, with its functions, bucket, roles and alarms",
                lambda: _nothing(stack.remove()),
                # They have its role.
                ("lock", *found.previews),
            )
        )
    before = tuple(step.key for step in plan)
    # Those of the stack are gone with it; others were left behind by one that failed.
    leftover = [
        _deletion(functions, name, f"Delete the function {name} with its versions, if it is left", before)
        for name in found.functions
    ]
    plan += leftover
    before += tuple(step.key for step in leftover)
    if found.secrets:
        secrets = Secrets(account, stage)
        plan.append(
            Step(
                "secrets",
                f"Delete the parameters below {stage.parameters}",
                lambda: _nothing(secrets.clear()),
                before,
            )
        )
    if found.log_groups:
        # Looked for again: a request that came meanwhile has made one.
        plan.append(Step("logs", "Delete the log groups", lambda: _delete_log_groups(account, stage), before))
    plan.append(Step("unlock", "Let deploys go on", lock.release, tuple(step.key for step in plan)))
    return plan


def _deletion(functions: Functions, name: str, title: str, after: tuple[str, ...]) -> Step:
    return Step(name, title, lambda: functions.delete(name), after)


def _nothing(_: object) -> None:
    """Say nothing of what came of it."""


def _is_own(stage: Stage, name: str) -> bool:
    return re.fullmatch(rf"{re.escape(stage.stack)}-(api|migrate|pr-\d+)", name) is not None


def _functions(account: Account, stage: Stage) -> tuple[str, ...]:
    names = [each.name for each in Functions(account).list(f"{stage.stack}-")]
    return tuple(sorted(name for name in names if _is_own(stage, name)))


def _log_groups(account: Account, stage: Stage) -> tuple[str, ...]:
    names = log_groups.find(account, f"{stage.stack}-")
    return tuple(name for name in names if _is_own(stage, name.removeprefix(LOG_GROUPS)))


def _delete_log_groups(account: Account, stage: Stage) -> None:
    for name in _log_groups(account, stage):
        log_groups.delete(account, name)


def _artifacts(account: Account, stack: Stack) -> int:
    try:
        bucket = stack.outputs().bucket
    except StackNotFoundError:
        return 0
    with translated(f"list what was uploaded to {bucket}"), no_bucket_is_empty():
        pages = account.objects.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=PREFIX)
        return sum(page["KeyCount"] for page in pages)
    return 0
