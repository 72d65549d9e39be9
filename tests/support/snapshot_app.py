"""An application that does before its snapshot what must not outlive it: connects, and seeds `random`."""

from __future__ import annotations

import asyncio
import random
from typing import TYPE_CHECKING

from sqlalchemy import text

from api.database.session import read
from tests.support import probe_app

if TYPE_CHECKING:
    from starlette.types import Send

app = probe_app.app


async def _connect() -> int:
    async with read() as session:
        return int((await session.execute(text("SELECT pg_backend_pid()"))).scalar_one())


async def _ask(send: Send) -> None:
    await probe_app.reply(send, str(await _connect()).encode())


probe_app.ANSWERS["/backend"] = _ask
print("connected as", asyncio.get_event_loop().run_until_complete(_connect()), flush=True)  # noqa: T201
random.seed(7)
