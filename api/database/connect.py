"""Open one asyncpg connection: within a limit and the deadline, without caches, errors translated."""

from __future__ import annotations

import os
import time
from typing import Any, Final

import asyncpg

from api.database.errors import DatabaseUnavailableError
from api.database.statistics import statistics
from api.database.timeouts import remaining
from api.database.translation import translate_connect_error

#: Seconds that a connection attempt may take at most; `connect_timeout` in the URL may shorten it.
CONNECT_TIMEOUT: Final = 10.0
#: PostgreSQL keeps this many characters of a name (`NAMEDATALEN` less one).
_LONGEST_NAME: Final = 63


async def connect(arguments: dict[str, Any]) -> Any:
    """Return an open `asyncpg.Connection`.

    Args:
        arguments: `asyncpg.connect`'s; its `timeout` in seconds.

    Raises:
        DatabaseUnavailableError: Refused, unreachable, not in time, or no time left.
        DatabaseAuthenticationError: Wrong user or password.
    """
    limit = min(arguments.get("timeout") or CONNECT_TIMEOUT, CONNECT_TIMEOUT)
    left = remaining()
    if left is not None:
        limit = min(limit, left)
    if limit <= 0:
        raise DatabaseUnavailableError("no time was left of the invocation to connect")
    counters = statistics.get()
    started = time.perf_counter()
    try:
        # Statements stay unnamed with the cache off (asyncpg 0.31): the only setting that lost no
        # request behind a transaction-mode pooler, nor after a column changed its type.
        return await asyncpg.connect(
            **{
                **arguments,
                "server_settings": {**_own_name(), **arguments.get("server_settings", {})},
                "timeout": limit,
                "statement_cache_size": 0,
            }
        )
    except (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
        raise translate_connect_error(error, limit) from error
    finally:
        if counters:
            counters.connections += 1
            counters.seconds += time.perf_counter() - started


def _own_name() -> dict[str, str]:
    """Return what a connection calls itself in Lambda: the function and its version; a name in the URL wins.

    PgBouncer and Neon's proxy pass it on, Supavisor drops it. No more is in it, because PgBouncer tells a
    backend whenever its next client is called otherwise: environments of one version are called alike.
    """
    name = os.environ.get("AWS_LAMBDA_FUNCTION_NAME")
    if not name:
        return {}
    version = f":{os.environ.get('AWS_LAMBDA_FUNCTION_VERSION', '')}"
    return {"application_name": name[: _LONGEST_NAME - len(version)] + version}
