"""Waiting for what Supabase does with a branch: its project's state, and the steps of its runs."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Final

from infra.branches.errors import BranchError, BranchNotFoundError
from infra.branches.supabase.answers import FAILED, HEALTHY, PAUSED
from infra.deadline import Deadline
from infra.http_errors import HttpAmbiguousError

if TYPE_CHECKING:
    from collections.abc import Callable

    from infra.branches.supabase.answers import BranchDetail, Run
    from infra.branches.supabase.api import SupabaseApi

#: Seconds in which a branch that was just made or deleted may still seem not to be, or to be.
_LAG: Final = 60.0


class SupabaseProgress:
    """Waits for one branch, and says so whenever it changes what it waits for."""

    def __init__(
        self, api: SupabaseApi, *, name: str, ref: str, announce: Callable[[str], None], poll: float
    ) -> None:
        """Ask nothing yet; `poll` is in seconds."""
        self._api = api
        self._name = name
        self._ref = ref
        self._announce = announce
        self._poll = poll
        self._said = ""

    def finished(self) -> BranchDetail:
        """Return how the branch is reached once its project is up and nothing is being done with it.

        A paused one is started.

        Raises:
            BranchError: Supabase failed; the message names the step or state.
            BranchBusyError: It was still at work at the deadline.
        """
        lag = Deadline(_LAG)
        was_resumed = False
        while True:
            try:
                detail = self._api.detail(self._ref)
                run = max(self._api.runs(self._ref), key=lambda run: run.created_at, default=None)
            except BranchNotFoundError:
                if not lag.remaining():
                    raise
                self._pause("not yet to be found")
                continue
            if detail.status in FAILED:
                raise BranchError(
                    f"Supabase has the branch {self._name!r} in the state {detail.status}",
                    hint="look at it in Supabase's dashboard, or delete it and create it again",
                )
            step = self._current_step(run)
            if detail.status == HEALTHY and step is None:
                return detail
            if detail.status == PAUSED and not was_resumed:
                self._announce(f"the branch {self._name} is paused; starting it")
                # Where the answer is lost, its state tells whether to ask again.
                with suppress(HttpAmbiguousError):
                    self._api.resume_branch(self._ref)
                    was_resumed = True
            self._pause(detail.status if step is None else f"{detail.status}, step {step}")

    def begun(self) -> None:
        """Wait until a restore shows; one that was done between two looks never does."""
        lag = Deadline(_LAG)
        while self._api.detail(self._ref).status == HEALTHY and lag.remaining():
            self._pause("about to be restored")

    def finished_run(self, run_id: str) -> None:
        """Wait until a run has ended.

        Raises:
            BranchError: A step of it failed.
            BranchBusyError: It was still at work at the deadline.
        """
        while (step := self._current_step(self._api.run(self._ref, run_id))) is not None:
            self._pause(f"step {step}")

    def gone(self) -> None:
        """Wait until the list of branches is without it.

        Raises:
            BranchBusyError: It was still listed at the deadline.
        """
        while any(branch.project_ref == self._ref for branch in self._api.branches()):
            self._pause("being deleted")

    def _current_step(self, run: Run | None) -> str | None:
        if run is None:
            return None
        if run.failed_step:
            raise BranchError(
                f"Supabase failed at the step {run.failed_step} of the branch {self._name!r} (run {run.id})",
                hint="its logs are in Supabase's dashboard, under Branches; then delete it and try again",
            )
        return run.current_step

    def _pause(self, state: str) -> None:
        if state != self._said:
            self._announce(f"waiting for Supabase: {self._name} is {state}")
            self._said = state
        self._api.pause(self._poll, f"the branch {self._name!r} ({state})")
