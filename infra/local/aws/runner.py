"""Runs deployed functions: an environment pool for each version, in the loop of this process.

moto answers requests in threads, and asks through `FromThreads`.
"""

from __future__ import annotations

import asyncio
import contextlib
import platform
import secrets
import sys
import time
import uuid
import zipfile
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, TypeVar

from infra.local.aws import telemetry
from infra.local.aws.code_store import CodeStore
from infra.local.aws.extension import Extension
from infra.local.environment_pool import EnvironmentPool
from infra.local.function import Function
from infra.local.runtime_api import FunctionError, Invocation
from infra.local.runtime_folder import runtime_folder

if TYPE_CHECKING:
    from collections.abc import Coroutine
    from pathlib import Path

    from infra.local.aws.deployed import Deployed
    from infra.local.aws.function_urls import FunctionUrls
    from infra.local.aws.moto_lambda import Lambda
    from infra.local.aws.url_config import UrlConfig
    from infra.local.execution_environment import ExecutionEnvironment

_T = TypeVar("_T")

#: Environments of one version at once: all share this machine's processors.
_ENVIRONMENTS: Final = 10
_IDLE_TIMEOUT: Final = 300.0

#: Seconds that the last lines of an invocation's log may take after its result.
_LOG_PATIENCE: Final = 2.0
#: What LogResult holds of them, in bytes.
_TAIL: Final = 4096


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of an invocation.

    Args:
        payload: JSON, the function's or, with `error`, of what went wrong.
        version: Which one ran.
        error: `None`, or how Lambda names a failure of the function.
        tail: The end of its log.
    """

    payload: bytes
    version: str
    error: str | None
    tail: bytes


class Runner:
    """Runs while it is started.

    Args:
        folder: Its own, for unzipped code.
    """

    def __init__(self, folder: Path) -> None:
        """Start nothing yet."""
        self._code = CodeStore(folder / "code")
        self._extension = Extension()
        self._pools: dict[tuple[str, str], tuple[Deployed, EnvironmentPool]] = {}
        #: Of versions that are gone or have changed, while they do their last work.
        self._draining: dict[EnvironmentPool, Deployed] = {}
        self._stopped = False
        self._tasks: set[asyncio.Task[object]] = set()
        self._endpoint = ""

    async def start(self, endpoint: str) -> None:
        """Serve the extension; functions are told of the endpoint, where all services are."""
        self._endpoint = endpoint
        await self._extension.start()

    async def stop(self) -> None:
        """End every process of a function, and delete their code; nothing runs any more afterwards."""
        self._stopped = True
        current = [pool for _, pool in self._pools.values()]
        await asyncio.gather(*(pool.stop() for pool in (*current, *self._draining)))
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._extension.stop()
        await asyncio.to_thread(self._code.clear)

    async def invoke(self, deployed: Deployed, payload: bytes, arn: str) -> Outcome:
        """Run a version with an event and return what came of it."""
        result: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
        invocation = Invocation(payload, str(uuid.uuid4()), result, arn)
        started = time.monotonic()
        error: str | None = None
        try:
            pool = await self._pool(deployed)
        except FunctionError as failure:
            return Outcome(failure.report, deployed.version, "Unhandled", str(failure).encode())
        try:
            answer = await pool.begin(invocation).result
        except FunctionError as failure:
            answer, error = failure.report, "Unhandled"
        await self._logged(invocation)
        telemetry.count(deployed, arn, failed=error is not None, seconds=time.monotonic() - started)
        tail = "".join(f"{line}\n" for line in invocation.log).encode()[-_TAIL:]
        return Outcome(answer, deployed.version, error, tail)

    def begin(self, deployed: Deployed, payload: bytes, arn: str) -> None:
        """Run a version with an event that nobody waits for; Lambda's two retries are left out."""
        self._keep(self.invoke(deployed, payload, arn))

    def retire(self, arn: str, version: str | None = None) -> None:
        """End the environments of a function, or of one version, as soon as they have done their work."""
        for key in [key for key in self._pools if key[0] == arn and version in (None, key[1])]:
            deployed, pool = self._pools.pop(key)
            self._draining[pool] = deployed
            self._keep(self._drain(pool))

    async def _pool(self, deployed: Deployed) -> EnvironmentPool:
        key = deployed.arn, deployed.version
        if key in self._pools and self._pools[key][0] == deployed:
            return self._pools[key][1]
        try:
            folder = await self._code.folder(deployed)
            runtime = await asyncio.to_thread(runtime_folder, folder)
        except (OSError, zipfile.BadZipFile) as error:
            raise FunctionError("Sandbox.CodeUnreadable", str(error)) from error
        if self._stopped:
            raise FunctionError("Sandbox.Stopped", "the AWS of this machine stopped")
        if not folder.is_dir():
            # Nothing else used it, and it was deleted meanwhile.
            return await self._pool(deployed)
        # Another request may have been faster meanwhile.
        if key in self._pools and self._pools[key][0] == deployed:
            return self._pools[key][1]
        self.retire(*key)
        function = Function(
            folder,
            runtime,
            deployed.handler,
            deployed.variables,
            deployed.timeout,
            deployed.memory_mb,
            deployed.name,
            deployed.version,
            deployed.region,
            deployed.account,
            deployed.log_group,
        )
        pool = EnvironmentPool(
            function,
            limit=_ENVIRONMENTS,
            idle_timeout=_IDLE_TIMEOUT,
            log=lambda stream, line: telemetry.write(deployed, stream, line),
            grant=lambda environment: self._grant(environment, deployed),
        )
        self._pools[key] = deployed, pool
        return pool

    async def _drain(self, pool: EnvironmentPool) -> None:
        await pool.drain()
        sha256 = self._draining.pop(pool).code_sha256
        used = (*(each for each, _ in self._pools.values()), *self._draining.values())
        if all(each.code_sha256 != sha256 for each in used):
            await self._code.forget(sha256)

    def _grant(self, environment: ExecutionEnvironment, deployed: Deployed) -> dict[str, str]:
        """Give an environment its own credentials, and the extension where the function has it."""
        token = secrets.token_urlsafe(64)
        if (mismatch := _mismatch(deployed)) is not None:
            telemetry.write(deployed, environment.log_stream, mismatch)
        return {
            "AWS_ACCESS_KEY_ID": f"ASIA{secrets.token_hex(8).upper()}",
            "AWS_SECRET_ACCESS_KEY": secrets.token_urlsafe(30),
            "AWS_SESSION_TOKEN": token,
            "AWS_ENDPOINT_URL": self._endpoint,
            **(self._extension.introduce(environment, deployed, token) if deployed.has_extension else {}),
        }

    async def _logged(self, invocation: Invocation) -> None:
        """Wait for the last lines of an invocation's log."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_LOG_PATIENCE):
                await invocation.reported.wait()

    def _keep(self, work: Coroutine[Any, Any, object]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


class FromThreads:
    """The runner and the URLs, for the threads in which moto answers.

    Args:
        runner: Runs functions.
        urls: Serves Function URLs.
        loop: In which both live.
    """

    def __init__(self, runner: Runner, urls: FunctionUrls, loop: asyncio.AbstractEventLoop) -> None:
        """Ask nothing yet."""
        self._runner = runner
        self._urls = urls
        self._loop = loop

    def invoke(self, deployed: Deployed, payload: bytes, arn: str, *, wait: bool) -> Outcome | None:
        """Run a version; return what came of it, or `None` at once.

        The loop itself never waits: a function's log events may be another one's events.
        """
        if not wait or self._is_own_thread():
            self._loop.call_soon_threadsafe(self._runner.begin, deployed, payload, arn)
            return None
        return self._ask(self._runner.invoke(deployed, payload, arn))

    def retire(self, arn: str, version: str | None = None) -> None:
        """End environments, without waiting for it."""
        self._loop.call_soon_threadsafe(self._runner.retire, arn, version)

    def open_url(self, backend: Lambda, config: UrlConfig) -> str:
        """Listen on a port of its own; return the URL, with a slash at the end."""
        return self._ask(self._urls.open(backend, config))

    def close_url(self, config: UrlConfig) -> None:
        """Listen no more."""
        self._ask(self._urls.close(config))

    def _is_own_thread(self) -> bool:
        with contextlib.suppress(RuntimeError):
            return asyncio.get_running_loop() is self._loop
        return False

    def _ask(self, question: Coroutine[Any, Any, _T]) -> _T:
        return asyncio.run_coroutine_threadsafe(question, self._loop).result()


def _mismatch(deployed: Deployed) -> str | None:
    """Say where code was built for something else than runs it: the import errors that follow do not."""
    python = f"python{sys.version_info.major}.{sys.version_info.minor}"
    machine = {"aarch64": "arm64", "amd64": "x86_64"}.get(platform.machine().lower(), platform.machine())
    if deployed.built_for == (python, machine):
        return None
    return (
        f"Built for {' on '.join(deployed.built_for)}, run by {python} on {machine}: what is compiled in it "
        "cannot be imported here; `--local` packages for this machine"
    )
