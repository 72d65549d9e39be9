"""A migration of the corpus: how it is written, and what is known of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from infra.migrate.findings import Verdict
from tests.support.measurements import statement

if TYPE_CHECKING:
    from collections.abc import Mapping

    from infra.migrate.history import Phase

SAFE, CARE, UNSAFE = Verdict.SAFE, Verdict.CARE, Verdict.UNSAFE

AX = "AccessExclusive"
SRX = "ShareRowExclusive"
S = "Share"
SUX = "ShareUpdateExclusive"
RX = "RowExclusive"
RS = "RowShare"


@dataclass(frozen=True)
class Step:
    """One revision; both ways are Python."""

    upgrade: str
    downgrade: str
    phase: Phase = "expand"


@dataclass(frozen=True)
class Migration:
    """One way to a change, in one revision or in several that run one after the other.

    Args:
        name: What it does.
        steps: Its revisions.
        verdict: What a careful database administrator would say.
        measured: Rules of the measurement that find something.
        linted: Rules of the linter that do.
        locks: The strongest on each table, index or view that was there before.
        unread: Those of them that the linter cannot read out of the statements.
        rewrites: What is written anew, indexes of a rewritten table left out.
        fails: The server refuses it.
        irreversible: Why there is no way back.
    """

    name: str
    steps: tuple[Step, ...]
    verdict: Verdict = SAFE
    measured: frozenset[str] = frozenset()
    linted: frozenset[str] = frozenset()
    locks: Mapping[str, str] = field(default_factory=dict)
    unread: frozenset[str] = frozenset()
    rewrites: frozenset[str] = frozenset()
    fails: bool = False
    irreversible: str | None = None


def expand(upgrade: str, downgrade: str) -> Step:
    return Step(upgrade, downgrade)


def contract(upgrade: str, downgrade: str) -> Step:
    return Step(upgrade, downgrade, "contract")


def sql(*statements: str) -> str:
    """Return the lines of a revision that send statements in its transaction."""
    return "\n".join(statement(each) for each in statements)


def migration(
    name: str,
    *steps: Step,
    verdict: Verdict = SAFE,
    measured: tuple[str, ...] = (),
    linted: tuple[str, ...] = (),
    locks: Mapping[str, str] | None = None,
    unread: tuple[str, ...] = (),
    rewrites: tuple[str, ...] = (),
    fails: bool = False,
    irreversible: str | None = None,
) -> Migration:
    return Migration(
        name,
        steps,
        verdict,
        frozenset(measured),
        frozenset(linted),
        locks or {},
        frozenset(unread),
        frozenset(rewrites),
        fails,
        irreversible,
    )
