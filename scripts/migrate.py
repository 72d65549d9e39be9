"""`bough migrate`: the revisions of a database."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from infra.config import load_project
from scripts import output
from scripts.direct_url import direct_url
from scripts.output import Output, OutputFormat

if TYPE_CHECKING:
    from infra.migrate.runner import Report

app = typer.Typer(
    help="Apply, list, write and undo revisions, on the direct connection string "
    "(DATABASE_URL_UNPOOLED, or else the running local world's).",
    no_args_is_help=True,
)


@app.command()
def apply(
    revision: Annotated[
        str, typer.Argument(help="The last to apply; with --sql also a range, `from:to`.")
    ] = "head",
    *,
    sql: Annotated[
        bool,
        typer.Option("--sql", help="Print the SQL instead, from the start or of a range; needs no database."),
    ] = False,
) -> None:
    """Run the pending revisions, one transaction each; running it again goes on where one failed."""
    # Imported here, as in every command: Alembic takes a quarter of a second that --help need not pay.
    from infra.migrate import runner  # noqa: PLC0415  see above

    project = load_project(Path.cwd())
    if sql:
        start, _, end = revision.rpartition(":")
        # Not through rich, which would wrap and colour what psql is to read.
        sys.stdout.write(runner.sql(project, start=start or "base", end=end))
        return
    url = direct_url(project)
    output.say(f"Migrating {url}")
    _show(runner.apply(project, url, announce=output.say, revision=revision), "Applied")


@app.command()
def rollback(
    to: Annotated[
        str, typer.Argument(help="The revision that stays, `base` for none, or `-n` for the last n.")
    ] = "-1",
    *,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
) -> None:
    """Undo revisions. What they added is dropped, data included."""
    from infra.migrate import runner  # noqa: PLC0415  see `apply`

    project = load_project(Path.cwd())
    url = direct_url(project)
    output.say(f"Rolling back {url} to {to}")
    target = runner.target(url)
    output.say(f"→ {target}")
    if not yes:
        if not sys.stdin.isatty():
            message = "rollback drops what the revisions added; without a terminal to ask on it needs --yes"
            raise typer.BadParameter(message)
        typer.confirm("What these revisions added is dropped, data included. Go on?", abort=True, err=True)
    _show(runner.rollback(project, url, expected=target, to=to), "Undid")


@app.command()
def status(
    output_format: Output = OutputFormat.TABLE,
) -> None:
    """Compare a database with the code, and list what `apply` would run."""
    from infra.migrate import runner  # noqa: PLC0415  see `apply`

    project = load_project(Path.cwd())
    url = direct_url(project)
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


@app.command()
def new(
    message: Annotated[str, typer.Argument(help="What it does; names the file.")],
    *,
    empty: Annotated[
        bool, typer.Option("--empty", help="Write it by hand; do not compare with a database.")
    ] = False,
    contract: Annotated[
        bool,
        typer.Option("--contract", help="It breaks the code before it, and waits until none of that runs."),
    ] = False,
) -> None:
    """Write a revision: what the models have and the database has not."""
    from infra.migrate import generate  # noqa: PLC0415  see `apply`

    project = load_project(Path.cwd())
    url = None if empty else direct_url(project)
    path = generate.new(
        project, url, message, autogenerate=not empty, phase="contract" if contract else "expand"
    )
    output.say("Read it before you apply it:")
    typer.echo(path)


def _show(report: Report, did: str) -> None:
    for run in report.runs:
        output.say(f"{did} {run.id} ({run.phase}, {run.seconds:.2f} s)")
    if not report.runs:
        output.say("Nothing to do")
    output.say(f"The database is at {', '.join(report.current) or 'base'}")
