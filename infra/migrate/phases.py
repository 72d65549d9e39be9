"""Which revisions may run now: the rules of expand and contract.

An expand revision keeps the code that is live working, and may always run. A contract revision takes
something away; it waits until the code that is live was built with it, and so does all that follows it.
Contracts that are not applied therefore stay at the history's tail.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC
from typing import TYPE_CHECKING

from infra.migrate.findings import Finding, Verdict

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence

    from infra.migrate.history import Revision
    from infra.migrate.records import Release

#: The findings' rule.
EXPAND_AFTER_CONTRACT = "expand-after-contract"


@dataclass(frozen=True, slots=True)
class Allowed:
    """What of a plan may run.

    Args:
        run: In the order of running.
        held_back: The rest, which begins with a contract revision.
        why: One sentence about what is held back, with the next command; `None` where nothing is.
    """

    run: tuple[Revision, ...]
    held_back: tuple[Revision, ...] = ()
    why: str | None = None


def allowed(
    plan: Sequence[Revision],
    *,
    applied: Collection[str],
    live: Release | None,
    contract: bool,
    unused: bool = False,
    first_fill: Collection[str] = (),
) -> Allowed:
    """Divide a plan into what may run and what is held back.

    Args:
        plan: Pending revisions in the order of running.
        applied: Ids of what the database has; where that is nothing, no code can be live on it.
        live: The code that serves requests; `None` when nobody has said so.
        contract: Whether contract revisions were asked for.
        unused: No code uses the database: it is a fork, or of a world that is about to start.
        first_fill: What an interrupted run was filling an empty database with: until somebody says that code
            is live, none can be.
    """
    everything = Allowed(tuple(plan))
    if unused or not applied:
        return everything
    known = first_fill if live is None else live.revisions if contract else frozenset()
    for index, revision in enumerate(plan):
        if revision.phase == "contract" and revision.id not in known:
            held_back = tuple(plan[index:])
            return Allowed(tuple(plan[:index]), held_back, _why(held_back, live, contract=contract))
    return everything


def _why(held_back: Sequence[Revision], live: Release | None, *, contract: bool) -> str:
    first = held_back[0].id
    waiting = f"contract revision {first} waits until no code is live that needs what it takes away"
    if live is None:
        return f"{waiting}, and which code is live is not recorded; say it with: bough migrate live --record"
    if not contract and first in live.revisions:
        return f"{waiting}; the live code knows it, so go on with: bough migrate apply --contract"
    since = f"{live.live_at.astimezone(UTC):%Y-%m-%d %H:%M} UTC"
    return (
        f"{waiting}; the live code (head {live.head or 'none'}, since {since}) "
        "was built without it: deploy first, then run: bough migrate apply --contract"
    )


def check_order(
    history: Iterable[Revision], applied: Collection[str], *, unsure: Collection[str] = ()
) -> tuple[Finding, ...]:
    """Find each expand revision that comes after a contract revision, both of them not applied.

    Such an expand waits for the contract, which waits for code that needs the expand.

    Args:
        history: From the oldest revision to the newest.
        applied: Ids of what is applied where it matters.
        unsure: Ids of which that is not known, such as those of the main git branch where no database
            was asked: after such a contract an expand needs care, after any other it is unsafe.
    """
    findings = []
    waiting: Revision | None = None
    for revision in history:
        if revision.id in applied:
            continue
        if revision.phase == "contract":
            # One that surely waits weighs more than one that perhaps does.
            if waiting is None or waiting.id in unsure:
                waiting = revision
        elif waiting is not None and revision.id not in unsure:
            findings.append(_misplaced(revision, waiting, sure=waiting.id not in unsure))
    return tuple(findings)


def _misplaced(expand: Revision, contract: Revision, *, sure: bool) -> Finding:
    state = "is not applied yet" if sure else "is perhaps not applied yet"
    return Finding(
        rule=EXPAND_AFTER_CONTRACT,
        verdict=Verdict.UNSAFE if sure else Verdict.CARE,
        message=f"expand revision {expand.id} comes after contract revision {contract.id}, which {state}",
        revision=expand.id,
        path=expand.path,
        line=1,
        hint="put it before the contract with: bough migrate rebase",
    )
