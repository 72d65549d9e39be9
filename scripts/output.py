"""Where the `bough` command speaks: data on stdout, everything else on stderr."""

from __future__ import annotations

import json
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from rich.console import Console

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
    width = max(map(len, record))
    for key, value in record.items():
        # Not a Rich table: it cuts what a terminal, or a pipe's 80 columns, has no room for.
        stdout.print(f"{key:{width}}  {value}", markup=False)


def show_error(error: InfraError) -> None:
    """Write an error as `error[CODE]: what` and `hint: next step`."""
    stderr.print(f"error[{error.code}]: {error}", markup=False, style="red")
    if error.hint:
        stderr.print(f"hint: {error.hint}", markup=False)
