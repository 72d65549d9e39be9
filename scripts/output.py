"""Where the `bough` command speaks: data on stdout, everything else on stderr."""

from __future__ import annotations

import json
import os
import re
import shlex
import sys
from contextvars import ContextVar
from datetime import UTC, datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any
from urllib.parse import urlsplit

import typer
from rich.console import Console

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from api.database.connection_url import ConnectionUrl
    from infra.errors import InfraError

stderr = Console(stderr=True, soft_wrap=True, highlight=False)


class OutputFormat(StrEnum):
    """What `-o` takes."""

    TABLE = "table"
    JSON = "json"
    YAML = "yaml"
    ENV = "env"


#: Errors follow it too, and are shown after the command has ended.
_chosen: ContextVar[OutputFormat] = ContextVar("_chosen", default=OutputFormat.TABLE)


def begin() -> None:
    """Show errors as BOUGH_OUTPUT says, until a command's `-o` says otherwise."""
    is_json = os.environ.get("BOUGH_OUTPUT") == OutputFormat.JSON
    _chosen.set(OutputFormat.JSON if is_json else OutputFormat.TABLE)


def _choose(value: OutputFormat) -> OutputFormat:
    _chosen.set(value)
    return value


def format_option(meaning: str) -> Any:
    """Return the option `-o`; every command that shows something takes it with these words."""
    return typer.Option(
        "--output", "-o", envvar="BOUGH_OUTPUT", show_envvar=False, callback=_choose, help=meaning
    )


Output = Annotated[OutputFormat, format_option("How to show it; also by BOUGH_OUTPUT.")]


def say(message: str) -> None:
    """Write one line of progress to stderr."""
    stderr.print(message, markup=False)


def show(
    record: Mapping[str, Any], output: OutputFormat, *, variables: Mapping[str, str] | None = None
) -> None:
    """Write one record to stdout.

    Args:
        record: Its keys are a contract: none is dropped or given another type.
        output: As two columns, as JSON, as YAML, or as variables.
        variables: What `env` prints; without them the record's keys in capitals.
    """
    if output is OutputFormat.ENV:
        given = variables or {
            re.sub(r"\W", "_", key).upper(): str(value)
            for key, value in record.items()
            if value is not None and not isinstance(value, dict | list)
        }
        for name, value in given.items():
            _write(f"{name}={shlex.quote(value)}")
    elif output is OutputFormat.TABLE:
        width = max(map(len, record))
        for key, value in record.items():
            _write(f"{key:{width}}  {_cell(value)}")
    else:
        _dump(record, output)


def show_rows(rows: Sequence[Mapping[str, Any]], output: OutputFormat, *, columns: Mapping[str, str]) -> None:
    """Write a list of records to stdout.

    Args:
        rows: Records of one kind, as `show` takes them.
        output: `env` is refused: one variable cannot hold a list.
        columns: What a table shows, headings by key.
    """
    if output is OutputFormat.ENV:
        message = "a list cannot be shown as variables; use table, json or yaml"
        raise typer.BadParameter(message, param_hint="--output")
    if output is not OutputFormat.TABLE:
        _dump(list(rows), output)
        return
    table = [list(columns.values()), *([_cell(row[key]) for key in columns] for row in rows)]
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    for cells in table:
        _write("  ".join(f"{cell:{width}}" for cell, width in zip(cells, widths, strict=True)).rstrip())


def show_text(text: str) -> None:
    """Write text to stdout as it is: a URL, SQL, a diff."""
    if text:
        _write(text.removesuffix("\n"))


def masked_in_log(url: ConnectionUrl) -> str:
    """Return the URL's text **with the password**, which GitHub Actions hides in its log from now on.

    Its runner reads commands on stderr too, so stdout stays the data's.
    """
    text = url.libpq()
    if os.environ.get("GITHUB_ACTIONS") == "true":
        for secret in (text, urlsplit(text).password):
            if secret:
                say(f"::add-mask::{secret}")
    return text


def show_error(error: InfraError) -> None:
    """Write an error as `error[CODE]: what` and `hint: next step`, or with `-o json` as one JSON line."""
    if _chosen.get() is OutputFormat.JSON:
        document = {
            "code": error.code,
            "message": str(error),
            "hint": error.hint,
            "retryable": error.retryable,
        }
        stderr.print(json.dumps({"error": document}), markup=False)
        return
    stderr.print(f"error[{error.code}]: {error}", markup=False, style="red")
    if error.hint:
        stderr.print(f"hint: {error.hint}", markup=False)


def _write(line: str) -> None:
    # Not through Rich, which cuts tables to a pipe's 80 columns and turns tabs into spaces.
    sys.stdout.write(f"{line}\n")


def _cell(value: object) -> str:
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, datetime):
        return value.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return str(value)


def _dump(data: object, output: OutputFormat) -> None:
    text = json.dumps(data, indent=2, default=_plain)
    if output is OutputFormat.YAML:
        import yaml  # noqa: PLC0415  45 ms that tables need not pay

        text = yaml.safe_dump(json.loads(text), sort_keys=False, allow_unicode=True).rstrip("\n")
    _write(text)


def _plain(value: object) -> str:
    """Return a time in RFC 3339's form, and anything else as it prints itself."""
    return value.isoformat() if isinstance(value, datetime) else str(value)
