"""A plan: a list of steps that was made by reading alone, and what carries it out.

Who made the plan has left out what need not be done, so that a dry run, which only names the steps, and
`execute` cannot disagree.
"""

from __future__ import annotations

import threading
import time
from concurrent.futures import FIRST_COMPLETED, ThreadPoolExecutor, wait
from dataclasses import dataclass
from enum import StrEnum
from queue import SimpleQueue
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
    undone, the last first. Ctrl-C is such a failure, and so is what `notify` raises; none of them, whenever
    it comes, keeps what was done from being undone. After the last step nothing is undone.

    Args:
        steps: In an order in which each stands behind those that it comes after.
        notify: Is told of each step; from the calling thread alone.

    Raises:
        Exception: What the first step that failed raised. What an `undo` raises is told, and goes no further.
        ValueError: A step comes after none of this plan, or after a later one.
    """
    _check(steps)
    run = _Run(steps)
    ended: BaseException | None = None
    # This thread alone is interrupted by Ctrl-C, so the plan's state belongs to another one.
    conductor = threading.Thread(target=run.through, name="plan")
    conductor.start()
    while True:
        try:
            while (news := run.news.get()) is not None:
                notify(news)
                run.go_on()
            break
        except BaseException as error:  # noqa: BLE001  raised below
            ended = ended or error
            run.end()
    conductor.join()
    if (failure := run.failure or ended) is not None:
        raise failure


class _Run:
    """A plan that is carried out: `through` in a thread of its own, everything else from the caller's.

    Attributes:
        news: What the caller is to be told; `None` is the last.
        failure: What the first step that failed raised.
    """

    def __init__(self, steps: Sequence[Step]) -> None:
        self.news: SimpleQueue[Progress | None] = SimpleQueue()
        self.failure: BaseException | None = None
        self._waiting = list(steps)
        self._running: dict[Future[str | None], tuple[Step, float]] = {}
        self._done: list[Step] = []
        self._starting = threading.Lock()
        self._ended = False
        self._is_whole = not steps
        self._told = threading.Event()

    def go_on(self) -> None:
        """The caller was told the last news."""
        self._told.set()

    def end(self) -> None:
        """Start nothing more, and cut short what can be."""
        with self._starting:
            self._ended = True
            running = [step for step, _ in self._running.values()]
        self._told.set()
        for step in running:
            if step.stop is not None:
                step.stop()

    def through(self) -> None:
        try:
            with ThreadPoolExecutor(_WORKERS) as threads:
                self._start(threads)
                while self._running:
                    for future in wait(self._running, return_when=FIRST_COMPLETED).done:
                        self._settle(future)
                    self._start(threads)
            if not self._is_whole:
                self._undo()
        finally:
            self.news.put(None)

    def _start(self, threads: ThreadPoolExecutor) -> None:
        keys = {step.key for step in self._done}
        for step in [step for step in self._waiting if keys.issuperset(step.after)]:
            if self.failure is not None or self._ended:
                return
            self._tell(Progress(step, StepState.STARTED))
            with self._starting:
                if self._ended:
                    return
                self._waiting.remove(step)
                self._running[threads.submit(step.run)] = step, time.monotonic()

    def _settle(self, future: Future[str | None]) -> None:
        with self._starting:
            step, started = self._running.pop(future)
        seconds = time.monotonic() - started
        if (error := future.exception()) is not None:
            if not self._ended:
                self.failure = self.failure or error
            self._tell(Progress(step, StepState.FAILED, seconds, str(error)))
        else:
            self._done.append(step)
            self._is_whole = not (self._waiting or self._running or self._ended or self.failure)
            self._tell(Progress(step, StepState.DONE, seconds, future.result()))

    def _undo(self) -> None:
        for step in reversed(self._done):
            if step.undo is None:
                continue
            started = time.monotonic()
            try:
                state, detail = StepState.UNDONE, step.undo()
            except Exception as error:  # noqa: BLE001  the others are undone too, and the first failure is raised
                state, detail = StepState.NOT_UNDONE, str(error)
            self._tell(Progress(step, state, time.monotonic() - started, detail))

    def _tell(self, news: Progress) -> None:
        """Have the caller told, and wait for that unless it has ended the plan."""
        self._told.clear()
        self.news.put(news)
        if not self._ended:
            self._told.wait()


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
