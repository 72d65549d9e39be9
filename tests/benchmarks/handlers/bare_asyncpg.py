"""What a list costs without any framework: one asyncpg connection, one statement, JSON."""

from __future__ import annotations

import asyncio
import json
import os
from typing import Any

import asyncpg

STATEMENT, ARGUMENTS = json.loads(os.environ["STATEMENT"])

loop = asyncio.new_event_loop()
connection: asyncpg.Connection | None = None


async def answer() -> dict[str, Any]:
    """Run the statement and return its rows."""
    global connection  # noqa: PLW0603  one per execution environment
    if connection is None:
        connection = await asyncpg.connect(os.environ["DATABASE_URL"], statement_cache_size=0)
    rows = await connection.fetch(STATEMENT, *ARGUMENTS)
    body = json.dumps({"items": [dict(row) for row in rows]}, default=str)
    return {"statusCode": 200, "headers": {"content-type": "application/json"}, "body": body}


def handler(event: dict[str, Any], context: object) -> dict[str, Any]:
    """Answer whatever is asked."""
    return loop.run_until_complete(answer())
