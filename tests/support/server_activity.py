"""What the application role runs on the server, as the superuser sees it."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import psycopg


async def wait_until_idle(administrator: psycopg.Connection, within: float = 2.0) -> None:
    """Wait until the application role runs nothing in the database; fail when it still does."""
    end = time.monotonic() + within
    running = "SELECT query FROM pg_stat_activity WHERE usename = 'bough_app' AND state <> 'idle'"
    while left := administrator.execute(f"{running} AND datname = current_database()").fetchall():
        assert time.monotonic() < end, left
        await asyncio.sleep(0.02)
