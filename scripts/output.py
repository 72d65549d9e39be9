"""Where the `bough` command speaks: data on stdout, everything else on stderr."""

from __future__ import annotations

import json
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.table import Table

if TYPE_CHECKING:
    from collections.abc import Mapping

    from infra.errors import InfraError

stdout = Console(soft_wrap=True, highlight=False)
stderr = Console(stderr=True, soft_wrap=True, highlight=False)


class OutputFormat(StrEnum):
    """What `-o` takes."""

    TABLE = "table"
    JSON = "json"


def say(message: str) -> None:
    """Write one line of progress to stderr."""
    stderr.print(message, markup=False)


def show(record: Mapping[str, Any], output: OutputFormat) -> None:
    """Write one record to stdout, as two columns or as JSON."""
    if output is OutputFormat.JSON:
        stdout.print(json.dumps(record, indent=2, default=str), markup=False)
        return
    table = Table.grid(padding=(0, 2))
    for key, value in record.items():
        table.add_row(key, str(value))
    stdout.print(table)


def show_error(error: InfraError) -> None:
    """Write an error as `error[CODE]: what` and `hint: next step`."""
    stderr.print(f"error[{error.code}]: {error}", markup=False, style="red")
    if error.hint:
        stderr.print(f"hint: {error.hint}", markup=False)
