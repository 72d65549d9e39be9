"""`bough migrate backfill`: rows changed in small batches, with what came of it."""

from __future__ import annotations

import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer
from rich.progress import BarColumn, TextColumn, TimeRemainingColumn
from rich.progress import Progress as Bar

from api.database.timeouts import Timeouts
from infra.config import load_project
from scripts import output
from scripts.output import Output, OutputFormat
from scripts.target import OnBranch, OnUrl, resolve_target

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from infra.config import Project
    from infra.migrate.backfill.definition import Definition
    from infra.migrate.backfill.run import Progress
    from infra.migrate.backfill.state import State
    from scripts.target import Target

_COLUMNS: Final = {
    "name": "NAME",
    "table": "TABLE",
    "state": "STATE",
    "changed": "CHANGED",
    "pass": "PASS",
    "updated_at": "UPDATED",
}

#: Seconds between two lines of progress where no bar can be drawn.
_LINES: Final = 10.0


def backfill(
    name: Annotated[
        str | None,
        typer.Argument(metavar="NAME", help="Of migrations/backfills/NAME.toml.", show_default=False),
    ] = None,
    *,
    branch: OnBranch = None,
    url: OnUrl = None,
    show_list: Annotated[
        bool, typer.Option("--list", help="Show all backfills and how far they are; run none.")
    ] = False,
    dry_run: Annotated[
        bool,
        typer.Option(
            "--dry-run", help="Count the rows, and show how the first batch would run; change none."
        ),
    ] = False,
    rate: Annotated[
        float | None,
        typer.Option(
            min=1, metavar="ROWS", help="Go through so many rows a second at most.", show_default=False
        ),
    ] = None,
    again: Annotated[
        bool, typer.Option("--again", help="Start over, also when it is finished or another table's.")
    ] = False,
    output_format: Output = OutputFormat.TABLE,
) -> None:
    """Change many rows in small batches, outside of revisions, while the application runs.

    A file says what: `table`, `set` (or `delete = true`), and `where`, which rows still have to be changed.
    Batches follow the primary key, take a fifth of a second and leave the server time in between; rows
    that others have locked are come back to. A run that was ended in any way goes on where it was.
    """
    project = load_project(Path.cwd())
    target = resolve_target(project, branch, url)
    if show_list or name is None:
        if name is not None or not show_list:
            raise typer.BadParameter("name one, or ask for all with --list", param_hint="NAME")
        output.show_rows(_list(project, target), output_format, columns=_COLUMNS)
        return
    from infra.migrate.backfill import definition, pace, run  # noqa: PLC0415  Alembic takes a quarter of a second

    what = definition.read(project, name)
    if dry_run:
        output.show(_dry_run(project, target, what), output_format)
        return
    output.say(f"Backfilling {what.table} of {target.url}")
    with _shown() as progress:
        state = run.run(
            what,
            target.url,
            timeouts=_timeouts(project),
            expected=target.expected,
            announce=output.say,
            progress=progress,
            pace=pace.Pace(rate=rate),
            again=again,
        )
    output.show(_record(state), output_format)


def _list(project: Project, target: Target) -> list[dict[str, Any]]:
    from infra.migrate.backfill import definition, state  # noqa: PLC0415  as above
    from infra.migrate.connection import open_connection  # noqa: PLC0415  as above

    with open_connection(target.url, _timeouts(project)) as connection:
        rows = {each.name: _record(each) for each in state.states(connection)}
    for name in definition.names(project):
        rows.setdefault(name, _pending(definition.read(project, name)))
    return [rows[name] for name in sorted(rows)]


def _dry_run(project: Project, target: Target, what: Definition) -> dict[str, Any]:
    from infra.migrate.backfill.pace import FIRST  # noqa: PLC0415  as above
    from infra.migrate.backfill.statements import Statements  # noqa: PLC0415  as above
    from infra.migrate.connection import open_connection  # noqa: PLC0415  as above

    with open_connection(target.url, _timeouts(project)) as connection:
        statements = Statements.of(connection, what)
        return {
            "name": what.name,
            "table": statements.relation,
            "key": ", ".join(name for name, _ in statements.key),
            "rows": statements.rows,
            "to_change": statements.matching(connection),
            "plan": statements.plan(connection, None, FIRST),
        }


def _record(state: State) -> dict[str, Any]:
    finished = "finished" if state.finished_at else "stopped"
    return {
        "name": state.name,
        "table": state.relation,
        "state": "running" if state.is_running and not state.finished_at else finished,
        "changed": state.changed,
        "pass": state.position.pass_,
        "seen": state.position.seen,
        "started_at": state.started_at,
        "updated_at": state.updated_at,
        "finished_at": state.finished_at,
    }


def _pending(what: Definition) -> dict[str, Any]:
    nothing = dict.fromkeys(("started_at", "updated_at", "finished_at"))
    return {
        "name": what.name,
        "table": what.table,
        "state": "pending",
        "changed": 0,
        "pass": 0,
        "seen": 0,
    } | nothing


def _timeouts(project: Project) -> Timeouts:
    settings = project.migrate
    return Timeouts(
        statement=settings.statement_timeout, lock=settings.lock_timeout, idle_in_transaction=60.0
    )


@contextmanager
def _shown() -> Iterator[Callable[[Progress], None]]:
    """Hand out what shows progress: a bar on a terminal, else a line now and then."""
    if not output.stderr.is_terminal:
        yield _lines()
        return
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.percentage:.0f} %"),
        TimeRemainingColumn(),
    )
    with Bar(*columns, console=output.stderr) as bar:
        task = bar.add_task("", total=None)

        def show(progress: Progress) -> None:
            position = progress.position
            # The statistics may be old.
            total = max(progress.rows, position.seen)
            bar.update(task, description=_sentence(progress), total=total, completed=position.seen)

        yield show


def _lines() -> Callable[[Progress], None]:
    last: list[float] = []

    def show(progress: Progress) -> None:
        now = time.monotonic()
        if not last or now - last[-1] >= _LINES:
            last[:] = [now]
            output.say(_sentence(progress))

    return show


def _sentence(progress: Progress) -> str:
    position = progress.position
    of = f" of about {progress.rows}" if progress.rows >= position.seen else ""
    return f"Pass {position.pass_}: {position.seen}{of} rows seen, {progress.changed} changed"
