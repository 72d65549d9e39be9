"""Small functions written for a test, and hosts that run them."""

from __future__ import annotations

import asyncio
import textwrap
import time
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import httpx2

from infra.local.function_host import FunctionHost

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from pathlib import Path


def write_function(folder: Path, body: str) -> Path:
    """Write an artifact whose module `function` is `body`; its handler is `function.handler`."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "function.py").write_text(textwrap.dedent(body))
    return folder


@dataclass(frozen=True)
class Served:
    """A running host, a client of it, and what it logged."""

    host: FunctionHost
    client: httpx2.AsyncClient
    log: list[str]

    async def until(self, condition: Callable[[], bool], seconds: float = 10.0) -> None:
        """Wait until something is so; fail when it is not within `seconds`."""
        end = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < end, "\n".join(self.log)
            await asyncio.sleep(0.01)

    def states(self) -> list[str]:
        """Return the environments' states."""
        return [str(environment.state) for environment in self.host.environments()]


@asynccontextmanager
async def served(artifact: Path, handler: str = "function.handler", **options: Any) -> AsyncIterator[Served]:
    """Serve an artifact while the block runs; `environment` and the host's options are keywords."""
    log: list[str] = []
    host = FunctionHost(artifact, handler, options.pop("environment", {}), log=log.append, **options)
    await host.start()
    try:
        limits = httpx2.Limits(max_connections=None)
        async with httpx2.AsyncClient(base_url=host.url, timeout=60, limits=limits) as client:
            yield Served(host, client, log)
    finally:
        await host.stop()
