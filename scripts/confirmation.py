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


class NotConfirmedError(InfraError):
    """Somebody was asked, and did not say yes."""

    code: ClassVar[str] = "NOT_CONFIRMED"


Yes = Annotated[bool, typer.Option("--yes", help="Do not ask.")]


def confirm(what_is_lost: str, *, yes: bool) -> None:
    """Ask whether to go on.

    Raises:
        ConfirmationError: Nobody can be asked.
        NotConfirmedError: The answer was no.
    """
    if not yes and _answer(what_is_lost, "Go on? [y/N]").lower() not in {"y", "yes"}:
        raise NotConfirmedError("the answer was not yes", hint="nothing was changed")


def confirm_by_name(what_is_lost: str, name: str, *, yes: bool) -> None:
    """Have the name typed in, which nobody does by mistake.

    Raises:
        ConfirmationError: Nobody can be asked.
        NotConfirmedError: Something else was typed.
    """
    if not yes and _answer(what_is_lost, "Type its name to go on:") != name.strip():
        raise NotConfirmedError(f"the answer was not {name}", hint="nothing was changed")


def _answer(what_is_lost: str, question: str) -> str:
    """Ask on stderr, and return what was typed; not through Typer, for which Ctrl-C is an answer."""
    in_ci = os.environ.get("CI", "").lower() not in {"", "0", "false"}
    if in_ci or not sys.stdin.isatty():
        raise ConfirmationError(
            f"{what_is_lost} There is no terminal to ask on", hint="nothing was changed; --yes goes on"
        )
    sys.stderr.write(f"{what_is_lost} {question} ")
    sys.stderr.flush()
    return sys.stdin.readline().strip()
