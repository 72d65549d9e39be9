"""`--env NAME`: variables that the application needs besides those that the kit gives it."""

from __future__ import annotations

import os
from typing import Annotated

import typer

EnvironmentNames = Annotated[
    list[str] | None,
    typer.Option(
        "--env", metavar="NAME", help="Give the function this variable of the shell; may be repeated."
    ),
]


def variables_of_shell(names: list[str] | None) -> dict[str, str]:
    """Return variables by name alone, so that no secret stands in a command line."""
    if missing := [name for name in names or () if name not in os.environ]:
        raise typer.BadParameter(f"not set in this shell: {', '.join(missing)}", param_hint="--env")
    return {name: os.environ[name] for name in names or ()}
