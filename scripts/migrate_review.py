"""`bough migrate lint`, `check`, `plan` and `history`: what revisions do, said before they run."""

from __future__ import annotations

import textwrap
from dataclasses import asdict
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from infra.config import load_project
from scripts import output
from scripts.output import Output, OutputFormat, format_option
from scripts.signals import EndingSignals
from scripts.target import OnBranch, OnUrl, resolve_target

if TYPE_CHECKING:
    from collections.abc import Sequence

    from infra.config import Project
    from infra.migrate.findings import Finding
    from infra.migrate.plan import PlannedRevision

#: What is done under a lock, by the name of `effects.Work`.
_WORK: Final = {
    "INSTANT": "an instant",
    "ROWS": "as long as its rows take",
    "SCAN": "as long as reading the table takes",
    "BUILD": "as long as building the index takes",
    "REWRITE": "as long as rewriting the table takes",
}
_COLUMNS: Final = {
    "id": "REVISION",
    "phase": "PHASE",
    "applied_at": "APPLIED",
    "rehearsed": "REHEARSED",
    "live": "LIVE",
    "message": "WHAT",
}

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
            metavar="FROM:TO",
            help="Those after FROM up to TO, without a database; FROM `base` takes each one as if all before"
            " it were applied. Else those that the database lacks.",
            show_default=False,
        ),
    ] = None,
    *,
    base: Annotated[
        str | None,
        typer.Option(
            metavar="GIT_BRANCH", help="Those that it lacks, without a database.", show_default=False
        ),
    ] = None,
    branch: OnBranch = None,
    url: OnUrl = None,
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
        findings = linter.lint(project, start or "base", revision=end or "head")
    else:
        target = resolve_target(project, branch, url)
        output.say(f"Asking {target.url} what is pending")
        findings = linter.lint_pending(project, target.url)
    show_findings(project, findings, output_format)
    end_with(findings, strict=strict)


def check(
    *,
    base: Annotated[
        str | None,
        typer.Option(
            metavar="GIT_BRANCH", help="Lint what it lacks; else what the main one lacks.", show_default=False
        ),
    ] = None,
    database: Annotated[
        bool,
        typer.Option(
            "--database/--no-database", help="Run all revisions up, down and up on an empty PostgreSQL here."
        ),
    ] = True,
    strict: Strict = False,
    output_format: FindingsOutput = FindingsFormat.TABLE,
) -> None:
    """Check what must hold before revisions are merged, without the database that they are meant for.

    One history, contracts at its end, nothing unsafe in what is new; and on a PostgreSQL of this machine,
    which is gone afterwards: they run, their downgrades leave no trace, the models have no more to say.
    Exit code 3 when something does not hold.
    """
    from infra.migrate import check as checks  # noqa: PLC0415  as in `lint`

    project = load_project(Path.cwd())
    findings = checks.check_files(project, base=base, announce=output.say)
    if database:
        with EndingSignals():
            findings += checks.check_database(project, announce=output.say)
    show_findings(project, findings, output_format)
    end_with(findings, strict=strict)


def plan(
    revision: Annotated[str, typer.Argument(metavar="REVISION", help="The last that may run.")] = "head",
    *,
    branch: OnBranch = None,
    url: OnUrl = None,
    contract: Annotated[
        bool, typer.Option("--contract", help="Contract revisions too, as far as the live code allows.")
    ] = False,
    output_format: Output = OutputFormat.TABLE,
) -> None:
    """Show what `apply` would run: statements, the locks that each takes, and what the linter says.

    Nothing is changed. Exit code 3 when something would run.
    """
    from infra.migrate import plan as planning  # noqa: PLC0415  as in `lint`

    project = load_project(Path.cwd())
    target = resolve_target(project, branch, url)
    found = planning.plan(project, target.url, expected=target.expected, revision=revision, contract=contract)
    output.say(f"→ {found.identity}, at {', '.join(found.current) or 'base'}")
    if output_format is OutputFormat.TABLE:
        output.show_text("\n\n".join(_planned(project, each) for each in found.revisions))
    else:
        record = {
            "database": str(target.url),
            "current": list(found.current),
            "pending": [_planned_record(project, each) for each in found.revisions],
            "why": found.why,
        }
        output.show(record, output_format)
    if found.why is not None:
        output.say(f"Held back: {found.why}")
    if not found.runs:
        output.say("Nothing to do")
        return
    raise typer.Exit(_FOUND)


def history(
    *, branch: OnBranch = None, url: OnUrl = None, output_format: Output = OutputFormat.TABLE
) -> None:
    """List all revisions: when each was applied, how its rehearsal ended, which ones the live code has."""
    from infra.migrate.overview import overview  # noqa: PLC0415  as in `lint`

    project = load_project(Path.cwd())
    target = resolve_target(project, branch, url)
    entries = overview(project, target.url, expected=target.expected)
    output.show_rows([asdict(each) for each in entries], output_format, columns=_COLUMNS)


def _planned(project: Project, planned: PlannedRevision) -> str:
    from infra.migrate.lock_modes import mode_name  # noqa: PLC0415  as in `lint`
    from infra.migrate.report.paths import relative  # noqa: PLC0415  as in `lint`

    revision = planned.revision
    state = "held back" if planned.held_back else "runs"
    lines = [f"{revision.id} ({revision.phase}, {state}): {revision.message}"]
    for statement in planned.statements:
        inside = "autocommit" if statement.transaction is None else ""
        lines += ["", f"  -- line {statement.line} {inside}".rstrip()]
        lines += [f"  {line}" for line in f"{statement.sql};".splitlines()]
        lines += [
            f"  --   {mode_name(effect.mode)} on {effect.relation}: {_WORK[effect.work.name]}"
            for effect in statement.effects
        ]
    if planned.findings:
        path = relative(revision.path, project.root)
        lines += ["", *(textwrap.indent(_text(each, path), "  ") for each in planned.findings)]
    return "\n".join(lines)


def _planned_record(project: Project, planned: PlannedRevision) -> dict[str, Any]:
    return {
        "id": planned.revision.id,
        "message": planned.revision.message,
        "phase": planned.revision.phase,
        "held_back": planned.held_back,
        "statements": [
            {
                "sql": each.sql,
                "line": each.line,
                "transaction": each.transaction,
                "locks": [
                    {"relation": e.relation, "mode": e.mode, "work": e.work.name.lower()}
                    for e in each.effects
                ],
            }
            for each in planned.statements
        ],
        "findings": [as_record(project, each) for each in planned.findings],
    }


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
