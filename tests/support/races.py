"""Two requests at once, of which one is halfway."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from api.database.session import read, write

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Coroutine

    import httpx2

    from api.database.session import WriteSession
    from tests.support.people import People


async def while_uncommitted(
    first: Callable[[WriteSession], Awaitable[Any]],
    second: Coroutine[Any, Any, httpx2.Response],
    people: People,
) -> httpx2.Response:
    """Return the answer to a request that comes while another's transaction has done all but commit."""
    async with read() as session, write(session) as writer:
        await first(writer)
        request = asyncio.create_task(second)
        for _ in range(500):
            if request.done() or people.query("SELECT pid FROM pg_locks WHERE NOT granted"):
                break
            await asyncio.sleep(0.01)
    return await request
