"""Plans: order, what runs at the same time, and what a failure leaves."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import pytest

from infra.plan import Progress, Step, StepState, execute

if TYPE_CHECKING:
    from collections.abc import Callable


def told(news: list[Progress]) -> list[tuple[str, StepState, str | None]]:
    return [(each.step.key, each.state, each.detail) for each in news]


def fail(message: str) -> Callable[[], str | None]:
    def run() -> str | None:
        raise OSError(message)

    return run


class TestExecute:
    """`execute`."""

    def test_runs_steps_in_their_order(self) -> None:
        """Each is told when it starts and when it is done, with what came of it."""
        news: list[Progress] = []
        execute(
            [Step("one", "One", lambda: "first"), Step("two", "Two", lambda: None, after=("one",))],
            news.append,
        )
        assert told(news) == [
            ("one", StepState.STARTED, None),
            ("one", StepState.DONE, "first"),
            ("two", StepState.STARTED, None),
            ("two", StepState.DONE, None),
        ]

    def test_runs_steps_at_the_same_time_that_do_not_wait_for_each_other(self) -> None:
        """Each of the two ends only because the other has begun."""
        meet = threading.Barrier(2, timeout=10)
        both = [Step(key, key, lambda: str(meet.wait() >= 0)) for key in "ab"]
        news: list[Progress] = []
        execute([*both, Step("c", "C", lambda: None, after=("a", "b"))], news.append)
        assert [each.step.key for each in news][-2:] == ["c", "c"]

    def test_undoes_what_was_done_after_a_failure(self) -> None:
        """The last first; what had not begun is never begun."""
        undone: list[str] = []
        steps = [
            Step("a", "A", lambda: None, undo=lambda: undone.append("a")),
            Step("b", "B", lambda: None, after=("a",), undo=lambda: undone.append("b")),
            Step("c", "C", fail("no"), after=("b",), undo=lambda: undone.append("c")),
            Step("d", "D", lambda: undone.append("never"), after=("c",)),
        ]
        news: list[Progress] = []
        with pytest.raises(OSError, match="no"):
            execute(steps, news.append)
        assert undone == ["b", "a"]
        assert told(news)[-3:] == [
            ("c", StepState.FAILED, "no"),
            ("b", StepState.UNDONE, None),
            ("a", StepState.UNDONE, None),
        ]

    def test_waits_for_what_runs_when_another_step_fails(self) -> None:
        """It is undone too, and the first failure is what is raised."""
        failed = threading.Event()
        undone: list[str] = []
        steps = [
            Step("slow", "Slow", lambda: str(failed.wait(10)), undo=lambda: undone.append("slow")),
            Step("bad", "Bad", fail("first")),
        ]

        def notify(progress: Progress) -> None:
            if progress.state is StepState.FAILED:
                failed.set()

        with pytest.raises(OSError, match="first"):
            execute(steps, notify)
        assert undone == ["slow"]

    def test_goes_on_undoing_when_one_cannot_be_undone(self) -> None:
        """That is told; what is raised is why the plan failed."""
        undone: list[str] = []
        steps = [
            Step("a", "A", lambda: None, undo=lambda: undone.append("a")),
            Step("b", "B", lambda: None, after=("a",), undo=fail("stuck")),
            Step("c", "C", fail("why"), after=("b",)),
        ]
        news: list[Progress] = []
        with pytest.raises(OSError, match="why"):
            execute(steps, news.append)
        assert ("b", StepState.NOT_UNDONE, "stuck") in told(news)
        assert undone == ["a"]

    def test_undoes_at_ctrl_c(self) -> None:
        """What still runs is waited for first."""
        undone: list[str] = []
        steps = [Step("a", "A", lambda: None, undo=lambda: undone.append("a")), Step("b", "B", lambda: None)]

        def notify(progress: Progress) -> None:
            if progress.step.key == "a" and progress.state is StepState.DONE:
                raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            execute(steps, notify)
        assert undone == ["a"]

    @pytest.mark.parametrize("error", [KeyboardInterrupt, BrokenPipeError])
    def test_goes_on_undoing_when_nobody_can_be_told(self, error: type[BaseException]) -> None:
        """Ctrl-C, or a closed terminal, after the failure takes nothing from it."""
        undone: list[str] = []
        steps = [
            Step("a", "A", lambda: None, undo=lambda: undone.append("a")),
            Step("b", "B", lambda: None, after=("a",), undo=lambda: undone.append("b")),
            Step("c", "C", fail("why"), after=("b",)),
        ]

        def notify(progress: Progress) -> None:
            if progress.state in {StepState.FAILED, StepState.UNDONE}:
                raise error

        with pytest.raises(OSError, match="why"):
            execute(steps, notify)
        assert undone == ["b", "a"]

    def test_keeps_what_was_done_when_ctrl_c_comes_after_the_last_step(self) -> None:
        """Others may have been let in by then."""
        undone: list[str] = []

        def notify(progress: Progress) -> None:
            if progress.state is StepState.DONE:
                raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            execute([Step("a", "A", lambda: None, undo=lambda: undone.append("a"))], notify)
        assert undone == []

    def test_cuts_short_at_ctrl_c_what_can_be(self) -> None:
        """It has failed then, so that it is not undone."""
        stopped = threading.Event()
        undone: list[str] = []

        def watch() -> str | None:
            stopped.wait(10)
            raise TimeoutError

        steps = [
            Step("a", "A", watch, stop=stopped.set, undo=lambda: undone.append("a")),
            Step("b", "B", lambda: None),
        ]

        def notify(progress: Progress) -> None:
            if progress.step.key == "b" and progress.state is StepState.DONE:
                raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            execute(steps, notify)
        assert (stopped.is_set(), undone) == (True, [])

    @pytest.mark.parametrize(
        "steps",
        [
            [Step("a", "A", lambda: None, after=("b",)), Step("b", "B", lambda: None)],
            [Step("a", "A", lambda: None), Step("a", "A", lambda: None)],
        ],
        ids=["later", "twice"],
    )
    def test_refuses_a_plan_that_cannot_run(self, steps: list[Step]) -> None:
        """A step that comes after a later one, or two of one name: before anything is done."""
        news: list[Progress] = []
        with pytest.raises(ValueError, match=r"no earlier step|two steps"):
            execute(steps, news.append)
        assert news == []
