"""Where an engine connects to when that may change while it lives: a rotated password."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

from api.database.connect import connect
from api.database.errors import DatabaseAuthenticationError, PoolerLoginError

if TYPE_CHECKING:
    from api.database.connection_url import ConnectionUrl


class Target(Protocol):
    """Says where to connect."""

    def __call__(self, *, refused: bool) -> ConnectionUrl:
        """Return the URL; `refused` tells that the database refused the password of the last one."""


class TargetConnector:
    """Opens connections to where a target says, asking it before each.

    Where the password is refused it asks once more, and what it answers then is tried in the same request.
    """

    def __init__(self, target: Target) -> None:
        """Ask nothing yet."""
        self._target = target
        self._known: tuple[ConnectionUrl, dict[str, Any]] | None = None

    async def __call__(self) -> Any:
        """Return an open `asyncpg.Connection`; raises as `connect` does."""
        tried = self._target(refused=False)
        try:
            return await connect(self._arguments(tried))
        except (DatabaseAuthenticationError, PoolerLoginError):
            renewed = self._target(refused=True)
            if renewed == tried:
                raise
        return await connect(self._arguments(renewed))

    def _arguments(self, url: ConnectionUrl) -> dict[str, Any]:
        """Return asyncpg's arguments; kept, because reading the CAs for TLS takes its time."""
        if self._known is None or self._known[0] != url:
            sqlalchemy_url, connect_args = url.asyncpg()
            self._known = url, {**sqlalchemy_url.translate_connect_args(username="user"), **connect_args}
        return self._known[1]
