"""Notices when a server of a running world ends by itself, and starts it again."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

from infra.local import processes

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable

    from infra.local.pooler import Pooler
    from infra.local.postgres import PostgresCluster
    from infra.local.world import Databases

#: Seconds between two looks.
_INTERVAL: Final = 0.5


async def revived(databases: Databases, warn: Callable[[str], None]) -> AsyncGenerator[None, None]:
    """Yield each time that a server which had ended runs again: on its old port, under a new pid.

    Its URLs stay what they are, so that whoever was given them need not know.

    Args:
        databases: What runs.
        warn: Is told, in one sentence, what ended.

    Raises:
        InfraError: It cannot be started again; the message says why.
    """
    servers: dict[str, PostgresCluster | Pooler] = {"PostgreSQL": databases.postgres}
    if databases.pooler:
        servers["PgBouncer"] = databases.pooler
    while True:
        await asyncio.sleep(_INTERVAL)
        for name, server in servers.items():
            if not processes.is_running(server.pid):
                warn(f"{name} (pid {server.pid}) ended by itself; starting it again")
                await asyncio.to_thread(server.restart)
                yield
