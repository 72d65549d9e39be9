"""One execution environment: a process of AWS's runtime client, frozen while it has nothing to do."""

from __future__ import annotations

import asyncio
import contextlib
import datetime as dt
import http
import math
import os
import signal
import time
import uuid
from enum import StrEnum
from typing import TYPE_CHECKING, Final

import psutil

from infra.local.log_pipe import LogPipe
from infra.local.runtime_api import FunctionError, Invocation, RuntimeApi

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from infra.local.function import Function

    #: Takes the name of a log stream and a line, without newline.
    Log = Callable[[str, str], None]

#: Lambda's limit on the init phase of a function without SnapStart, in seconds.
INIT_TIMEOUT: Final = 10.0


_ENDED: Final = frozenset({psutil.STATUS_ZOMBIE, psutil.STATUS_DEAD})


class State(StrEnum):
    """Where an environment is in its life."""

    STARTING = "starting"
    FROZEN = "frozen"
    BUSY = "busy"
    DEAD = "dead"


class ExecutionEnvironment:
    """A process that serves one invocation at a time.

    Its owner runs `run()` as a task, and gets `on_ready` each time the process waits for work: then
    it must call `invoke`, `freeze` or `kill`. A frozen process is stopped (SIGSTOP) with all of its
    process group, as Lambda freezes an environment: no thread of it runs until the next invocation.

    Args:
        function: What to run.
        on_ready: Called when the process asks for its next invocation.
        log: Takes the function's output and Lambda's own lines.
        grant: Returns more variables for its process, such as credentials of its own.
    """

    def __init__(
        self,
        function: Function,
        on_ready: Callable[[ExecutionEnvironment], None],
        log: Log,
        grant: Callable[[ExecutionEnvironment], Mapping[str, str]] = lambda _: {},
    ) -> None:
        """Start nothing yet."""
        self.function = function
        self.state = State.STARTING
        self.pid: int | None = None
        #: Why it never became ready; `None` when it did, or when it was killed on purpose.
        self.init_error: FunctionError | None = None
        today = dt.datetime.now(dt.UTC)
        #: What Lambda calls where an environment's lines go.
        self.log_stream = f"{today:%Y/%m/%d}/[{function.version}]{uuid.uuid4().hex}"
        self._on_ready = on_ready
        self._write = log
        self._grant = grant
        self._pipe = LogPipe(self._log)
        self._api = RuntimeApi(self)
        self._process: asyncio.subprocess.Process | None = None
        self._invocation: Invocation | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._begun = 0.0
        self._init_seconds: float | None = None
        self._answered_at: float | None = None
        self._peak_bytes = 0

    async def run(self) -> None:
        """Start the process and return when it has ended and its invocation, if any, is answered."""
        try:
            await self._start()
            if self._process is not None:
                status = await self._process.wait()
                self._signal(signal.SIGKILL)
                await self._pipe.drained()
                self._ended(status)
        except OSError as error:
            self.init_error = FunctionError("Sandbox.StartFailed", str(error))
        except asyncio.CancelledError:
            self.kill()
            raise
        finally:
            self.state = State.DEAD
            self._set_timer(None)
            self._api.stop()
            self._pipe.close()
            if self._invocation is not None:
                self._invocation.fail(FunctionError("Sandbox.Stopped", "the environment was stopped"))
                self._invocation.reported.set()

    def is_idle(self) -> bool:
        """Say whether the process waits for work; asks the system, which knows of a death first."""
        try:
            # "Stopped" would be too strict: a signal takes effect when the process next gets to run.
            return self.state is State.FROZEN and psutil.Process(self.pid).status() not in _ENDED
        except psutil.NoSuchProcess:
            return False

    def is_finishing(self) -> bool:
        """Say whether the invocation is answered and the process about to wait for work again."""
        return self.state is State.BUSY and self._answered_at is not None

    def invoke(self, invocation: Invocation) -> None:
        """Thaw the process and give it the invocation."""
        self.state = State.BUSY
        self._invocation = invocation
        self._answered_at = None
        self._begun = time.monotonic()
        self._set_timer(self.function.timeout, self._timed_out)
        self._log(f"START RequestId: {invocation.request_id} Version: {self.function.version}")
        self._signal(signal.SIGCONT)
        root = f"Root=1-{int(time.time()):08x}-{invocation.request_id.replace('-', '')[:24]}"
        headers = {
            "Lambda-Runtime-Aws-Request-Id": invocation.request_id,
            "Lambda-Runtime-Deadline-Ms": str(round((time.time() + self.function.timeout) * 1000)),
            "Lambda-Runtime-Invoked-Function-Arn": invocation.arn,
            "Lambda-Runtime-Trace-Id": f"{root};Parent={invocation.request_id[:8]}00000000;Sampled=0",
        }
        self._api.send(invocation, headers)

    def freeze(self, idle_timeout: float) -> None:
        """Stop the process until it is invoked; kill it after `idle_timeout` seconds without work."""
        self.state = State.FROZEN
        self._signal(signal.SIGSTOP)
        self._set_timer(idle_timeout, self.kill)

    def kill(self) -> None:
        """End the process at once, frozen or not; an invocation in it is answered with an error."""
        self.state = State.DEAD
        self._signal(signal.SIGKILL)

    def next_requested(self) -> None:
        """Close the books on initialisation or on the last invocation, and ask for work."""
        if self.state is State.DEAD:
            return
        self._set_timer(None)
        self._pipe.catch_up()
        if self._invocation is None:
            self._init_seconds = time.monotonic() - self._begun
        else:
            self._report(self._invocation)
            self._invocation = None
        self._on_ready(self)

    def answered(self, request_id: str, outcome: bytes | FunctionError) -> http.HTTPStatus:
        """Pass the outcome on; an unknown or answered invocation is refused."""
        invocation = self._invocation
        if invocation is None or invocation.request_id != request_id or self._answered_at is not None:
            return http.HTTPStatus.BAD_REQUEST
        self._answered_at = time.monotonic()
        if isinstance(outcome, FunctionError):
            invocation.fail(outcome)
        else:
            invocation.succeed(outcome)
        return http.HTTPStatus.ACCEPTED

    def init_failed(self, error: FunctionError) -> None:
        """Keep the reason and end the process."""
        milliseconds = (time.monotonic() - self._begun) * 1000
        self._log(
            f"INIT_REPORT Init Duration: {milliseconds:.2f} ms\tPhase: init\tStatus: error\t"
            f"Error Type: {error.error_type}"
        )
        self.init_error = error
        self.kill()

    async def _start(self) -> None:
        port = await self._api.start()
        self._begun = time.monotonic()
        # Before the process runs: it may be ready before it is known here.
        self._set_timer(INIT_TIMEOUT, self._init_timed_out)
        with await self._pipe.writer() as output:
            # A group of its own in our session: when this process dies, the kernel ends stopped
            # groups that are left without a parent (SIGHUP and SIGCONT), children of functions too.
            process = await asyncio.create_subprocess_exec(
                *self.function.command(),
                cwd=self.function.artifact,
                env=self.function.variables(f"127.0.0.1:{port}", self.log_stream) | dict(self._grant(self)),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                process_group=0,
            )
        self._process, self.pid = process, process.pid
        if self.state is State.DEAD:
            self.kill()

    def _ended(self, status: int) -> None:
        """Say how the process ended, unless it was killed on purpose, and answer its invocation."""
        how = f"signal: {signal.Signals(-status).name}" if status < 0 else f"exit status {status}"
        reason = (
            f"Error: Runtime exited with error: {how}" if status else "Error: Runtime exited without a reason"
        )
        if self.state is State.STARTING:
            self.init_error = FunctionError("Runtime.ExitError", reason)
            self._log(f"{reason}\tPhase: init")
        elif self.state is State.BUSY and self._invocation is not None:
            request_id = self._invocation.request_id
            self._log(f"RequestId: {request_id} {reason}")
            self._report(self._invocation, "Status: error\tError Type: Runtime.ExitError\t")
            self._invocation.fail(FunctionError("Runtime.ExitError", f"RequestId: {request_id} {reason}"))
        elif self.state is State.FROZEN:
            self._log(f"{reason} while frozen")

    def _timed_out(self) -> None:
        if self._invocation is None:
            return
        now = dt.datetime.now(dt.UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        message = f"Task timed out after {self.function.timeout:.2f} seconds"
        self._log(f"{now} {self._invocation.request_id} {message}")
        self._report(self._invocation, "Status: timeout\t")
        error = f"{now} {self._invocation.request_id} {message}"
        self._invocation.fail(FunctionError("Sandbox.Timedout", error))
        self.kill()

    def _init_timed_out(self) -> None:
        self._log(f"INIT_REPORT Init Duration: {INIT_TIMEOUT * 1000:.2f} ms\tPhase: init\tStatus: timeout")
        self.init_error = FunctionError(
            "Sandbox.Timedout", f"Init timed out after {INIT_TIMEOUT:.2f} seconds"
        )
        self.kill()

    def _report(self, invocation: Invocation, status: str = "") -> None:
        """Write what Lambda writes at an invocation's end; the first one's bill includes the init."""
        duration = ((self._answered_at or time.monotonic()) - self._begun) * 1000
        init = None if self._init_seconds is None else self._init_seconds * 1000
        self._init_seconds = None
        with contextlib.suppress(psutil.Error):
            self._peak_bytes = max(self._peak_bytes, psutil.Process(self.pid).memory_info().rss)
        self._log(f"END RequestId: {invocation.request_id}")
        self._log(
            f"REPORT RequestId: {invocation.request_id}\tDuration: {duration:.2f} ms\t"
            f"Billed Duration: {math.ceil(duration + (init or 0))} ms\t"
            f"Memory Size: {self.function.memory_mb} MB\t"
            f"Max Memory Used: {math.ceil(self._peak_bytes / 2**20)} MB\t"
            f"{'' if init is None else f'Init Duration: {init:.2f} ms' + chr(9)}{status}"
        )
        invocation.reported.set()

    def _log(self, line: str) -> None:
        if self._invocation is not None:
            self._invocation.log.append(line)
        self._write(self.log_stream, line)

    def _signal(self, number: signal.Signals) -> None:
        """Signal the whole process group, if the process is there."""
        if self._process is not None and (self._process.returncode is None or number is signal.SIGKILL):
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self._process.pid, number)

    def _set_timer(self, seconds: float | None, then: Callable[[], None] | None = None) -> None:
        if self._timer is not None:
            self._timer.cancel()
        loop = asyncio.get_running_loop()
        self._timer = loop.call_later(seconds, then) if seconds is not None and then is not None else None
