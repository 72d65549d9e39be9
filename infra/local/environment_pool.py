"""The execution environments of one function: as many as the load needs, up to a limit."""

from __future__ import annotations

import asyncio
import os
from collections import deque
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from infra.local.execution_environment import ExecutionEnvironment, State
from infra.local.runtime_api import FunctionError, Invocation

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from infra.local.execution_environment import Log
    from infra.local.function import Function

#: Environments that start at once. On Lambda each has its own processor; here all share this
#: machine's, and more at once would only make each pass the init limit.
_STARTING_AT_ONCE: Final = max(2, os.cpu_count() or 1)


@dataclass(frozen=True, slots=True)
class EnvironmentStatus:
    """An environment at one moment; `pid` is `None` until its process exists."""

    pid: int | None
    state: State
    artifact: Path


class EnvironmentPool:
    """Gives each invocation to one environment, once.

    An idle environment is taken first, the one used last (as Lambda does, so that the others can be
    retired); else the invocation waits, in order, while environments are added up to `limit`. A
    start that fails answers the invocation that has waited longest: a broken handler answers every
    request with its error and is not started again before the next request.
    """

    def __init__(
        self,
        function: Function,
        *,
        limit: int,
        idle_timeout: float,
        log: Log,
        grant: Callable[[ExecutionEnvironment], Mapping[str, str]] = lambda _: {},
    ) -> None:
        """Start nothing before the first invocation."""
        self._function = function
        self._limit = limit
        self._idle_timeout = idle_timeout
        self._log = log
        self._grant = grant
        self._waiting: deque[Invocation] = deque()
        self._idle: list[ExecutionEnvironment] = []
        self._environments: dict[ExecutionEnvironment, asyncio.Task[None]] = {}
        self._stopped = False
        self._draining = False

    async def invoke(self, payload: bytes, request_id: str) -> bytes:
        """Return the function's response to an event, both JSON.

        A caller that gives up does not stop the function: it runs to its end, as on Lambda.

        Raises:
            FunctionError: The function raised, crashed, timed out, or could not be started.
        """
        result = asyncio.get_running_loop().create_future()
        return await self.begin(Invocation(payload, request_id, result, self._function.arn)).result

    def begin(self, invocation: Invocation) -> Invocation:
        """Give an invocation to an environment, or let it wait for one; return it.

        Raises:
            FunctionError: The pool was stopped.
        """
        if self._stopped:
            raise FunctionError("Sandbox.Stopped", "the function host stopped")
        if (environment := self._take_idle()) is not None:
            environment.invoke(invocation)
        else:
            self._waiting.append(invocation)
            self._grow()
        return invocation

    def reload(self, artifact: Path) -> None:
        """Use another artifact from the next invocation on; running ones end on the old."""
        self._function = replace(self._function, artifact=artifact.absolute())
        self._idle.clear()
        for environment in self._environments:
            if environment.state in {State.FROZEN, State.STARTING}:
                environment.kill()
        self._grow()

    async def drain(self) -> None:
        """Let invocations that came before run to their end, and return when no process is left."""
        self._draining = True
        while self._idle:
            self._idle.pop().kill()
        while self._environments:
            await asyncio.gather(*self._environments.values())

    async def stop(self) -> None:
        """Kill every environment and answer every invocation; return when no process is left."""
        self._stopped = True
        while self._waiting:
            self._waiting.popleft().fail(FunctionError("Sandbox.Stopped", "the function host stopped"))
        for environment in self._environments:
            environment.kill()
        await asyncio.gather(*self._environments.values())

    def statuses(self) -> tuple[EnvironmentStatus, ...]:
        """Return every environment that has not ended."""
        return tuple(
            EnvironmentStatus(each.pid, each.state, each.function.artifact) for each in self._environments
        )

    def _take_idle(self) -> ExecutionEnvironment | None:
        while self._idle:
            environment = self._idle.pop()
            if environment.is_idle():
                return environment
        return None

    def _grow(self) -> None:
        """Start environments for invocations that wait, within the limits."""
        states = [environment.state for environment in self._environments]
        starting = states.count(State.STARTING)
        # A client's next request may come before the runtime has asked for it: that needs no process.
        finishing = sum(environment.is_finishing() for environment in self._environments)
        wanted = min(len(self._waiting) - starting - finishing, _STARTING_AT_ONCE - starting)
        room = self._limit - (len(states) - states.count(State.DEAD))
        for _ in range(0 if self._stopped else min(wanted, room)):
            environment = ExecutionEnvironment(self._function, self._ready, self._log, self._grant)
            self._environments[environment] = asyncio.create_task(self._run(environment))

    async def _run(self, environment: ExecutionEnvironment) -> None:
        try:
            await environment.run()
        finally:
            del self._environments[environment]
            if environment in self._idle:
                self._idle.remove(environment)
            if environment.init_error is not None and self._waiting:
                failed = self._waiting.popleft()
                failed.fail(environment.init_error)
                failed.reported.set()
            self._grow()

    def _ready(self, environment: ExecutionEnvironment) -> None:
        if environment.function is not self._function:
            environment.kill()
        elif self._waiting:
            environment.invoke(self._waiting.popleft())
        elif self._draining:
            environment.kill()
        else:
            environment.freeze(self._idle_timeout)
            self._idle.append(environment)
        # More may wait than start: one that became ready makes room for the next start.
        self._grow()
