"""Questions before something is lost: only where somebody can answer, else by an option that says yes."""

from __future__ import annotations

import os
import sys
from typing import Annotated, ClassVar

import typer

from infra.errors import InfraError


class ConfirmationError(InfraError):
    """Something would be lost, and nobody can be asked."""

    code: ClassVar[str] = "CONFIRMATION_NEEDED"
    exit_code: ClassVar[int] = 2


Yes = Annotated[bool, typer.Option("--yes", help="Do not ask.")]


def confirm(what_is_lost: str, *, yes: bool) -> None:
    """Ask whether to go on.

    Raises:
        ConfirmationError: Nobody can be asked.
        typer.Abort: The answer was no.
    """
    if not yes:
        _require_somebody(what_is_lost)
        typer.confirm(f"{what_is_lost} Go on?", abort=True, err=True)


def confirm_by_name(what_is_lost: str, name: str, *, yes: bool) -> None:
    """Have the name typed in, which nobody does by mistake.

    Raises:
        ConfirmationError: Nobody can be asked.
        typer.Abort: Something else was typed.
    """
    if not yes:
        _require_somebody(what_is_lost)
        if typer.prompt(f"{what_is_lost} Type its name to go on", err=True).strip() != name:
            raise typer.Abort


def _require_somebody(what_is_lost: str) -> None:
    in_ci = os.environ.get("CI", "").lower() not in {"", "0", "false"}
    if in_ci or not sys.stdin.isatty():
        raise ConfirmationError(
            f"{what_is_lost} There is no terminal to ask on", hint="nothing was changed; --yes goes on"
        )
