"""What is said against a revision, whoever says it: the linter, or the rehearsal that measured it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path


class Verdict(StrEnum):
    """How a revision is judged, from best to worst."""

    SAFE = "safe"
    CARE = "needs care"
    UNSAFE = "unsafe"

    @property
    def rank(self) -> int:
        """0 for the best; strings do not sort as verdicts do."""
        return list(Verdict).index(self)


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong, or asks for care.

    Args:
        rule: Stable and in kebab case, such as `rewrite-of-large-table`; what a suppression names.
        verdict: Never `SAFE`.
        message: What happens, to which table, how large.
        revision: Its id.
        path: The revision's file.
        line: Of that file, from 1; the revision's first where it is not known better.
        hint: The safe way to the same end.
        suppressed: The reason that the revision gives; such a finding is shown, and does not count.
    """

    rule: str
    verdict: Verdict
    message: str
    revision: str
    path: Path
    line: int
    hint: str | None = None
    suppressed: str | None = None


def worst(findings: Iterable[Finding]) -> Verdict:
    """Return the verdict that the findings together come to; `SAFE` for none that counts."""
    counting = (finding.verdict for finding in findings if finding.suppressed is None)
    return max(counting, key=lambda verdict: verdict.rank, default=Verdict.SAFE)
