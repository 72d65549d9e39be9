"""A plan: a list of steps that was made by reading alone, and what carries it out.

Who made the plan has left out what need not be done, so that a dry run, which only names the steps, and
`execute` cannot disagree.
"""

from __future__ import annotations

import time
from concurrent.futures import FIRST_COMPLETED, ThreadPoolExecutor, wait
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from concurrent.futures import Future

#: Steps that run at the same time, at most.
_WORKERS: Final = 8


class StepState(StrEnum):
    """Where a step is."""

    STARTED = "started"
    DONE = "done"
    FAILED = "failed"
    UNDONE = "undone"
    NOT_UNDONE = "not undone"


@dataclass(frozen=True, slots=True)
class Step:
    """Something that is done once everything that it comes after is done.

    Args:
        key: Its name for other steps and for programs, such as `publish`.
        title: What it does, in the imperative and in few words, such as `Publish a version`.
        run: Does it, and returns what came of it in few words, if there is anything to say.
        after: Keys of earlier steps of the plan. Steps that do not wait for each other run at the same time.
        undo: Takes it back when a later step fails.
        stop: Has `run` end soon, with an exception, when somebody presses Ctrl-C; for what takes minutes.
            Called from another thread.
    """

    key: str
    title: str
    run: Callable[[], str | None]
    after: tuple[str, ...] = ()
    undo: Callable[[], str | None] | None = None
    stop: Callable[[], None] | None = None


@dataclass(frozen=True, slots=True)
class Progress:
    """News of a step.

    Args:
        step: Which one.
        state: Where it is now.
        seconds: How long it ran; 0 when it has just been started.
        detail: What came of it, or why it failed.
    """

    step: Step
    state: StepState
    seconds: float = 0.0
    detail: str | None = None


def execute(steps: Sequence[Step], notify: Callable[[Progress], None]) -> None:
    """Carry out a plan.

    After a failure no step is started any more; those that run are waited for, and then what was done is
    undone, the last first.

    Args:
        steps: In an order in which each stands behind those that it comes after.
        notify: Is told of each step; from the calling thread alone.

    Raises:
        Exception: What the first step that failed raised. What an `undo` raises is told, and goes no further.
        ValueError: A step comes after none of this plan, or after a later one.
    """
    _check(steps)
    done: list[Step] = []
    waiting = list(steps)
    running: dict[Future[str | None], tuple[Step, float]] = {}
    failure: BaseException | None = None
    with ThreadPoolExecutor(_WORKERS) as threads:
        try:
            while running or (waiting and failure is None):
                if failure is None:
                    for step in _ready(waiting, done):
                        waiting.remove(step)
                        notify(Progress(step, StepState.STARTED))
                        running[threads.submit(step.run)] = step, time.monotonic()
                for future in wait(running, return_when=FIRST_COMPLETED).done:
                    step, started = running.pop(future)
                    seconds = time.monotonic() - started
                    if (error := future.exception()) is not None:
                        failure = failure or error
                        notify(Progress(step, StepState.FAILED, seconds, str(error)))
                    else:
                        done.append(step)
                        notify(Progress(step, StepState.DONE, seconds, future.result()))
        except KeyboardInterrupt as interrupt:
            done += _finished(running, notify)
            failure = interrupt
    if failure is not None:
        _undo(done, notify)
        raise failure


def _check(steps: Sequence[Step]) -> None:
    known: set[str] = set()
    for step in steps:
        if unknown := set(step.after) - known:
            message = f"step {step.key!r} comes after {', '.join(sorted(unknown))}, which no earlier step is"
            raise ValueError(message)
        if step.key in known:
            message = f"there are two steps {step.key!r}"
            raise ValueError(message)
        known.add(step.key)


def _ready(waiting: Sequence[Step], done: Sequence[Step]) -> list[Step]:
    keys = {step.key for step in done}
    return [step for step in waiting if keys.issuperset(step.after)]


def _finished(
    running: dict[Future[str | None], tuple[Step, float]], notify: Callable[[Progress], None]
) -> list[Step]:
    """Wait for what runs, cut short where it can be; return the steps that were done all the same."""
    for step, _ in running.values():
        if step.stop is not None:
            step.stop()
    wait(running)
    done = []
    for future, (step, started) in running.items():
        if (error := future.exception()) is None:
            done.append(step)
        else:
            notify(Progress(step, StepState.FAILED, time.monotonic() - started, str(error)))
    return done


def _undo(done: Sequence[Step], notify: Callable[[Progress], None]) -> None:
    for step in reversed(done):
        if step.undo is None:
            continue
        started = time.monotonic()
        try:
            state, detail = StepState.UNDONE, step.undo()
        except Exception as error:  # noqa: BLE001  the others are undone too, and the first failure is raised
            state, detail = StepState.NOT_UNDONE, str(error)
        notify(Progress(step, state, time.monotonic() - started, detail))
