"""How the server would run the statement that a repository sends."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import event

from api.database.engine import get_engine
from api.database.session import read, write

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from api.database.session import WriteSession


async def plan(send: Callable[[WriteSession], Awaitable[Any]]) -> str:
    """Return the plan of the one statement that `send` sends, a read or a write."""
    sent: list[tuple[str, Any]] = []

    def keep(_c: Any, _cursor: Any, statement: str, parameters: Any, _x: Any, _many: bool) -> None:  # noqa: FBT001
        sent.append((statement, parameters))

    engine = get_engine()
    event.listen(engine.sync_engine, "before_cursor_execute", keep)
    async with read() as session, write(session) as writer:
        await send(writer)
    event.remove(engine.sync_engine, "before_cursor_execute", keep)
    [(statement, parameters)] = sent
    async with engine.connect() as connection:
        rows = await connection.exec_driver_sql(f"EXPLAIN {statement}", parameters)
        return "\n".join(row[0] for row in rows)
