"""`lint_ignore = {"rule": "reason"}` of a revision: what is shown, and does not count."""

from __future__ import annotations

import difflib
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from infra.migrate.findings import Verdict

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence

    from infra.migrate.findings import Finding
    from infra.migrate.linting.declarations import Declarations
    from infra.migrate.linting.reading import Reading

RULES: Final = ("suppression-invalid", "suppression-unknown", "suppression-unused")
_EXAMPLE: Final = 'write: lint_ignore = {"rule": "why it does no harm here"}'


def suppress(
    reading: Reading,
    declared: Declarations,
    findings: Sequence[Finding],
    known: Collection[str],
    *,
    measured: Collection[str],
    complete: bool,
) -> Iterator[Finding]:
    """Yield the findings, those with a reason suppressed, and what is wrong with the reasons.

    Args:
        reading: The revision.
        declared: What its file says.
        findings: Of this revision.
        known: All rules that there are.
        measured: Those of them that only a rehearsal finds.
        complete: Whether every rule looked at it, sizes of tables aside: only then is a reason unused
            that no finding asks for.
    """
    line = declared.ignored_line
    if declared.ignored is None:
        message = "lint_ignore is no literal mapping of rules to reasons"
        yield reading.finding(RULES[0], Verdict.UNSAFE, message, at=line, hint=_EXAMPLE)
        yield from findings
        return
    reasons = {rule: reason.strip() for rule, reason in declared.ignored.items()}
    for finding in findings:
        reason = reasons.get(finding.rule)
        yield replace(finding, suppressed=reason) if reason else finding
    found = {finding.rule for finding in findings}
    for rule, reason in reasons.items():
        if rule not in known:
            near = difflib.get_close_matches(rule, known, n=1)
            hint = f"did you mean {near[0]!r}?" if near else "run: bough migrate lint --rules"
            message = f"lint_ignore names {rule!r}, which is no rule"
            yield reading.finding(RULES[1], Verdict.UNSAFE, message, at=line, hint=hint)
        elif not reason:
            message = f"lint_ignore gives no reason for {rule!r}, so it counts"
            yield reading.finding(RULES[0], Verdict.UNSAFE, message, at=line, hint=_EXAMPLE)
        elif complete and rule not in found and rule not in measured:
            message = f"lint_ignore gives a reason for {rule!r}, which finds nothing here"
            yield reading.finding(RULES[2], Verdict.CARE, message, at=line, hint="take it out")
