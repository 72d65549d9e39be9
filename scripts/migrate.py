"""`bough migrate`: the revisions of a database."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from infra.config import load_project
from scripts import migrate_backfill, migrate_drift, migrate_rehearse, migrate_review, migrate_write, output
from scripts.confirmation import Yes, confirm
from scripts.output import Output, OutputFormat
from scripts.target import OnBranch, OnUrl, resolve_target

if TYPE_CHECKING:
    from infra.migrate.runner import Report

app = typer.Typer(
    help="Apply, list, write and undo revisions, on a direct connection string: that of --branch, else "
    "DATABASE_URL_UNPOOLED, the pinned branch's, or the running local world's.",
    no_args_is_help=True,
)


@app.command()
def apply(
    revision: Annotated[
        str, typer.Argument(help="The last to apply; with --sql also a range, `from:to`.")
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
            help="Refuse what was not rehearsed as it is now; [tool.bough.migrate] has the default.",
            show_default=False,
        ),
    ] = None,
    allow_unsafe: Annotated[
        bool, typer.Option("--allow-unsafe", help="Also what the rehearsal found unsafe.")
    ] = False,
) -> None:
    """Run the pending revisions, one transaction each; running it again goes on where one failed."""
    # Imported here, as in every command: Alembic takes a quarter of a second that --help need not pay.
    from infra.migrate import runner  # noqa: PLC0415  see above
    from infra.migrate.rehearsal import memory  # noqa: PLC0415  see above

    project = load_project(Path.cwd())
    if sql:
        start, _, end = revision.rpartition(":")
        # Not through rich, which would wrap and colour what psql is to read.
        sys.stdout.write(runner.sql(project, start=start or "base", end=end))
        return
    target = resolve_target(project, branch, url)
    output.say(f"Migrating {target.url}")
    required = project.migrate.require_rehearsal if require_rehearsal is None else require_rehearsal
    report = runner.apply(
        project,
        target.url,
        expected=target.expected,
        announce=output.say,
        revision=revision,
        guard=memory.guard(allow_unsafe=allow_unsafe) if required else None,
    )
    _show(report, "Applied")


@app.command()
def rollback(
    to: Annotated[
        str, typer.Argument(help="The revision that stays, `base` for none, or `-n` for the last n.")
    ] = "-1",
    *,
    branch: OnBranch = None,
    yes: Yes = False,
) -> None:
    """Undo revisions. What they added is dropped, data included."""
    from infra.migrate import runner  # noqa: PLC0415  see `apply`

    project = load_project(Path.cwd())
    target = resolve_target(project, branch)
    output.say(f"Rolling back {target.url} to {to}")
    found = runner.target(target.url, target.expected)
    output.say(f"→ {found}")
    confirm("What these revisions added is dropped, data included.", yes=yes)
    _show(runner.rollback(project, target.url, expected=found, to=to), "Undid")


@app.command()
def status(*, branch: OnBranch = None, output_format: Output = OutputFormat.TABLE) -> None:
    """Compare a database with the code, and list what `apply` would run."""
    from infra.migrate import runner  # noqa: PLC0415  see `apply`

    project = load_project(Path.cwd())
    url = resolve_target(project, branch).url
    found = runner.status(project, url)
    pending = [{"id": r.id, "message": r.message, "phase": r.phase} for r in found.pending]
    record = {
        "database": str(url),
        "current": list(found.current),
        "head": found.head,
        "pending": pending,
        "unknown": list(found.unknown),
    }
    if output_format is OutputFormat.TABLE:
        record |= {
            "current": ", ".join(found.current) or "none",
            "head": found.head or "none",
            "pending": "\n".join(f"{r['id']} ({r['phase']})" for r in pending) or "none",
            "unknown": ", ".join(found.unknown) or "none",
        }
    output.show(record, output_format)


def _show(report: Report, did: str) -> None:
    for run in report.runs:
        output.say(f"{did} {run.id} ({run.phase}, {run.seconds:.2f} s)")
    if not report.runs:
        output.say("Nothing to do")
    output.say(f"The database is at {', '.join(report.current) or 'base'}")


for command in (
    migrate_rehearse.rehearse,
    migrate_write.new,
    migrate_write.rebase,
    migrate_review.check,
    migrate_review.lint,
    migrate_review.plan,
    migrate_review.history,
    migrate_write.live,
    migrate_drift.drift,
    migrate_backfill.backfill,
):
    app.command()(command)
