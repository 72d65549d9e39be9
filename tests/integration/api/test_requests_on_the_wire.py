"""What whole requests cost on the wire, and what they survive: the app behind a proxy before the pooler."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import httpx2
import psycopg
import pytest
import pytest_asyncio
from sqlalchemy import text

from api.app import create_app
from api.database import engine as engine_module
from api.database.engine import dispose, make_engine
from api.database.session import ReadSessionDep, WriteSessionDep, write
from api.settings import get_settings
from tests.support.items import kill_backends
from tests.support.lambda_events import Context
from tests.support.samples import add_samples
from tests.support.server_activity import wait_until_idle
from tests.support.tcp_proxy import TcpProxy

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from fastapi import FastAPI

    from api.database.session import ReadSession
    from infra.local.pooler import Pooler
    from infra.testing.databases import Database
    from tests.support.people import People

#: Round trips of a read and of a write of each resource.
COSTS: Final[list[tuple[str, Any, int]]] = [
    ("GET /users/me", None, 4),
    ("PATCH /users/me/profile", {"bio": "Weaves."}, 6),
    ("GET /teams/{team_id}", None, 6),
    ("POST /teams", {"name": "Engineering"}, 6),
    ("GET /projects/{project_id}", None, 6),
    ("PATCH /projects/{project_id}", {"name": "Difference engine"}, 8),
    ("GET /projects/{project_id}/tasks", None, 4),
    ("POST /projects/{project_id}/tasks", {"title": "Weave"}, 10),
    ("GET /posts/{post_id}", None, 6),
    ("POST /posts", {"title": "Weaving", "body": ""}, 10),
    ("GET /tags", None, 2),
    ("GET /catalog/items/{sku}", None, 2),
    ("PUT /catalog/items/{sku}", {"name": "Shirt", "price": "1"}, 6),
    ("GET /credits/accounts/{account_id}/transfers", None, 4),
    ("POST /credits/accounts/{account_id}/deposits", {"amount": 1}, 6),
]


@dataclass
class Behind:
    """A client of the app, the proxy behind it, and the engine's clock."""

    client: httpx2.AsyncClient
    proxy: TcpProxy
    now: float = 1_000_000.0
    remaining_milliseconds: int = 35_000

    async def get(self, path: str) -> httpx2.Response:
        """Make a request."""
        return await self.client.get(path)


def _with_probe_routes(app: FastAPI) -> FastAPI:
    @app.get("/probe/read")
    async def read_probe(session: ReadSessionDep) -> int:
        return int((await session.execute(text("SELECT 1"))).scalar_one())

    @app.get("/probe/write")
    async def write_probe(session: WriteSessionDep) -> int:
        return int((await session.execute(text("SELECT 1"))).scalar_one())

    @app.get("/probe/sleep")
    async def sleep_probe(session: ReadSessionDep) -> None:
        await session.execute(text("SELECT pg_sleep(20)"))

    return app


@pytest_asyncio.fixture
async def behind(database: Database, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Behind]:
    """The app with its engine by way of a proxy, its invocations with 35 s to live."""
    monkeypatch.setenv("AUTH_SECRET", "0123456789abcdef" * 4)
    monkeypatch.setenv("BOUGH_ENVIRONMENT", "test")
    get_settings.cache_clear()
    app = _with_probe_routes(create_app())
    with TcpProxy(database.pooled.port) as proxy:

        async def invoked(scope: Any, receive: Any, send: Any) -> None:
            context = Context(remaining_milliseconds=made.remaining_milliseconds)
            await app({**scope, "aws.context": context}, receive, send)

        transport = httpx2.ASGITransport(invoked)
        async with httpx2.AsyncClient(transport=transport, base_url="http://test") as client:
            made = Behind(client, proxy)
            url = database.pooled.replace(port=proxy.port)
            monkeypatch.setattr(engine_module, "_engine", make_engine(url, clock=lambda: made.now))
            yield made
            proxy.thaw()
        await dispose()
    get_settings.cache_clear()


class TestRoundTrips:
    """Routes of one statement."""

    @pytest.mark.asyncio
    @pytest.mark.parametrize(
        ("path", "round_trips"), [("/probe/read", 2), ("/posts", 2), ("/probe/write", 4)]
    )
    async def test_warm_request_costs_only_its_statement(
        self, behind: Behind, path: str, round_trips: int
    ) -> None:
        """Two for a statement, two for a transaction around it."""
        await behind.get(path)
        behind.proxy.reset()
        assert (await behind.get(path)).status_code == 200
        assert behind.proxy.round_trips == round_trips

    @pytest.mark.asyncio
    async def test_each_resource_costs_what_it_did(
        self, behind: Behind, people: People, read_session: ReadSession
    ) -> None:
        """A read and a write of each: two for the user, two for each statement, two for a transaction."""
        admin = people.add(role="admin")
        async with write(read_session) as session:
            keys = await add_samples(session, admin.id, 3)
        await behind.get("/probe/read")
        found = {}
        for request, body, _ in COSTS:
            method, path = request.split()
            behind.proxy.reset()
            response = await behind.client.request(
                method, path.format(**keys), json=body, headers=admin.headers
            )
            assert response.is_success, (request, response.text)
            found[request] = behind.proxy.round_trips
        assert found == {request: round_trips for request, _, round_trips in COSTS}

    @pytest.mark.asyncio
    async def test_healthz_asks_nothing(self, behind: Behind) -> None:
        """The database is not woken up by a load balancer."""
        assert (await behind.get("/healthz")).status_code == 200
        assert behind.proxy.connections == 0


class TestFreeze:
    """The environment was frozen, and the connection died meanwhile."""

    @pytest.mark.asyncio
    @pytest.mark.parametrize("death", ["killed", "restarted", "silent"])
    async def test_first_request_after_it_succeeds_within_a_second(
        self, behind: Behind, database: Database, pooler: Pooler, death: str
    ) -> None:
        """Idle longer than the threshold: replaced without being asked."""
        await behind.get("/posts")
        if death == "killed":
            with psycopg.connect(database.superuser.libpq(), autocommit=True) as administrator:
                kill_backends(administrator)
        elif death == "restarted":
            pooler.restart()
        else:
            behind.proxy.freeze(existing_only=True)
        behind.now += 31
        async with asyncio.timeout(1):
            assert (await behind.get("/posts")).status_code == 200


class TestTimeout:
    """A statement that takes too long."""

    @pytest.mark.asyncio
    async def test_client_gets_a_problem_and_the_server_stops(
        self, behind: Behind, database: Database
    ) -> None:
        """504 with a stable code, before the invocation's end; nothing runs on."""
        behind.remaining_milliseconds = 1500
        response = await behind.get("/probe/sleep")
        assert response.status_code == 504
        assert response.headers["content-type"] == "application/problem+json"
        assert response.json()["code"] in {"STATEMENT_TIMEOUT", "DEADLINE_EXCEEDED"}
        with psycopg.connect(database.superuser.libpq(), autocommit=True) as administrator:
            await wait_until_idle(administrator)
        behind.remaining_milliseconds = 35_000
        assert (await behind.get("/probe/read")).status_code == 200
