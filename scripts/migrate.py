"""`bough migrate`: the revisions of a database."""

from __future__ import annotations

import sys
from dataclasses import asdict
from datetime import UTC
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from infra.config import load_project
from scripts import (
    migrate_backfill,
    migrate_contract,
    migrate_drift,
    migrate_rehearse,
    migrate_remote,
    migrate_review,
    migrate_write,
    output,
)
from scripts.aws_options import Local, StageOption  # noqa: TC001  Typer reads them
from scripts.confirmation import Yes, confirm
from scripts.output import Output, OutputFormat
from scripts.target import OnBranch, OnUrl, resolve_target

if TYPE_CHECKING:
    from datetime import datetime

    from api.database.connection_url import DirectUrl
    from infra.migrate.history import Revision
    from infra.migrate.runner import Report
    from infra.migrate.status import Status

app = typer.Typer(
    help="Apply, list, write and undo revisions, on a direct connection string: that of --branch, else "
    "DATABASE_URL_UNPOOLED, the pinned branch's, or the running local world's.",
    no_args_is_help=True,
)


@app.command()
def apply(
    revision: Annotated[
        str,
        typer.Argument(metavar="REVISION", help="The last to apply; with --sql also a range, `from:to`."),
    ] = "head",
    *,
    branch: OnBranch = None,
    url: OnUrl = None,
    sql: Annotated[
        bool,
        typer.Option("--sql", help="Print the SQL instead, from the start or of a range; needs no database."),
    ] = False,
    require_rehearsal: Annotated[
        bool | None,
        typer.Option(
            help="Refuse what was not rehearsed as it is now; else as pyproject.toml says.",
            show_default=False,
        ),
    ] = None,
    allow_unsafe: Annotated[
        bool, typer.Option("--allow-unsafe", help="Also what the rehearsal found unsafe.")
    ] = False,
    contract: Annotated[
        bool,
        typer.Option(
            "--contract",
            help="Contract revisions too, as far as the live code was built with them: rehearsed, and after"
            " a restore point was made.",
        ),
    ] = False,
    remote: Annotated[
        bool,
        typer.Option(
            "--remote", help="From inside AWS, by the stage's migration function: for databases out of reach."
        ),
    ] = False,
    stage: StageOption = None,
    local: Local = False,
    yes: Yes = False,
    output_format: Output = OutputFormat.TABLE,
) -> None:
    """Run the pending revisions, one transaction each; running it again goes on where one failed.

    Contract revisions wait until the live code was built with them. Exit code 3: one that was named waits.
    """
    # Imported here, as in every command: Alembic takes a quarter of a second that --help need not pay.
    from infra.migrate import runner  # noqa: PLC0415  see above
    from infra.migrate.rehearsal import memory  # noqa: PLC0415  see above

    project = load_project(Path.cwd())
    if sql:
        start, _, end = revision.rpartition(":")
        # Not through rich, which would wrap and colour what psql is to read.
        sys.stdout.write(runner.sql(project, start=start or "base", end=end))
        return
    required = project.migrate.require_rehearsal if require_rehearsal is None else require_rehearsal
    if remote:
        if branch is not None or url is not None:
            raise typer.BadParameter("the stage says which database", param_hint="--remote")
        report = migrate_remote.apply(
            project,
            stage,
            revision,
            local=local,
            contract=contract,
            require_rehearsal=required,
            allow_unsafe=allow_unsafe,
            yes=yes,
        )
        _conclude(None, report, revision, output_format)
        return
    if stage is not None or local:
        raise typer.BadParameter("only with --remote", param_hint="--stage" if stage else "--local")
    target = resolve_target(project, branch, url)
    output.say(f"Migrating {target.url}")
    if contract:
        report = migrate_contract.apply(
            project,
            target,
            branch,
            revision,
            require_rehearsal=required,
            allow_unsafe=allow_unsafe,
            yes=yes,
        )
    else:
        report = runner.apply(
            project,
            target.url,
            expected=target.expected,
            announce=output.say,
            revision=revision,
            guard=memory.guard(project, allow_unsafe=allow_unsafe) if required else None,
        )
    _conclude(target.url, report, revision, output_format)


def _conclude(url: DirectUrl | None, report: Report, revision: str, output_format: OutputFormat) -> None:
    _show(url, report, "Applied", output_format)
    if report.held_back and revision != "head":
        raise typer.Exit(3)


@app.command()
def rollback(
    to: Annotated[
        str,
        typer.Argument(
            metavar="REVISION", help="The revision that stays, `base` for none, or `-n` for the last n."
        ),
    ] = "-1",
    *,
    branch: OnBranch = None,
    url: OnUrl = None,
    yes: Yes = False,
    output_format: Output = OutputFormat.TABLE,
) -> None:
    """Undo revisions. What they added is dropped, data included."""
    from infra.migrate import live, runner  # noqa: PLC0415  see `apply`

    project = load_project(Path.cwd())
    target = resolve_target(project, branch, url)
    output.say(f"Rolling back {target.url} to {to}")
    found = runner.target(target.url, target.expected)
    if needed := live.needed(project, target.url, to):
        output.say(f"The live code was built with {', '.join(needed)}, and may fail without")
    confirm(f"What these revisions added to {found} is dropped, data included.", yes=yes)
    report = runner.rollback(project, target.url, expected=found, announce=output.say, to=to)
    _show(target.url, report, "Undid", output_format)


@app.command()
def status(*, branch: OnBranch = None, url: OnUrl = None, output_format: Output = OutputFormat.TABLE) -> None:
    """Compare a database with the code: what is pending, what waits and why, which code is live."""
    from infra.migrate.status import status as compare  # noqa: PLC0415  see `apply`

    project = load_project(Path.cwd())
    database = resolve_target(project, branch, url).url
    found = compare(project, database)
    record = {
        "database": str(database),
        "current": list(found.current),
        "head": found.head,
        "pending": [_revision(revision) for revision in found.pending],
        "held_back": [revision.id for revision in found.allowed.held_back],
        "why": found.allowed.why,
        "half_done": list(found.half_done),
        "unknown": list(found.unknown),
        "live": found.live and {"head": found.live.head, "live_at": found.live.live_at},
        "last_rehearsal": found.rehearsal
        and {"verdict": found.rehearsal.verdict, "rehearsed_at": found.rehearsal.rehearsed_at},
    }
    output.show(_for_people(found) if output_format is OutputFormat.TABLE else record, output_format)


def _for_people(found: Status) -> dict[str, str]:
    waiting = {revision.id for revision in found.allowed.held_back}
    pending = [f"{r.id} ({r.phase}{', waits' if r.id in waiting else ''})" for r in found.pending]
    record = {
        "current": ", ".join(found.current) or "none",
        "head": found.head or "none",
        "pending": "\n".join(pending) or "none",
        "why": found.allowed.why,
        "half done": ", ".join(found.half_done),
        "unknown": ", ".join(found.unknown),
        "live": found.live and f"{found.live.head or 'no head'}, since {_moment(found.live.live_at)}",
        "rehearsed": found.rehearsal
        and f"{found.rehearsal.verdict}, {_moment(found.rehearsal.rehearsed_at)}",
    }
    return {key: value for key, value in record.items() if value}


def _moment(time: datetime) -> str:
    return f"{time.astimezone(UTC):%Y-%m-%d %H:%M} UTC"


def _revision(revision: Revision) -> dict[str, str]:
    return {"id": revision.id, "message": revision.message, "phase": revision.phase}


def _show(url: DirectUrl | None, report: Report, did: str, output_format: OutputFormat) -> None:
    for run in report.runs:
        tries = f", try {run.attempts}" if run.attempts > 1 else ""
        output.say(f"{did} {run.id} ({run.phase}, {run.seconds:.2f} s{tries})")
    if not report.runs:
        output.say("Nothing to do")
    if report.why:
        output.say(f"Held back {', '.join(revision.id for revision in report.held_back)}: {report.why}")
    output.say(f"The database is at {', '.join(report.current) or 'base'}")
    if output_format is not OutputFormat.TABLE:
        record = {
            "database": str(url) if url else None,
            "revisions": [asdict(run) for run in report.runs],
            "current": list(report.current),
            "held_back": [_revision(revision) for revision in report.held_back],
            "why": report.why,
            "dropped_indexes": list(report.dropped_indexes),
        }
        output.show(record, output_format)


for command in (
    migrate_rehearse.rehearse,
    migrate_write.new,
    migrate_write.rebase,
    migrate_write.squash,
    migrate_review.check,
    migrate_review.lint,
    migrate_review.plan,
    migrate_review.history,
    migrate_write.live,
    migrate_drift.drift,
    migrate_backfill.backfill,
):
    app.command()(command)
