"""Serves a function on this machine as a Lambda Function URL does: HTTP in front, environments behind.

`HTTP request → event (function_url) → environment (environment_pool) → result → HTTP response`
"""

from __future__ import annotations

import asyncio
import json
import uuid
from typing import TYPE_CHECKING, Any, TextIO

from infra.aws import function_url
from infra.local.environment_pool import EnvironmentPool, EnvironmentStatus
from infra.local.function import Function
from infra.local.http_front import HttpFront, failure
from infra.local.runtime_api import MAX_PAYLOAD, FunctionError
from infra.local.runtime_folder import runtime_folder

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path


class FunctionHost:
    """Runs a function's artifact behind an HTTP port.

    Args:
        artifact: The artifact folder (`infra.aws.artifact`).
        handler: Lambda's notation.
        environment: The function's own variables; nothing of this process's environment reaches it.
        port: 0 picks a free one.
        host: Where to listen.
        max_environments: How many invocations run at once; more wait in order.
        timeout: Seconds an invocation may take; one that takes longer is killed.
        memory_mb: What the function is told that it has; no limit is enforced.
        idle_timeout: Seconds without work after which an environment is retired.
        log: Takes the function's output and Lambda's START, END and REPORT lines; `None` drops them.
    """

    def __init__(
        self,
        artifact: Path,
        handler: str,
        environment: Mapping[str, str],
        *,
        port: int = 0,
        host: str = "127.0.0.1",
        max_environments: int = 10,
        timeout: float = 35.0,
        memory_mb: int = 512,
        idle_timeout: float = 300.0,
        log: Callable[[str], None] | TextIO | None = None,
    ) -> None:
        """Start nothing yet."""
        self._artifact = artifact.absolute()
        self._handler = handler
        self._environment = dict(environment)
        self._front = HttpFront(self._answer, port=port, host=host)
        self._limit = max_environments
        self._timeout = timeout
        self._memory_mb = memory_mb
        self._idle_timeout = idle_timeout
        self._log = _writer(log)
        self._pool: EnvironmentPool | None = None

    @property
    def url(self) -> str:
        """The root of the served API, without a slash at the end; its port is known after `start`."""
        return self._front.url

    async def start(self) -> None:
        """Listen. The first environment starts with the first request, as on Lambda.

        Raises:
            PortInUseError: Something else listens on the port.
            DistributionMissingError: `awslambdaric` is not installed.
            OSError: The runtime client cannot be copied beside the artifact.
        """
        listener = self._front.listen()
        try:
            runtime = await asyncio.to_thread(runtime_folder, self._artifact)
        except BaseException:
            listener.close()
            raise
        function = Function(
            self._artifact, runtime, self._handler, self._environment, self._timeout, self._memory_mb
        )
        self._pool = EnvironmentPool(
            function,
            limit=self._limit,
            idle_timeout=self._idle_timeout,
            log=lambda _stream, line: self._log(line),
        )
        await self._front.start(listener)

    async def stop(self) -> None:
        """Answer what still runs with an error and end every process; nothing is left after it."""
        if self._pool is not None:
            await self._pool.stop()
        await self._front.stop()
        self._pool = None

    async def serve(self) -> None:
        """Start, run until cancelled, stop."""
        await self.start()
        try:
            await asyncio.Event().wait()
        finally:
            await self.stop()

    async def reload(self, artifact: Path) -> None:
        """Serve later invocations from another artifact folder.

        Those that run end on the old one, which must stay as it is meanwhile: what they have not
        imported yet they read from there. `environments` says which folders are in use.
        """
        self._running().reload(artifact)

    async def invoke(self, event: Mapping[str, Any]) -> Any:
        """Invoke the function with an event of any kind and return its result.

        Raises:
            FunctionError: The function raised, crashed, timed out, or could not be started.
        """
        return json.loads(await self._running().invoke(json.dumps(event).encode(), str(uuid.uuid4())))

    def environments(self) -> Sequence[EnvironmentStatus]:
        """Return the environments that have not ended."""
        return self._pool.statuses() if self._pool is not None else ()

    def _running(self) -> EnvironmentPool:
        if self._pool is None:
            raise RuntimeError("the function host is not started")
        return self._pool

    async def _answer(self, request: function_url.Request) -> tuple[function_url.Response, str]:
        request_id = str(uuid.uuid4())
        payload = json.dumps(function_url.event(request, request_id), ensure_ascii=False).encode()
        if len(payload) > MAX_PAYLOAD:
            return failure(413, "Request Entity Too Large"), request_id
        # A Function URL answers 502 for every failure of the function, a timeout among them
        # (https://github.com/awslabs/route53-dynamic-dns-with-lambda/issues/56 quotes one).
        try:
            return function_url.response(await self._running().invoke(payload, request_id)), request_id
        except FunctionError:
            return failure(502, "Internal Server Error"), request_id
        except function_url.MalformedResponseError as error:
            self._log(f"{request_id} Malformed response: {error}")
            return failure(502, "Internal Server Error"), request_id


def _writer(log: Callable[[str], None] | TextIO | None) -> Callable[[str], None]:
    if log is None:
        return lambda _: None
    if callable(log):
        return log

    def write(line: str) -> None:
        log.write(f"{line}\n")
        log.flush()

    return write
