"""Notices when the files that an artifact is built from change."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING

from infra.aws import sources
from infra.errors import InfraError

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from infra.config import Project


async def changes(project: Project, interval: float = 0.5) -> AsyncGenerator[None, None]:
    """Yield each time that the project's own files, its lock or its revisions have changed.

    Looks every `interval` seconds at sizes and times: a system's own notifications differ on every
    platform and do not cross into containers.
    """
    before = await asyncio.to_thread(_snapshot, project)
    while True:
        await asyncio.sleep(interval)
        now = await asyncio.to_thread(_snapshot, project)
        if now != before:
            before = now
            yield


def _snapshot(project: Project) -> dict[str, tuple[int, int]]:
    found = {}
    with suppress(InfraError):  # a package that is being renamed; building says what is wrong
        files = [project.root / "uv.lock", *sources.own_files(project).values()]
        files += (project.root / project.migrations / "versions").glob("*.py")
        for path in files:
            with suppress(FileNotFoundError):  # an editor that replaces the file just now
                status = path.stat()
                found[str(path)] = (status.st_mtime_ns, status.st_size)
    return found
