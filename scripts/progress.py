"""Shows a plan: its steps before anything is done, and how they go while it is carried out."""

from __future__ import annotations

import os
import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final, NoReturn

import typer
from rich.live import Live
from rich.text import Text

from infra.plan import Progress, StepState
from scripts import output
from scripts.output import OutputFormat

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from infra.plan import Step

#: What stands before a step, so that it reads without colour.
_MARKS: Final = {
    StepState.DONE: ("✓", "green"),
    StepState.FAILED: ("✗", "red"),
    StepState.UNDONE: ("↩", "yellow"),
    StepState.NOT_UNDONE: ("✗", "red"),
}


def show_plan(steps: Sequence[Step], output_format: OutputFormat) -> NoReturn:
    """End a dry run: write the steps to stdout, in their order; nothing is done.

    Raises:
        typer.Exit: Always; with 3 where there are steps, as whatever else is pending.
    """
    rows = [{"step": step.key, "title": step.title, "after": list(step.after)} for step in steps]
    if rows or output_format is not OutputFormat.TABLE:
        output.show_rows(rows, output_format, columns={"step": "STEP", "title": "WHAT IS DONE"})
    if rows:
        raise typer.Exit(3)
    output.say("Nothing to do")
    raise typer.Exit


@contextmanager
def shown() -> Iterator[Callable[[Progress], None]]:
    """Yield what `infra.plan.execute` tells its progress, for stderr.

    On a terminal what runs stands below what has ended, with the time that it has taken so far; elsewhere,
    and in CI, there is a line for each step when it has ended.
    """
    in_ci = os.environ.get("CI", "").lower() not in {"", "0", "false"}
    if in_ci or not output.stderr.is_terminal:
        yield _say
        return
    board = _Board()
    with Live(get_renderable=board.running, console=output.stderr, refresh_per_second=10, transient=True):
        yield board.tell


class _Board:
    """What runs now."""

    def __init__(self) -> None:
        self._since: dict[str, tuple[str, float]] = {}
        self._lock = threading.Lock()

    def tell(self, progress: Progress) -> None:
        with self._lock:
            if progress.state is StepState.STARTED:
                self._since[progress.step.key] = progress.step.title, time.monotonic()
                return
            self._since.pop(progress.step.key, None)
        _say(progress)

    def running(self) -> Text:
        with self._lock:
            now = time.monotonic()
            lines = [f"  … {title} ({now - since:.1f} s)" for title, since in self._since.values()]
        return Text("\n".join(lines), style="dim")


def _say(progress: Progress) -> None:
    if progress.state is StepState.STARTED:
        return
    mark, style = _MARKS[progress.state]
    what = progress.step.title
    if progress.state in {StepState.UNDONE, StepState.NOT_UNDONE}:
        what = f"{progress.state.value.capitalize()}: {what}"
    detail = f": {progress.detail}" if progress.detail else ""
    line = Text.assemble((mark, style), f" {what}{detail}", (f" ({progress.seconds:.2f} s)", "dim"))
    output.stderr.print(line)
