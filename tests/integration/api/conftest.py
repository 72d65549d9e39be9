"""The app, in this process, on a migrated database of the test's own behind the real pooler."""

from __future__ import annotations

import logging
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import httpx2
import pytest
import pytest_asyncio

from api.app import create_app
from api.auth import passwords
from infra.testing.lazy_loads import lazy_loads_refused
from tests.support.people import People, hashed_password

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator

    from fastapi import FastAPI
    from starlette.types import Message, Receive, Scope, Send

    from infra.testing.databases import Database

#: Where the requests come from (RFC 5737: an address for documentation).
ADDRESS = "192.0.2.7"

Client = httpx2.AsyncClient


@lru_cache(maxsize=1)
def declared_responses() -> dict[str, dict[str, Any]]:
    """Return the responses of each operation; making the document takes longer than most tests."""
    return {
        operation["operationId"]: operation["responses"]
        for path in create_app().openapi()["paths"].values()
        for operation in path.values()
    }


class Watched:
    """The app, which must not load lazily, answer what its OpenAPI document has not, or show a hash."""

    def __init__(self, app: FastAPI) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        status, body = 0, b""

        async def watch(message: Message) -> None:
            nonlocal status, body
            status = message.get("status", status)
            body += message.get("body", b"")
            await send(message)

        with lazy_loads_refused():
            await self.app(scope, receive, watch)
        responses = declared_responses().get(getattr(scope.get("route"), "unique_id", ""))
        assert responses is None or status >= 500 or str(status) in responses, (scope["path"], status)
        assert b'"hashed_password"' not in body
        assert b"$argon2" not in body


@pytest.fixture
def app(app: FastAPI, monkeypatch: pytest.MonkeyPatch) -> Iterator[FastAPI]:
    """An app of the test's own, which may add routes, in the environment of the toolkit's."""
    # Argon2 at its cheapest: logins by the hundred. Its real parameters are a unit test's matter.
    for parameter, value in {"_PASSES": 1, "_MEMORY_KIB": 8, "_LANES": 1}.items():
        monkeypatch.setattr(passwords, parameter, value)
    passwords._hasher.cache_clear()
    # It may have been made with the real ones: then each login would hash once more.
    hashed_password.cache_clear()
    yield create_app()
    passwords._hasher.cache_clear()


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
