"""Are there enough connections for every execution environment at its busiest?"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from api.database.connection_url import Provider
from infra.doctor.checks import failed, ok, warning

if TYPE_CHECKING:
    from infra.doctor.checks import Finding
    from infra.doctor.target import Direct, Pooled

#: Neon's poolers take so many clients each (https://neon.com/docs/connect/connection-pooling).
_NEON_POOLER_CLIENTS: Final = 10_000


@dataclass(frozen=True, slots=True)
class Load:
    """What may connect at once.

    Args:
        functions: That use this database.
        concurrency: Execution environments of each: its reserved concurrency, or the account's.
        pool_size: Connections of each environment.
        pooler_clients: What the pooler takes; `None` where only the provider knows.
    """

    functions: int
    concurrency: int
    pool_size: int = 1
    pooler_clients: int | None = None

    @property
    def connections(self) -> int:
        """All of them at once."""
        return self.functions * self.concurrency * self.pool_size


def budget(pooled: Pooled, direct: Direct, load: Load) -> Finding:
    """Do all environments at once stay below what the pooler takes?"""
    with direct.connected() as connection:
        row = connection.execute(
            "SELECT current_setting('max_connections')::int"
            " - current_setting('superuser_reserved_connections')::int"
            " - coalesce(current_setting('reserved_connections', true), '0')::int"
        ).fetchone()
    server = row[0] if row else 0
    limit = load.pooler_clients or _known_limit(pooled)
    functions = "1 function" if load.functions == 1 else f"{load.functions} functions"
    parts = (
        f"{functions} of {load.concurrency} environments with a pool of {load.pool_size} make"
        f" {load.connections} connections"
    )
    behind = f"behind it the server runs at most {server} at once"
    if limit is None:
        return warning(
            f"{parts}; how many clients the pooler takes is not known; {behind}",
            "look it up at the provider and give it with --pooler-clients",
        )
    if load.connections > limit:
        most = limit // (load.functions * load.pool_size)
        return failed(
            f"{parts}, and the pooler takes only {limit}; {behind}",
            f"reserve a concurrency of at most {most} for each function",
        )
    return ok(f"{parts}, and the pooler takes {limit}; {behind}")


def _known_limit(pooled: Pooled) -> int | None:
    return _NEON_POOLER_CLIENTS if pooled.usable().provider is Provider.NEON else None
