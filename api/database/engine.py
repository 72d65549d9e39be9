"""The engine: one per execution environment, made when first asked for, with a pool of one.

A Lambda environment serves one request at a time, so one connection is enough; more would only
spend the pooler's. A connection that idled longer than a threshold is dropped and replaced without
being asked whether it lives: a ping costs 4 round trips on every request and hangs 14 s on a socket
that died silently during a freeze (`docs/decisions/0002-connections.md`).
"""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import event, exc
from sqlalchemy.dialects import registry
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from sqlalchemy.pool import AsyncAdaptedQueuePool

from api.database.errors import PoolExhaustedError
from api.database.statistics import count
from api.database.target import TargetConnector
from api.database.timeouts import Timeouts
from api.database.translation import translate

if TYPE_CHECKING:
    from collections.abc import Callable

    from sqlalchemy.pool import ConnectionPoolEntry

    from api.database.connection_url import ConnectionUrl
    from api.database.dialect import Connection
    from api.database.target import Target

#: Seconds after which a pooled connection is replaced whatever its use.
RECYCLE: Final = 300
#: Seconds of idleness after which a pooled connection is replaced: what a freeze leaves behind.
IDLE_THRESHOLD: Final = 30.0
#: Seconds that a checkout waits for the pool's one connection. In a Lambda nobody else holds it: a
#: wait means a request that waits for itself.
POOL_TIMEOUT: Final = 5.0

registry.register("postgresql.bough", "api.database.dialect", "Dialect")

_engine: AsyncEngine | None = None


class _Pool(AsyncAdaptedQueuePool):
    """SQLAlchemy's pool, whose waits are counted and whose time-out is translated."""

    def connect(self) -> Any:
        if self.checkedout() >= self.size():
            count(pool_waits=1)
        try:
            return super().connect()
        except exc.TimeoutError as error:  # which never reaches `handle_error`
            message = f"no connection of the pool became free: {error}"
            raise PoolExhaustedError(message) from error


# SQLAlchemy names the pool's logger after its class: "Pool disposed" would be a line of the application.
logging.getLogger(f"{__name__}.{_Pool.__name__}").setLevel(logging.WARNING)


def make_engine(
    url: ConnectionUrl,
    *,
    timeouts: Timeouts | None = None,
    idle_threshold: float = IDLE_THRESHOLD,
    recycle: int = RECYCLE,
    pool_size: int = 1,
    pool_timeout: float = POOL_TIMEOUT,
    echo: bool = False,
    target: Target | None = None,
    clock: Callable[[], float] = time.time,
) -> AsyncEngine:
    """Make an engine; nothing connects yet.

    Args:
        url: Where to; pooled, or direct in tests and scripts.
        timeouts: The role's defaults, as provisioned.
        idle_threshold: Seconds of idleness after which a connection is replaced.
        recycle: Seconds of life after which a connection is replaced.
        pool_size: Connections at most.
        pool_timeout: Seconds to wait for one of them.
        echo: Log every statement.
        target: Is asked where to before each connection, where `url` may change while the engine lives.
        clock: Wall-clock seconds: unlike a monotonic clock it counts through a freeze.
    """
    sqlalchemy_url, connect_args = url.asyncpg()
    engine = create_async_engine(
        sqlalchemy_url.set(drivername="postgresql+bough"),
        connect_args=connect_args,
        role_timeouts=timeouts or Timeouts(),
        connector=TargetConnector(target) if target else None,
        poolclass=_Pool,
        pool_size=pool_size,
        max_overflow=0,
        pool_timeout=pool_timeout,
        pool_recycle=recycle,
        pool_use_lifo=True,
        echo=echo,
        hide_parameters=True,
    )
    event.listen(engine.sync_engine, "handle_error", translate)
    _replace_idle(engine, idle_threshold, clock)
    return engine


def _replace_idle(engine: AsyncEngine, threshold: float, clock: Callable[[], float]) -> None:
    """Drop a pooled connection at checkout when it idled too long or is known to be closed."""

    def checkin(_: Any, record: ConnectionPoolEntry) -> None:
        record.info["idle_since"] = clock()

    def checkout(connection: Connection, record: ConnectionPoolEntry, _: Any) -> None:
        since = record.info.pop("idle_since", None)
        if since is None:
            return
        # A clock set back counts as too long: how long it idled is then unknown.
        if connection.is_closed() or not 0 <= clock() - since <= threshold:
            raise exc.DisconnectionError
        connection.checked_out()

    event.listen(engine.sync_engine, "checkin", checkin)
    event.listen(engine.sync_engine, "checkout", checkout)


def get_engine() -> AsyncEngine:
    """Return the environment's engine, made from the settings when first asked for."""
    global _engine  # noqa: PLW0603  one per execution environment, as the pool is
    if _engine is None:
        from api.settings import get_settings  # noqa: PLC0415  settings need DATABASE_URL; importing must not

        settings = get_settings()
        _engine = make_engine(
            settings.database_url,
            timeouts=settings.timeouts,
            idle_threshold=settings.idle_threshold,
            recycle=settings.pool_recycle,
            pool_size=settings.pool_size,
            pool_timeout=settings.pool_timeout,
            echo=settings.echo,
            target=_database_url,
        )
    return _engine


def _database_url(*, refused: bool) -> ConnectionUrl:
    """Return the settings' URL, whose secret is read again when it is old or was refused."""
    from api.settings import get_settings, renew_settings  # noqa: PLC0415  see above

    if refused:
        renew_settings(older_than=0.0)
    else:
        renew_settings()
    return get_settings().database_url


async def dispose() -> None:
    """Drop every connection; the next request makes a new engine. Runs before a SnapStart snapshot."""
    global _engine
    if _engine is not None:
        engine, _engine = _engine, None
        await engine.dispose()
