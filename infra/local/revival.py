"""Notices when the control plane of a running world ends by itself, and starts it again."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

from infra.local import control_plane, processes

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable
    from pathlib import Path

    from infra.local.control_plane import ControlPlane

#: Seconds between two looks.
_INTERVAL: Final = 0.5


async def revived(
    root: Path, running: ControlPlane, announce: Callable[[str], None]
) -> AsyncGenerator[ControlPlane, None]:
    """Yield the control plane each time that it had ended and runs again, under a new pid.

    Its branches keep their ports and so their URLs: whoever was given them need not know. Their
    servers need no revival of ours: the next connection starts them (`neon_api.compute`).

    Args:
        root: The project's folder.
        running: What runs.
        announce: Is told, in one sentence, what ended.

    Raises:
        InfraError: It cannot be started again; the message says why.
    """
    while True:
        await asyncio.sleep(_INTERVAL)
        if not processes.is_running(running.pid):
            announce(f"the control plane (pid {running.pid}) ended by itself; starting it again")
            running = await asyncio.to_thread(control_plane.ensure_running, root, announce=announce)
            yield running
