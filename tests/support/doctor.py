"""Connection strings as the doctor reads them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from api.database.connection_url import ConnectionUrl, DirectUrl, PooledUrl
from infra.doctor.target import Target

if TYPE_CHECKING:
    from infra.doctor.target import Direct, Pooled


def pooled_target(url: ConnectionUrl) -> Pooled:
    """Return what a DATABASE_URL of this value is."""
    return Target.read(PooledUrl, "DATABASE_URL", url.libpq())


def direct_target(url: ConnectionUrl) -> Direct:
    """Return what a DATABASE_URL_UNPOOLED of this value is."""
    return Target.read(DirectUrl, "DATABASE_URL_UNPOOLED", url.libpq())
