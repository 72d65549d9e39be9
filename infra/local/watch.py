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


Snapshot = dict[str, tuple[int, int]]


async def changes(project: Project, before: Snapshot, interval: float = 0.5) -> AsyncGenerator[None, None]:
    """Yield each time that the project's own files, its lock or its revisions have changed.

    Looks every `interval` seconds at sizes and times: a system's own notifications differ on every
    platform and do not cross into containers. `before` was taken ahead of packaging, so that what
    was saved meanwhile counts.
    """
    while True:
        now = await asyncio.to_thread(snapshot, project)
        if now != before:
            before = now
            yield
        await asyncio.sleep(interval)


def snapshot(project: Project) -> Snapshot:
    """Return when each file was changed last, and its size; whatever is being replaced is left out."""
    found = {}
    # A package that is being renamed, a folder that has just gone: building says what is wrong.
    with suppress(InfraError, OSError):
        files = [project.root / "uv.lock", *sources.own_files(project).values()]
        files += (project.root / project.migrations / "versions").glob("*.py")
        for path in files:
            with suppress(OSError):
                status = path.stat()
                found[str(path)] = (status.st_mtime_ns, status.st_size)
    return found
