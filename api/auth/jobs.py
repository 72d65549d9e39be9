"""Jobs of logins."""

from __future__ import annotations

from pydantic import BaseModel, PositiveInt

from api.auth import repository
from api.auth.throttle import WINDOW
from api.database.session import WriteSession  # noqa: TC001  jobs' annotations are read at run time
from api.web import idempotency_keys


class Purge(BaseModel):
    """What to clear away: so many rows of each table at once, so that no transaction is a long one."""

    rows: PositiveInt = 1000


async def purge(session: WriteSession, message: Purge) -> None:
    """Delete what has expired: logins, counts of attempts, idempotency keys.

    Requests clear some of it away as they go; this is for what no request comes by any more.
    """
    await repository.delete_expired_families(session, message.rows)
    await repository.delete_old_attempts(session, WINDOW, message.rows)
    await idempotency_keys.delete_old(session, message.rows)
