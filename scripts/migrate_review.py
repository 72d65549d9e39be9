"""`bough migrate lint`: what revisions would do, said before they run."""

from __future__ import annotations

from dataclasses import asdict
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from infra.config import load_project
from scripts import output
from scripts.output import OutputFormat, format_option
from scripts.target import OnBranch, resolve_target

if TYPE_CHECKING:
    from collections.abc import Sequence

    from infra.config import Project
    from infra.migrate.findings import Finding

#: Exit code of findings that count, as in `bough help exit-codes`.
_FOUND: Final = 3


class FindingsFormat(StrEnum):
    """What `-o` takes where findings are shown."""

    TABLE = "table"
    JSON = "json"
    YAML = "yaml"
    GITHUB = "github"


FindingsOutput = Annotated[
    FindingsFormat,
    format_option("How to show it, `github` as annotations of a pull request; also by BOUGH_OUTPUT."),
]
Strict = Annotated[bool, typer.Option("--strict", help="Exit with 3 for what needs care, too.")]


def lint(
    revisions: Annotated[
        str | None,
        typer.Argument(
            metavar="[FROM:TO]",
            help="Those after FROM up to TO, without a database; FROM `base` takes each one as if all before"
            " it were applied. Else those that the database lacks.",
            show_default=False,
        ),
    ] = None,
    *,
    base: Annotated[
        str | None,
        typer.Option(help="Those that this git branch lacks, without a database.", show_default=False),
    ] = None,
    branch: OnBranch = None,
    strict: Strict = False,
    rules: Annotated[bool, typer.Option("--rules", help="List the rules instead.")] = False,
    output_format: FindingsOutput = FindingsFormat.TABLE,
) -> None:
    """Find what would block, break or lose something, statement by statement.

    A database says how large its tables are, so that small ones are let be; without one all are taken
    for large. Exit code 3 when something is unsafe.
    """
    from infra.migrate import lint as linter  # noqa: PLC0415  Alembic takes a quarter of a second

    if rules:
        output.show_text("\n".join(linter.RULES))
        return
    project = load_project(Path.cwd())
    if base is not None:
        if revisions is not None:
            raise typer.BadParameter("a range and --base both say which revisions", param_hint="--base")
        findings = linter.lint_since(project, base)
    elif revisions is not None:
        start, _, end = revisions.rpartition(":")
        findings = linter.lint(project, start or "base", revision=end)
    else:
        target = resolve_target(project, branch)
        output.say(f"Asking {target.url} what is pending")
        findings = linter.lint_pending(project, target.url)
    show_findings(project, findings, output_format)
    end_with(findings, strict=strict)


def show_findings(project: Project, findings: Sequence[Finding], output_format: FindingsFormat) -> None:
    """Write findings to stdout, and their number to stderr."""
    from infra.migrate.report.github import workflow_commands  # noqa: PLC0415  as in `lint`
    from infra.migrate.report.paths import relative  # noqa: PLC0415  as in `lint`

    if output_format is FindingsFormat.GITHUB:
        output.show_text(workflow_commands(findings, project.root))
    elif output_format is FindingsFormat.TABLE:
        output.show_text("\n".join(_text(each, relative(each.path, project.root)) for each in findings))
    else:
        records = [as_record(project, each) for each in findings]
        output.show_rows(records, OutputFormat(output_format), columns={})
    counted = [each for each in findings if each.suppressed is None]
    accepted = f", {len(findings) - len(counted)} accepted" if len(counted) < len(findings) else ""
    output.say(f"{len(counted)} finding{'' if len(counted) == 1 else 's'}{accepted}")


def as_record(project: Project, finding: Finding) -> dict[str, Any]:
    """Return a finding as JSON and YAML have it."""
    from infra.migrate.report.paths import relative  # noqa: PLC0415  as in `lint`

    return asdict(finding) | {"verdict": finding.verdict.value, "path": relative(finding.path, project.root)}


def _text(finding: Finding, path: str) -> str:
    lines = [f"{finding.verdict}  {path}:{finding.line}  [{finding.rule}]", f"  {finding.message}"]
    if finding.suppressed is not None:
        lines[0] = f"accepted  {path}:{finding.line}  [{finding.rule}]"
        lines.append(f"  accepted: {finding.suppressed}")
    elif finding.hint:
        lines.append(f"  hint: {finding.hint}")
    return "\n".join(lines)


def end_with(findings: Sequence[Finding], *, strict: bool) -> None:
    """Exit with 3 where a finding is unsafe, or with `strict` where one counts at all."""
    from infra.migrate.findings import Verdict, worst  # noqa: PLC0415  as in `lint`

    if worst(findings).rank >= (Verdict.CARE if strict else Verdict.UNSAFE).rank:
        raise typer.Exit(_FOUND)
