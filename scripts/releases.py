"""`bough releases` and `bough rollback`: what was published, and the way back to it."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final
from urllib.parse import urlsplit

import typer

from infra.config import load_project
from infra.errors import InfraError
from infra.plan import StepState, execute
from scripts import output
from scripts.aws_options import DryRun, Local, StageName, StageOption, open_stage
from scripts.output import Output, OutputFormat
from scripts.progress import show_plan, shown
from scripts.signals import EndingSignals
from scripts.target import OnUrl  # noqa: TC001  Typer resolves annotations at run time

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from infra.aws.function import Version
    from infra.aws.functions import Functions
    from infra.aws.release_database import StageDatabase
    from infra.aws.release_note import ReleaseNote
    from infra.aws.releases import Releases
    from infra.aws.rollback import Rollback
    from infra.aws.stage import Stage
    from infra.config import Project
    from infra.migrate.fitting import Schema
    from infra.plan import Progress, Step

_COLUMNS: Final = {
    "version": "VERSION",
    "share": "LIVE",
    "code": "CODE",
    "head": "HEAD",
    "published_at": "PUBLISHED",
    "fits": "FITS",
    "megabytes": "MB",
}


def releases(
    stage: StageName = None,
    *,
    url: OnUrl = None,
    local: Local = False,
    output_format: Output = OutputFormat.TABLE,
) -> None:
    """List the published versions: from what code, which is live, whether the database fits them."""
    from infra.aws import releases as published  # noqa: PLC0415  boto3 takes time that --help need not pay
    from infra.aws.functions import Functions  # noqa: PLC0415  as above

    project = load_project(Path.cwd())
    account, where = open_stage(project, stage, local=local)
    found = published.read(Functions(account), where)
    with ExitStack() as stack:
        schema = _open(stack, project, where, url, local=local)[1] if found.versions else None
    rows = [_row(found, version, schema) for version in found.versions]
    if output_format is OutputFormat.TABLE:
        notes = [version.note for version in found.versions]
        rows = [row | {"code": note and note.short} for row, note in zip(rows, notes, strict=True)]
    output.show_rows(rows, output_format, columns=_COLUMNS)


def rollback(
    version: Annotated[
        str | None,
        typer.Argument(
            metavar="[VERSION]",
            help="Its number, as `bough releases` shows it; without it the one before the live one, or, while"
            " a canary runs, the one before that.",
            show_default=False,
        ),
    ] = None,
    *,
    stage: StageOption = None,
    url: OnUrl = None,
    no_smoke: Annotated[
        bool, typer.Option("--no-smoke", help="Do not first ask the version what `bough deploy` asks.")
    ] = False,
    allow_unknown_fit: Annotated[
        bool,
        typer.Option(
            "--allow-unknown-fit",
            help="Also where nobody can say whether the database fits the version: it cannot be asked, or the"
            " version says nothing of itself.",
        ),
    ] = False,
    dry_run: DryRun = False,
    local: Local = False,
    output_format: Output = OutputFormat.TABLE,
) -> None:
    """Return to an earlier version, in one call. Refused where the database no longer fits it."""
    from infra.aws import releases as published  # noqa: PLC0415  boto3 takes time that --help need not pay
    from infra.aws import rollback as way_back  # noqa: PLC0415  as above
    from infra.aws.functions import Functions  # noqa: PLC0415  as above

    project = load_project(Path.cwd())
    account, where = open_stage(project, stage, local=local)
    functions = Functions(account)
    chosen = way_back.choose(published.read(functions, where), version)
    with ExitStack() as stack:
        database, schema = _open(stack, project, where, url, local=local)
        judgement = published.judge(chosen.version, schema)
        way_back.check_fit(chosen.version, judgement, allow_unknown=allow_unknown_fit)
        steps = way_back.steps(
            functions,
            chosen,
            smoke=None if no_smoke else _smoke(project, functions, chosen),
            record=_record(project, database, chosen) if database else None,
        )
        if dry_run:
            show_plan(steps, output_format)
        _carry_out(steps, chosen)
    if schema is None:
        output.say("Once the database answers, tell it which code is live: bough migrate live --record")
    record = {"stage": where.name, "version": chosen.version.number, "before": chosen.live.version}
    output.show(record, output_format)


def _open(
    stack: ExitStack, project: Project, stage: Stage, url: str | None, *, local: bool
) -> tuple[StageDatabase | None, Schema | None]:
    """Return the stage's database and what it has; `None` where it cannot be asked, which is said."""
    # Alembic and psycopg take time that --help need not pay.
    from infra.branches.errors import BranchError, TargetError  # noqa: PLC0415
    from infra.migrate import fitting  # noqa: PLC0415
    from infra.migrate.errors import DatabaseUnreachableError, HistoryError  # noqa: PLC0415
    from scripts.stage_database import stage_database  # noqa: PLC0415

    try:
        database = stack.enter_context(stage_database(project, stage, url, local=local))
        if database is None:
            return None, fitting.Schema((), {})
        return database, fitting.read(project, database.target.url, database.target.expected)
    except TargetError:
        # It answers, and is not the stage's.
        raise
    except (BranchError, DatabaseUnreachableError, HistoryError) as error:
        output.say(f"What fits the database of stage {stage.name} is not known: {error}")
        return None, None


def _carry_out(steps: Sequence[Step], chosen: Rollback) -> None:
    """Carry out a rollback; say what is left to do where Ctrl-C came between its last two steps."""
    left = {step.key for step in steps}

    def tell(news: Progress) -> None:
        if news.state is StepState.DONE:
            left.remove(news.step.key)
        notify(news)

    try:
        with EndingSignals(), shown() as notify:
            execute(steps, tell)
    except KeyboardInterrupt:
        if left == {"record"}:
            output.say(f"Version {chosen.version.number} is live, and the database was not told")
            output.say(f"  {_recording(chosen.version.note)}")
        raise


def _recording(note: ReleaseNote | None) -> str:
    """Return the command that tells the database that a version is live."""
    return "bough migrate live --record" + (f" --head {note.head}" if note and note.head else "")


def _smoke(project: Project, functions: Functions, chosen: Rollback) -> Callable[[], str]:
    """Return what asks a version what `bough deploy` asks."""
    from infra.aws.smoke import Smoke  # noqa: PLC0415  as above
    from infra.aws.stage import LIVE  # noqa: PLC0415  as above

    def ask() -> str:
        smoke = Smoke(functions, chosen.function, project.smoke)
        if url := functions.url(chosen.function, LIVE):
            smoke = replace(smoke, host=urlsplit(url.url).netloc)
        return ", ".join(map(str, smoke.require(chosen.version.number)))

    return ask


def _record(project: Project, database: StageDatabase, chosen: Rollback) -> Callable[[], str | None] | None:
    """Return what takes down that a version is live; `None` where it does not say what it was built from."""
    note = chosen.version.note
    if note is None:
        return None

    def record() -> None:
        from infra.aws.rollback import NotRecordedError  # noqa: PLC0415  as above
        from infra.aws.sources import Revisions  # noqa: PLC0415  as above
        from infra.migrate import live  # noqa: PLC0415  as above

        try:
            built = live.built_at(project, note.head) if note.head else Revisions()
            database.record(built, None)
        except InfraError as error:
            raise NotRecordedError(
                f"version {chosen.version.number} is live, and that could not be recorded: {error}",
                hint=f"run no contract revision before: {_recording(note)}",
            ) from error

    return record


def _row(found: Releases, version: Version, schema: Schema | None) -> dict[str, Any]:
    """Return a version as the command shows it; the keys are a contract."""
    from infra.aws.releases import judge  # noqa: PLC0415  as above

    note, judgement, share = version.note, judge(version, schema), found.share(version)
    return {
        "version": version.number,
        "share": f"{share:.0%}" if share else None,
        "code": note.code if note else None,
        "head": note.head if note else None,
        "published_at": version.published_at,
        "fits": judgement.fit.value,
        "why": judgement.why,
        "megabytes": round(version.size / 1e6, 1),
    }
