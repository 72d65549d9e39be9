"""Where the `bough` command speaks: data on stdout, everything else on stderr."""

from __future__ import annotations

import itertools
import json
import os
import re
import shlex
import sys
from contextlib import suppress
from contextvars import ContextVar
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final
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


#: Whether errors are shown as JSON.
_json_errors: ContextVar[bool] = ContextVar("_json_errors", default=False)
_CHOICE: Final = re.compile(r"(?:-o|--output=)(.+)")

#: What a shell reads as it stands in an assignment. Docker's `--env-file` knows no quotes at all.
_PLAIN: Final = re.compile(r"[\w@%+=:,./?-]+", re.ASCII)


def begin(arguments: Sequence[str]) -> None:
    """Show errors as the arguments say, or else BOUGH_OUTPUT.

    Looked for before anything else understands the arguments, which may be what is wrong.
    """
    chosen = os.environ.get("BOUGH_OUTPUT")
    own = itertools.takewhile("--".__ne__, arguments)
    for before, argument in itertools.pairwise(["", *own]):
        if before in {"-o", "--output"}:
            chosen = argument
        elif match := _CHOICE.fullmatch(argument):
            chosen = match[1]
    _json_errors.set(chosen == OutputFormat.JSON)


def format_option(meaning: str) -> Any:
    """Return the option `-o`; every command that shows something takes it with these words."""
    return typer.Option("--output", "-o", envvar="BOUGH_OUTPUT", show_envvar=False, help=meaning)


Output = Annotated[OutputFormat, format_option("How to show it; also by BOUGH_OUTPUT.")]


def say(message: str) -> None:
    """Write one line of progress to stderr, below what was shown so far where both go to one place."""
    _tell(printable(message))


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
            _write(f"{name}={value if _PLAIN.fullmatch(value) else shlex.quote(value)}")
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
    if _json_errors.get():
        document = {
            "code": error.code,
            "message": str(error),
            "hint": error.hint,
            "retryable": error.retryable,
        }
        _tell(json.dumps({"error": document}))
        return
    _tell(printable(f"error[{error.code}]: {error}"), style="red")
    if error.hint:
        say(f"hint: {error.hint}")


def flush() -> None:
    """Have stdout take what was shown.

    Raises:
        OSError: It does not: a full disk, a pipe that nobody reads any more.
    """
    if sys.stdout is not None:
        sys.stdout.flush()


def close_stdout() -> None:
    """Let nothing more come to stdout, which failed: not at the process's end either."""
    with Path(os.devnull).open("wb") as nowhere:
        os.dup2(nowhere.fileno(), 1)


def _tell(text: str, *, style: str | None = None) -> None:
    # What stdout does not take is an error of the command's end, where it is flushed again.
    with suppress(OSError):
        flush()
    stderr.print(text, markup=False, style=style)


def _write(line: str) -> None:
    # Not through Rich, which cuts tables to a pipe's 80 columns and turns tabs into spaces.
    if sys.stdout is not None:
        sys.stdout.write(f"{line}\n")


def printable(text: str) -> str:
    """Return text that a terminal only shows: whoever may name a branch shall not move its cursor."""
    return "".join(each if each.isprintable() or each in "\n\t" else ascii(each)[1:-1] for each in text)


def _cell(value: object) -> str:
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, datetime):
        return value.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    if isinstance(value, list | tuple):
        return ", ".join(map(_cell, value)) or "-"
    return printable(str(value))


def _dump(data: object, output: OutputFormat) -> None:
    text = json.dumps(data, indent=2, default=_plain)
    if output is OutputFormat.YAML:
        import yaml  # noqa: PLC0415  45 ms that tables need not pay

        text = yaml.safe_dump(json.loads(text), sort_keys=False, allow_unicode=True).rstrip("\n")
    _write(text)


def _plain(value: object) -> str:
    """Return a time in RFC 3339's form, and anything else as it prints itself."""
    return value.isoformat() if isinstance(value, datetime) else str(value)
