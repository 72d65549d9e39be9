"""The running request's id, in a comment before each statement that it sends.

So `pg_stat_activity` and the server's log of slow statements name the request, behind any pooler and without
a round trip: `application_name` belongs to a connection, which a pooler gives to one client after the other.
Before the statement and not after it, because `pg_stat_activity` cuts long ones off. `pg_stat_statements`
does not count statements apart for it: it compares their parse trees.
"""

from __future__ import annotations

import re
from contextvars import ContextVar
from typing import Final

#: The id; `None` outside a request.
request_id: ContextVar[str | None] = ContextVar("request_id", default=None)

#: What cannot end the comment. Whoever sets the id checks it as well.
_PLAIN: Final = re.compile(r"[A-Za-z0-9._:-]{1,128}")


def with_request_id(statement: str) -> str:
    """Return the statement, after a comment in sqlcommenter's form where a request runs."""
    identity = request_id.get()
    if identity is None or not _PLAIN.fullmatch(identity):
        return statement
    return f"/*request_id='{identity}'*/ {statement}"
