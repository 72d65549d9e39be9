"""One client process of the load: requests one after the other, as an execution environment has them.

    DATABASE_URL=… python -m tests.benchmarks.load_client ours|seed REQUESTS

Every third request inserts a row too. Prints a JSON object: requests, acknowledged inserts, failures by kind.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections import Counter
from typing import TYPE_CHECKING

from sqlalchemy import text

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

READS = [
    text("SELECT id, note FROM load WHERE id = :id"),
    text("SELECT count(*) FROM load WHERE id < :id"),
    text("SELECT id, note, created_at FROM load WHERE id > :id ORDER BY id LIMIT 20"),
]
INSERT = text("INSERT INTO load (note) VALUES (:note)")


def ours() -> Callable[[int], Awaitable[None]]:
    """Return a request as this repository's routes make them."""
    from api.database.connection_url import PooledUrl
    from api.database.engine import make_engine
    from api.database.session import read, write
    from api.database.timeouts import Timeouts

    engine = make_engine(PooledUrl.parse(os.environ["DATABASE_URL"]))

    async def request(number: int) -> None:
        async with read(engine) as session:
            (await session.execute(READS[number % 3], {"id": number})).all()
            if number % 3 == 0:
                async with write(session, timeouts=Timeouts(statement=10)) as writer:
                    await writer.execute(INSERT, {"note": str(number)})

    return request


def seed() -> Callable[[int], Awaitable[None]]:
    """Return a request as the seed documents make them."""
    from seed_app.database import sessions  # type: ignore[import-not-found]  # on PYTHONPATH

    async def request(number: int) -> None:
        async with sessions() as session:
            (await session.execute(READS[number % 3], {"id": number})).all()
            if number % 3 == 0:
                await session.execute(INSERT, {"note": str(number)})
                await session.commit()

    return request


async def run(request: Callable[[int], Awaitable[None]], requests: int) -> dict[str, object]:
    """Make the requests; a failure is counted and the next one made."""
    failures: Counter[str] = Counter()
    inserted = 0
    for number in range(requests):
        try:
            await request(number)
        except Exception as error:  # noqa: BLE001  whatever a client would see
            cause = getattr(error, "orig", None) or error
            failures[type(cause.__cause__ or cause).__name__] += 1
        else:
            inserted += number % 3 == 0
    return {"requests": requests, "inserted": inserted, "failures": failures}


if __name__ == "__main__":
    made = {"ours": ours, "seed": seed}[sys.argv[1]]()
    print(json.dumps(asyncio.run(run(made, int(sys.argv[2])))))  # noqa: T201  its answer to the parent
