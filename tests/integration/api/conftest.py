"""The app, in this process, on a migrated database of the test's own behind the real pooler."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import httpx2
import pytest
import pytest_asyncio

from api.app import create_app
from api.auth import passwords
from api.database.engine import dispose
from api.settings import get_settings
from tests.support.people import People

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator

    from fastapi import FastAPI
    from starlette.types import Message, Receive, Scope, Send

    from infra.testing.databases import Database

#: Where the requests come from (RFC 5737: an address for documentation).
ADDRESS = "192.0.2.7"

Client = httpx2.AsyncClient


class Watched:
    """The app, whose every response must be declared by its OpenAPI document and show no hash."""

    def __init__(self, app: FastAPI) -> None:
        self.app = app
        self.operations = {
            operation["operationId"]: operation["responses"]
            for path in app.openapi()["paths"].values()
            for operation in path.values()
        }

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        status, body = 0, b""

        async def watch(message: Message) -> None:
            nonlocal status, body
            status = message.get("status", status)
            body += message.get("body", b"")
            await send(message)

        await self.app(scope, receive, watch)
        responses = self.operations.get(getattr(scope.get("route"), "unique_id", ""))
        assert responses is None or status >= 500 or str(status) in responses, (scope["path"], status)
        assert b'"hashed_password"' not in body
        assert b"$argon2" not in body


@pytest_asyncio.fixture
async def app(database: Database, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[FastAPI]:
    """The app with its settings from the environment, as everywhere."""
    monkeypatch.setenv("DATABASE_URL", database.pooled.libpq())
    monkeypatch.setenv("BOUGH_ENVIRONMENT", "test")
    monkeypatch.setenv("AUTH_SECRET", "0123456789abcdef" * 4)
    # More than in a Lambda: here several requests run at once in one process.
    monkeypatch.setenv("BOUGH_POOL_SIZE", "4")
    # Argon2 at its cheapest: logins by the hundred. Its real parameters are a unit test's matter.
    for parameter, value in {"_PASSES": 1, "_MEMORY_KIB": 8, "_LANES": 1}.items():
        monkeypatch.setattr(passwords, parameter, value)
    passwords._hasher.cache_clear()
    get_settings.cache_clear()
    yield create_app()
    await dispose()
    passwords._hasher.cache_clear()
    get_settings.cache_clear()


@pytest_asyncio.fixture
async def make_client(app: FastAPI) -> AsyncIterator[Callable[[str], Client]]:
    """Make clients at addresses."""
    clients: list[Client] = []

    def make(address: str) -> Client:
        transport = httpx2.ASGITransport(Watched(app), client=(address, 50000))
        clients.append(Client(transport=transport, base_url="http://test"))
        return clients[-1]

    yield make
    for client in clients:
        await client.aclose()


@pytest.fixture
def client(make_client: Callable[[str], Client]) -> Client:
    """A client; server errors come back as responses."""
    return make_client(ADDRESS)


@pytest.fixture
def people(app: FastAPI, database: Database) -> People:
    """The users of the app's database."""
    return People(database)


@pytest.fixture
def statement_counts() -> Iterator[list[int]]:
    """The number of statements of each request so far, as the access log has it."""
    counts: list[int] = []

    class Counting(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            counts.append(vars(record)["database_statements"])

    handler = Counting()
    logger = logging.getLogger("api.access")
    logger.addHandler(handler)
    yield counts
    logger.removeHandler(handler)
