"""What a key costs on the wire, and what it is for: a connection that ends under COMMIT."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import TYPE_CHECKING, Any, TypeAlias

import pytest
import pytest_asyncio
from sqlalchemy import event

from api.database import engine as engine_module
from api.database.engine import get_engine, make_engine
from tests.support.credits import audited_total, balances, open_account, order, send
from tests.support.journeys import problem
from tests.support.people import Person
from tests.support.tcp_proxy import TcpProxy

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable
    from uuid import UUID

    import httpx2
    from fastapi import FastAPI

    from infra.testing.databases import Database
    from tests.support.people import People

Transfer: TypeAlias = "Callable[[str | None], Awaitable[httpx2.Response]]"

pytestmark = pytest.mark.asyncio

KEY = "8e03978e-40d5-43e8-bc93-6894a57f9324"
#: Half a second for each transfer, at COMMIT.
SLOW_COMMIT = """
    CREATE FUNCTION pause() RETURNS trigger LANGUAGE plpgsql AS
        $$ BEGIN PERFORM pg_sleep(0.5); RETURN NULL; END $$;
    CREATE CONSTRAINT TRIGGER pause AFTER INSERT ON transfers
        DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION pause();
"""


@pytest_asyncio.fixture
async def proxy(app: FastAPI, database: Database, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[TcpProxy]:
    """A proxy between the app and the pooler."""
    with TcpProxy(database.pooled.port) as proxy:
        engine = make_engine(database.pooled.replace(port=proxy.port))
        monkeypatch.setattr(engine_module, "_engine", engine)
        yield proxy
        proxy.thaw()
        await engine.dispose()


@pytest.fixture
def pair(people: People) -> tuple[UUID, UUID]:
    """Two accounts of one user, the first with 10 credits."""
    ada = people.add()
    return open_account(people, ada, "a", 10), open_account(people, ada, "b")


@pytest.fixture
def transfer(client: httpx2.AsyncClient, people: People, pair: tuple[UUID, UUID]) -> Transfer:
    """Move one credit, with a key or without."""
    [(ada,)] = people.query("SELECT id FROM users")
    return partial(send, client, Person(ada, "", ""), order(*pair))


class TestRoundTrips:
    """One transfer, through the pooler."""

    async def test_key_costs_two_statements_of_two(self, proxy: TcpProxy, transfer: Transfer) -> None:
        """Eight without: the user, BEGIN, the locks, the move, COMMIT. A replay is as cheap."""
        await transfer(None)
        counted = []
        for key in (None, KEY, KEY):
            proxy.reset()
            assert (await transfer(key)).status_code == 201
            counted.append(proxy.round_trips)
        assert counted == [8, 12, 8]


class TestLostCommit:
    """The connection ends while COMMIT is on its way, or while it is carried out."""

    @pytest.mark.parametrize("took_effect", [False, True])
    async def test_same_request_again_gets_the_truth(
        self,
        proxy: TcpProxy,
        people: People,
        transfer: Transfer,
        pair: tuple[UUID, UUID],
        took_effect: bool,  # noqa: FBT001  a parameter of the test
    ) -> None:
        """The first answer says that it does not know; the second does, and it is done once."""
        await transfer(None)
        people.query(SLOW_COMMIT)

        def lose(_: Any) -> None:
            # Held back, COMMIT never arrives; let through, the server is at it when the connection ends.
            if not took_effect:
                proxy.freeze(existing_only=True)
            asyncio.get_running_loop().call_later(0.1, proxy.cut)

        event.listen(get_engine().sync_engine, "commit", lose, once=True)
        first = await transfer(KEY)
        assert problem(first) == (503, "COMMIT_UNCERTAIN")
        second = await transfer(KEY)
        assert second.status_code == 201
        assert ("idempotent-replayed" in second.headers) == took_effect
        assert balances(people, *pair) == [8, 2]
        assert audited_total(people) == 10
