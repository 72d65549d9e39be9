"""Branches' computes for tests: their ports opened, their clients, their end."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, Final

import psycopg

from infra.local.neon_api.compute import Compute

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

OWNER: Final = "bough_owner"
PASSWORD: Final = "owners-own"
DATABASE: Final = "app"

_PROJECT: Final = (
    f"CREATE ROLE {OWNER} LOGIN CREATEROLE CREATEDB BYPASSRLS IN ROLE neon_superuser PASSWORD '{PASSWORD}'",
    f"CREATE DATABASE {DATABASE} OWNER {OWNER}",
)


class Branch:
    """A compute with open ports.

    Attributes:
        folder: Its own.
        compute: It.
        direct: Its public port to PostgreSQL.
        pooled: Its public port to PgBouncer.
    """

    def __init__(self, folder: Path, compute: Compute, direct: int, pooled: int) -> None:
        self.folder = folder
        self.compute = compute
        self.direct = direct
        self.pooled = pooled

    def connect(self, port: int, **options: Any) -> Any:
        """Return an awaitable connection as the owner to the public port, in autocommit."""
        given = {"user": OWNER, "password": PASSWORD, "dbname": DATABASE, "sslmode": "disable"} | options
        return psycopg.AsyncConnection.connect(host="127.0.0.1", port=port, autocommit=True, **given)

    async def query(
        self, statement: str, *, port: int | None = None, **options: Any
    ) -> list[tuple[Any, ...]]:
        """Run a statement on a new connection, by default a direct one; return its rows."""
        async with await self.connect(port or self.direct, **options) as connection:
            cursor = await connection.execute(statement.encode())
            return await cursor.fetchall() if cursor.description else []


def compute(folder: Path) -> Compute:
    """Return the compute of a folder, whose name is in its identity."""
    names = {"project": "project", "branch": f"br-{folder.name}", "endpoint": f"ep-{folder.name}"}
    return Compute(folder, {f"neon.{kind}_id": name for kind, name in names.items()})


@asynccontextmanager
async def opened(folder: Path) -> AsyncIterator[Branch]:
    """Open the ports of a folder's compute, which is removed at the end."""
    it = compute(folder)
    try:
        yield Branch(folder, it, *await it.listen(None, None))
    finally:
        await it.remove()


@asynccontextmanager
async def root_branch(folder: Path) -> AsyncIterator[Branch]:
    """A new branch with an owner and a database, as a project's first one."""
    async with opened(folder) as branch:
        await branch.compute.create()
        await branch.compute.start()
        url = branch.compute.superuser_url().libpq()
        async with await psycopg.AsyncConnection.connect(url, autocommit=True) as connection:
            for statement in _PROJECT:
                await connection.execute(statement.encode())
        yield branch


@asynccontextmanager
async def child_branch(parent: Branch, folder: Path) -> AsyncIterator[Branch]:
    """An online copy of another."""
    async with opened(folder) as branch:
        await branch.compute.copy(parent.compute)
        yield branch
