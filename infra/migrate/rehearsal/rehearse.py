"""Rehearse a migration: run it on a fork of its target, measured; down and up again; judge, and remember.

Nothing is changed at the target but its own record of the rehearsal.
"""

from __future__ import annotations

import time
from contextlib import ExitStack
from dataclasses import asdict, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from infra.branches import identity
from infra.errors import InfraError
from infra.migrate import records
from infra.migrate.connection import TIMEOUTS, open_connection
from infra.migrate.findings import Verdict
from infra.migrate.rehearsal import memory
from infra.migrate.rehearsal.fork import Origin
from infra.migrate.rehearsal.fork_run import ForkRun
from infra.migrate.rehearsal.results import Rehearsal
from infra.migrate.rehearsal.target import look
from infra.migrate.report import to_json

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from infra.config import Project
    from infra.migrate.rehearsal.memory import Step
    from infra.migrate.rehearsal.target import Target
    from infra.migrate.rehearsal.traffic import Traffic


def rehearse(
    project: Project,
    target: Target,
    *,
    announce: Callable[[str], None],
    revision: str = "head",
    contract: bool = False,
    traffic: Traffic | None = None,
    keep: bool = False,
    code: bool = True,
    environment: Mapping[str, str] | None = None,
    deployed: Path | None = None,
) -> Rehearsal | None:
    """Rehearse what `runner.apply` would run; `None` where that is nothing, and then nothing is forked.

    What is wrong with the revisions is in the result, and remembered as such; errors are for what kept them
    from being rehearsed.

    Args:
        project: Whose revisions.
        target: What they are meant for.
        announce: Is told of every step and how long it took.
        revision: The last to rehearse.
        contract: Contract revisions too, whatever code is live: none uses the fork.
        traffic: A load that clients make while the revisions run a second time.
        keep: Leave the fork there.
        code: Try the deployed and the new code on it, which packages the project.
        environment: Variables that the code needs besides those that `bough up` gives it by itself.
        deployed: Where the artifact of the code that is live is on this machine, if not where its deployer
            has recorded it.

    Raises:
        TargetError: The target is another branch, or does not say which.
        ForkDiffersError: The fork is not what the target is.
        BranchError, CopyImpossibleError: There is no fork to be had.
        MigrationError: The history is broken, or a database cannot be read.
    """
    started_at, began = datetime.now(UTC), time.monotonic()
    outlook = look(project, target, revision=revision, contract=contract)
    announce(f"→ {outlook.identity}")
    if outlook.why:
        announce(outlook.why)
    if not outlook.plan:
        return None
    if deployed is not None and outlook.live is not None:
        outlook = replace(outlook, live=replace(outlook.live, artifact=str(deployed)))
    run = ForkRun(project, outlook, announce, traffic, environment)
    with ExitStack() as stack:
        with run.step("forked"):
            fork = stack.enter_context(target.fork(Origin(target.url, outlook.identity, keep, announce)))
        run.run(fork, code=code)
    results = run.results()
    seen = run.schemas
    digests = [schema.digest if schema is not None else None for schema in seen]
    taken = memory.steps(project, outlook.plan, outlook.versions, digests)
    rehearsal = Rehearsal(
        target=outlook.identity,
        fork=fork.kind,
        base=memory.base_of(outlook.versions),
        head=outlook.plan[-1].id,
        fingerprint=memory.fingerprint(taken),
        started_at=started_at,
        seconds=time.monotonic() - began,
        revisions=results,
        checks=tuple(run.checks),
        traffic=run.traffic,
    )
    remembered = _remembered(rehearsal, taken)
    try:
        with open_connection(target.url, TIMEOUTS) as connection:
            identity.verify(connection, rehearsal.target)
            report = to_json(rehearsal, project.root)
            records.record_rehearsal(connection, remembered, report, filter(None, seen))
    except InfraError as error:
        # The report is worth having all the same.
        announce(f"The target will not remember this rehearsal: {error}")
    return rehearsal


def _remembered(rehearsal: Rehearsal, taken: tuple[Step, ...]) -> dict[str, Any]:
    steps = [
        replace(
            step,
            # What failed as a whole speaks against each of them.
            verdict=(Verdict.UNSAFE if rehearsal.failed else result.verdict).value,
            rows={lock.relation: lock.rows for lock in result.measure.locks if lock.rows is not None},
        )
        for step, result in zip(taken, rehearsal.revisions, strict=True)
    ]
    return {
        "fingerprint": rehearsal.fingerprint,
        "base": rehearsal.base,
        "head": rehearsal.head,
        "verdict": rehearsal.verdict.value,
        "steps": [asdict(step) for step in steps],
    }
