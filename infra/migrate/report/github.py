"""Findings as GitHub Actions shows them: at their lines, in the pull request's changes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from infra.migrate.findings import Verdict
from infra.migrate.report.paths import relative
from infra.migrate.report.summary import worst_first

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from infra.migrate.findings import Finding


def workflow_commands(findings: Iterable[Finding], root: Path) -> str:
    """Return a workflow command for each finding, the worst first: GitHub shows ten of a kind per step.

    Args:
        findings: Unsafe is an error, care a warning, what is suppressed a notice.
        root: Of the project, which must be the repository's: GitHub counts paths from there.
    """
    return "".join(f"{_command(finding, root)}\n" for finding in worst_first(findings))


def _command(finding: Finding, root: Path) -> str:
    lines = [finding.message]
    if finding.hint:
        lines.append(f"hint: {finding.hint}")
    if finding.suppressed is not None:
        lines.append(f"accepted: {finding.suppressed}")
        level = "notice"
    else:
        level = "error" if finding.verdict is Verdict.UNSAFE else "warning"
    place = f"file={_property(relative(finding.path, root))},line={finding.line}"
    return f"::{level} {place},title={_property(finding.rule)}::{_data(chr(10).join(lines))}"


# https://github.com/actions/toolkit/blob/main/packages/core/src/command.ts has the two escapes.
def _data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")
