"""`bough logs`: what a stage's function has logged, and goes on logging."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from infra.config import load_project
from scripts import moments, output
from scripts.aws_options import Local, StageName, open_stage
from scripts.output import OutputFormat

if TYPE_CHECKING:
    from infra.aws.logs import LogEvent

#: What structured lines have and nobody reads: it stands before the line, or is the same in all.
_LEFT_OUT: Final = {
    "timestamp",
    "service",
    "cold_start",
    "function_name",
    "function_memory_size",
    "function_arn",
    "xray_trace_id",
}


def logs(
    stage: StageName = None,
    *,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on until Ctrl-C.")] = False,
    since: Annotated[
        datetime | None,
        typer.Option(
            parser=moments.gone,
            metavar="TIME",
            help="From then on: `10m` ago, which it is without this, or 2026-12-31T18:00:00Z.",
            show_default=False,
        ),
    ] = None,
    pattern: Annotated[
        str | None,
        typer.Option(
            "--filter",
            metavar="PATTERN",
            help='In CloudWatch\'s syntax: `timeout`, `"two words"`, `{ $.level = "ERROR" }`.',
        ),
    ] = None,
    version: Annotated[str | None, typer.Option(help="Only what this version logged.")] = None,
    request: Annotated[
        str | None, typer.Option(metavar="ID", help="Only what mentions this request.")
    ] = None,
    migrate: Annotated[
        bool, typer.Option("--migrate", help="Of the function that migrates, not of the API.")
    ] = False,
    local: Local = False,
    output_format: Annotated[
        OutputFormat,
        output.format_option("`table` for reading, `json` for one object per line, as it was logged."),
    ] = OutputFormat.TABLE,
) -> None:
    """Show what the API logged, all its environments in one, by time."""
    from infra.aws import logs as groups  # noqa: PLC0415  boto3 takes time that --help need not pay
    from infra.aws.functions import Functions  # noqa: PLC0415  as above

    if output_format not in {OutputFormat.TABLE, OutputFormat.JSON}:
        raise typer.BadParameter("logs are shown as table or json", param_hint="--output")
    account, where = open_stage(load_project(Path.cwd()), stage, local=local)
    group = Functions(account).get(where.migrate if migrate else where.api).log_group
    wanted = groups.Wanted(since or datetime.now(UTC) - timedelta(minutes=10), pattern, version, request)
    events = (
        groups.follow(account, group, wanted, announce=output.say)
        if follow
        else groups.read(account, group, wanted)
    )
    show = _as_json if output_format is OutputFormat.JSON else _as_text
    for event in events:
        output.show_text(show(event))
        if follow:
            output.flush()


def _as_json(event: LogEvent) -> str:
    """Return one line; the keys are a contract."""
    record = {
        "at": event.at.isoformat(),
        "version": event.version,
        "stream": event.stream,
        "message": event.message,
    }
    return json.dumps(record)


def _as_text(event: LogEvent) -> str:
    """Return a line for reading: when, which version, and what was logged."""
    moment = f"{event.at:%H:%M:%S}.{event.at.microsecond // 1000:03}"
    # Whoever calls the API has a say in what it logs, and none in what a terminal does.
    return output.printable(f"{moment} [{event.version or '-'}] {_readable(event.message)}")


def _readable(message: str) -> str:
    """Return a structured log line as level, message and what else is of interest; others as they are."""
    try:
        given = json.loads(message)
    except ValueError:
        given = None
    if not isinstance(given, dict) or "message" not in given:
        # The runtime writes a traceback as one event: returns between its lines, and spaces of another kind.
        return message.replace("\r", "\n").replace("\xa0", " ")
    metrics = _embedded(given.pop("_aws", None))
    trace = given.pop("exception", None)
    first = [str(given.pop(key)) for key in ("level", "message") if key in given]
    rest = [
        f"{key}={value if isinstance(value, str) else json.dumps(value)}"
        for key, value in given.items()
        if key not in _LEFT_OUT and key not in metrics and value is not None
    ]
    return " ".join([*first, *rest]) + (f"\n{trace}" if trace else "")


def _embedded(directives: Any) -> set[str]:
    """Return the members that are there for CloudWatch's metrics, which read them from the line.

    Args:
        directives: What the Embedded Metric Format has in `_aws`, whoever has written it.
    """
    found = directives.get("CloudWatchMetrics") if isinstance(directives, dict) else None
    try:
        return {
            name
            for each in found or ()
            for name in (*(metric["Name"] for metric in each["Metrics"]), *chain(*each["Dimensions"]))
        }
    except (TypeError, KeyError):
        return set()
