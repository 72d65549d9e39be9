"""One branch's compute: its data, its PostgreSQL and PgBouncer, and the two ports that never change."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from api.database.connection_url import DirectUrl


class Compute:
    """A branch's data folder with the servers over it. Methods run on the control plane's event loop.

    Public ports belong to the control plane as long as it runs: a connection to them starts the
    servers when they are suspended, and waits until they answer.
    """

    def __init__(self, folder: Path, identity: Mapping[str, str]) -> None:
        """Know the folder; nothing runs and nothing is made yet.

        Args:
            folder: The branch's own, below the control plane's.
            identity: `neon.project_id`, `neon.branch_id`, `neon.endpoint_id`: what the server says
                of itself, given on its command line because data is copied.
        """
        raise NotImplementedError

    async def create(self) -> None:
        """Make the data of a root branch: a new cluster with the role `neon_superuser`; again is harmless."""
        raise NotImplementedError

    async def copy(self, parent: Compute) -> None:
        """Make the data by online copy of the serving parent; what a killed copy left is replaced."""
        raise NotImplementedError

    async def copy_schema(self, parent: Compute) -> None:
        """Make the data of a schema-only branch: the parent's roles, databases and schemas, no rows."""
        raise NotImplementedError

    async def listen(self, direct_port: int | None, pooled_port: int | None) -> tuple[int, int]:
        """Open the public ports, these or free ones; return them.

        Raises:
            PortInUseError: Something else listens on one.
        """
        raise NotImplementedError

    async def start(self) -> None:
        """Run PostgreSQL and PgBouncer; those that a killed control plane left are taken over."""
        raise NotImplementedError

    async def suspend(self) -> None:
        """Cut all connections and end the servers; the ports stay open."""
        raise NotImplementedError

    async def close(self) -> None:
        """Suspend and close the ports."""
        raise NotImplementedError

    async def remove(self) -> None:
        """Close, and delete the data."""
        raise NotImplementedError

    @property
    def is_running(self) -> bool:
        """Whether the servers run."""
        raise NotImplementedError

    async def idle_seconds(self) -> float | None:
        """Return the seconds since a client last was active, `None` when one is or nothing runs."""
        raise NotImplementedError

    def superuser_url(self, database: str = "postgres") -> DirectUrl:
        """Return the superuser's URL past the public ports; the servers must run."""
        raise NotImplementedError
