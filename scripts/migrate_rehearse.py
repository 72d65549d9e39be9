"""`bough migrate rehearse`: pending revisions on a fork of their target, and what they would do to it."""

from __future__ import annotations

from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from infra.branches.errors import NotSupportedError
from infra.branches.identity import PLAIN, BranchIdentity
from infra.config import load_project
from scripts import output
from scripts.output import OutputFormat, format_option
from scripts.provider import open_branches
from scripts.shell_variables import EnvironmentNames, variables_of_shell
from scripts.signals import EndingSignals
from scripts.target import OnBranch, OnUrl, resolve_target

if TYPE_CHECKING:
    from collections.abc import Iterator

    from infra.config import Project
    from infra.migrate.rehearsal.fork import Forking
    from infra.migrate.rehearsal.results import Rehearsal
    from infra.migrate.rehearsal.traffic import Traffic

_REVISIONS: Final = {
    "revision": "REVISION",
    "phase": "PHASE",
    "verdict": "VERDICT",
    "time": "TIME",
    "blocked": "BLOCKED LONGEST",
}
_FINDINGS: Final = {"where": "WHERE", "verdict": "VERDICT", "rule": "RULE", "message": "FINDING"}
_CHECKS: Final = {"check": "CHECK", "outcome": "OUTCOME", "detail": "DETAIL"}


class ReportFormat(StrEnum):
    """How the report is shown."""

    TABLE = "table"
    JSON = "json"
    YAML = "yaml"
    MARKDOWN = "markdown"
    HTML = "html"


def rehearse(
    revision: Annotated[str, typer.Argument(metavar="REVISION", help="The last to rehearse.")] = "head",
    *,
    branch: OnBranch = None,
    url: OnUrl = None,
    contract: Annotated[
        bool,
        typer.Option("--contract", help="Contract revisions too, whatever code is live: none uses the fork."),
    ] = False,
    copy: Annotated[
        bool,
        typer.Option(
            "--copy",
            help="On a copy of the schema on this machine, as where the database is no provider's.",
        ),
    ] = False,
    sample: Annotated[
        int,
        typer.Option(
            "--sample",
            metavar="ROWS",
            min=0,
            help="So many rows of each table are copied to this machine too, personal data included.",
        ),
    ] = 0,
    traffic: Annotated[
        str | None,
        typer.Option(
            metavar="LOAD",
            help="Clients read and write meanwhile: `50/s`, or `50/s:90%reads`; what they see is reported.",
        ),
    ] = None,
    env: EnvironmentNames = None,
    keep: Annotated[
        bool, typer.Option("--keep", help="Leave the fork there, and say how to reach it.")
    ] = False,
    report: Annotated[
        Path | None,
        typer.Option(metavar="FILE.html", help="Write the report as a page, too.", dir_okay=False),
    ] = None,
    output_format: Annotated[ReportFormat, format_option("How to show it; also by BOUGH_OUTPUT.")] = (
        ReportFormat.TABLE
    ),
) -> None:
    """Run the pending revisions on a fork, and say what they would do to their database.

    Measured are each statement's time, locks, rewrites, rows and WAL, and for how long others wait. Then they
    are undone and run again, the models are compared, and the code that is live and the new code are tried.
    The database itself remembers the result, for `apply --require-rehearsal`. Exit code 3: unsafe.
    """
    # Imported here, as in every command: Alembic takes a quarter of a second that --help need not pay.
    from infra.migrate import runner  # noqa: PLC0415  see above
    from infra.migrate.findings import Verdict  # noqa: PLC0415  see above
    from infra.migrate.rehearsal.rehearse import rehearse as perform  # noqa: PLC0415  see above
    from infra.migrate.rehearsal.target import Target  # noqa: PLC0415  see above

    if report is not None and not report.parent.is_dir():
        raise typer.BadParameter(f"there is no folder {report.parent}", param_hint="--report")
    variables = variables_of_shell(env)
    project = load_project(Path.cwd())
    found = resolve_target(project, branch, url)
    output.say(f"Rehearsing for {found.url}")
    who = runner.target(found.url, found.expected)
    with EndingSignals(), forking(project, who, branch, rows=sample, copy=copy) as fork:
        rehearsal = perform(
            project,
            Target(found.url, who, fork),
            announce=output.say,
            revision=revision,
            contract=contract,
            traffic=_load(project, traffic),
            keep=keep,
            environment=variables,
        )
    if rehearsal is None:
        output.say("Nothing to rehearse")
        return
    _publish(project, rehearsal, report)
    _show(project, rehearsal, output_format)
    if rehearsal.verdict is Verdict.UNSAFE:
        raise typer.Exit(3)


def _load(project: Project, text: str | None) -> Traffic | None:
    from infra.migrate.rehearsal.traffic import Traffic  # noqa: PLC0415  see `rehearse`

    file = project.migrate.traffic
    return None if text is None else Traffic.parse(text, file=project.root / file if file else None)


@contextmanager
def forking(
    project: Project, target: BranchIdentity, branch: str | None, *, rows: int, copy: bool
) -> Iterator[Forking]:
    """Choose how a target is forked: as a branch wherever its provider can be asked."""
    from infra.migrate.rehearsal.copy import CopyForking  # noqa: PLC0415  see `rehearse`
    from infra.migrate.rehearsal.fork import BranchForking  # noqa: PLC0415  see `rehearse`

    with open_branches(project, branch=branch) as branches:
        if copy or target.provider == PLAIN:
            yield CopyForking(project.root, branches.context.application_role.value or "", rows)
            return
        if rows:
            message = "a branch has all rows; --sample goes with --copy"
            raise typer.BadParameter(message, param_hint="--sample")
        provider = branches.provider
        if provider.project_id != target.project_id:
            raise NotSupportedError(
                f"the database is {target} on {target.provider}, and branches are made in project"
                f" {provider.project_id} on {branches.title}",
                hint="say which provider it is (BOUGH_PROVIDER, bough link), or rehearse on a copy: --copy",
            )
        yield BranchForking(provider, branches.name)


def _publish(project: Project, rehearsal: Rehearsal, page: Path | None) -> None:
    from infra.migrate.report import html  # noqa: PLC0415  see `rehearse`
    from scripts import github_actions  # noqa: PLC0415  see `rehearse`

    if page is not None:
        page.write_text(html(rehearsal, project.root), encoding="utf-8")
        output.say(f"The report is in {page}")
    if github_actions.runs_here():
        github_actions.publish(rehearsal, project.root, page)


def _show(project: Project, rehearsal: Rehearsal, output_format: ReportFormat) -> None:
    from infra.migrate import report as reports  # noqa: PLC0415  see `rehearse`

    match output_format:
        case ReportFormat.JSON | ReportFormat.YAML:
            output.show(reports.to_json(rehearsal, project.root), OutputFormat(output_format.value))
        case ReportFormat.MARKDOWN:
            output.show_text(reports.markdown(rehearsal, project.root))
        case ReportFormat.HTML:
            output.show_text(reports.html(rehearsal, project.root))
        case ReportFormat.TABLE:
            _show_table(rehearsal, project.root)


def _show_table(rehearsal: Rehearsal, root: Path) -> None:
    """Write revisions, findings and checks as three tables, and what they come to."""
    from infra.migrate.report import summary  # noqa: PLC0415  see `rehearse`
    from infra.migrate.report.paths import relative  # noqa: PLC0415  see `rehearse`

    rows = [summary.row(number, result) for number, result in enumerate(rehearsal.revisions, 1)]
    revisions = [
        {
            "revision": row.id,
            "phase": row.phase,
            "verdict": row.verdict.value,
            "time": row.time,
            "blocked": f"{row.longest.relation} {summary.blocked_text(row.longest)}"
            if row.longest
            else "nothing",
        }
        for row in rows
    ]
    output.show_rows(revisions, OutputFormat.TABLE, columns=_REVISIONS)
    findings = [
        {
            "where": f"{relative(finding.path, root)}:{finding.line}",
            "verdict": f"accepted: {finding.suppressed}" if finding.suppressed else finding.verdict.value,
            "rule": finding.rule,
            "message": finding.message,
        }
        for finding in summary.all_findings(rehearsal)
    ]
    checks = [
        {"check": each.name, "outcome": each.outcome.value, "detail": each.detail}
        for each in rehearsal.checks
    ]
    for table, columns in ((findings, _FINDINGS), (checks, _CHECKS)):
        if table:
            output.show_text("\n")
            output.show_rows(table, OutputFormat.TABLE, columns=columns)
    if rehearsal.traffic is not None:
        output.show_text(f"\nTraffic {summary.traffic_text(rehearsal.traffic)}")
    output.show_text(f"\n{summary.headline(rehearsal)}; {summary.origin(rehearsal)}")
