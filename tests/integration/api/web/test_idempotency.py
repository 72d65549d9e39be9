"""The header `Idempotency-Key`: a request that is sent again is carried out once."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING
from uuid import uuid4

import psycopg
import pytest

from tests.support.credits import balances, open_account, order, send
from tests.support.journeys import problem

if TYPE_CHECKING:
    from uuid import UUID

    import httpx2

    from tests.support.people import People, Person

pytestmark = pytest.mark.asyncio

WAITING = (
    " FROM pg_stat_activity WHERE datname = current_database() AND usename = 'bough_app'"
    " AND wait_event_type = 'Lock' AND query LIKE %s"
)
KEY = "8e03978e-40d5-43e8-bc93-6894a57f9324"


@pytest.fixture
def ada(people: People) -> Person:
    """The one who sends."""
    return people.add()


@pytest.fixture
def pair(people: People, ada: Person) -> tuple[UUID, UUID]:
    """Two accounts of hers, the first with 10 credits."""
    return open_account(people, ada, "a", 10), open_account(people, ada, "b")


def is_replay(response: httpx2.Response) -> bool:
    return response.headers.get("idempotent-replayed") == "true"


class TestReplay:
    """The same key with the same request."""

    async def test_gets_the_first_response_and_does_nothing(
        self, client: httpx2.AsyncClient, people: People, ada: Person, pair: tuple[UUID, UUID]
    ) -> None:
        """Byte by byte; also when the request would be refused by now, for want of credits."""
        first = await send(client, ada, order(*pair, 10), KEY)
        again = await send(client, ada, order(*pair, 10), KEY)
        assert (first.status_code, is_replay(first)) == (201, False)
        assert (again.status_code, is_replay(again)) == (201, True)
        assert again.content == first.content
        assert again.headers["content-type"] == first.headers["content-type"] == "application/json"
        assert balances(people, *pair) == [0, 10]

    async def test_costs_two_statements_more_and_replays_with_fewer(
        self,
        client: httpx2.AsyncClient,
        ada: Person,
        pair: tuple[UUID, UUID],
        statement_counts: list[int],
    ) -> None:
        """Claiming the key and keeping the response; a replay claims in vain and reads."""
        for key in (None, KEY, KEY):
            await send(client, ada, order(*pair), key)
        assert statement_counts == [5, 7, 5]

    async def test_quotes_of_the_draft_are_no_part_of_the_key(
        self, client: httpx2.AsyncClient, ada: Person, pair: tuple[UUID, UUID]
    ) -> None:
        """Most clients in use send none."""
        await send(client, ada, order(*pair), KEY)
        assert is_replay(await send(client, ada, order(*pair), f'"{KEY}"'))

    async def test_key_is_its_users_own(
        self, client: httpx2.AsyncClient, people: People, ada: Person, pair: tuple[UUID, UUID]
    ) -> None:
        """Another's response cannot be fetched by guessing a key."""
        ben = people.add("ben")
        await send(client, ada, order(*pair), KEY)
        response = await send(client, ben, order(open_account(people, ben, "c", 1), pair[1]), KEY)
        assert (response.status_code, is_replay(response)) == (201, False)

    async def test_request_without_a_key_is_carried_out_each_time(
        self, client: httpx2.AsyncClient, people: People, ada: Person, pair: tuple[UUID, UUID]
    ) -> None:
        """Two equal transfers may both be meant."""
        for _ in range(2):
            await send(client, ada, order(*pair, 3))
        assert balances(people, *pair) == [4, 6]
        assert people.query("SELECT count(*) FROM idempotency_keys") == [(0,)]

    async def test_impossible_key_is_refused(
        self, client: httpx2.AsyncClient, people: People, ada: Person, pair: tuple[UUID, UUID]
    ) -> None:
        """Nothing is done under a key that could not be recognised."""
        for key in ("", '""', "x" * 256, "a b", '"a', 'a"b', "a\\b", "é"):
            headers = [(name.encode(), value.encode()) for name, value in ada.headers.items()]
            headers.append((b"Idempotency-Key", key.encode()))
            response = await client.post("/credits/transfers", json=order(*pair), headers=headers)
            assert problem(response) == (422, "VALIDATION_FAILED"), key
        assert balances(people, *pair) == [10, 0]


class TestReuse:
    """The same key with another request."""

    async def test_is_refused(
        self, client: httpx2.AsyncClient, people: People, ada: Person, pair: tuple[UUID, UUID]
    ) -> None:
        """Another body, another route, another order of the same two accounts."""
        await send(client, ada, order(*pair), KEY)
        headers = ada.headers | {"Idempotency-Key": KEY}
        batch = {"transfers": [order(*pair)]}
        for response in (
            await send(client, ada, order(*pair, 2), KEY),
            await send(client, ada, order(*reversed(pair)), KEY),
            await client.post("/credits/transfers?x=1", json=order(*pair), headers=headers),
            await client.post("/credits/transfers/batch", json=batch, headers=headers),
        ):
            assert problem(response) == (422, "IDEMPOTENCY_KEY_REUSED")
            assert "create_transfer" in response.json()["detail"]
        assert balances(people, *pair) == [9, 1]


class TestErrors:
    """What changed nothing is not stored."""

    async def test_refused_request_may_be_sent_again(
        self, client: httpx2.AsyncClient, people: People, ada: Person, pair: tuple[UUID, UUID]
    ) -> None:
        """With the same key, once there are credits, or corrected."""
        assert problem(await send(client, ada, order(*pair, 11), KEY)) == (409, "INSUFFICIENT_CREDITS")
        assert people.query("SELECT count(*) FROM idempotency_keys") == [(0,)]
        response = await send(client, ada, order(*pair, 10), KEY)
        assert (response.status_code, is_replay(response)) == (201, False)


class TestConcurrentRequests:
    """The same key, sent again before the first answer."""

    async def test_all_get_the_one_response(
        self, client: httpx2.AsyncClient, people: People, ada: Person, pair: tuple[UUID, UUID]
    ) -> None:
        """One carries it out, the others wait for it."""
        responses = await asyncio.gather(*(send(client, ada, order(*pair), KEY) for _ in range(8)))
        assert [response.status_code for response in responses] == [201] * 8
        assert len({response.content for response in responses}) == 1
        assert sorted(map(is_replay, responses)) == [False] + [True] * 7
        assert balances(people, *pair) == [9, 1]

    @pytest.mark.parametrize("first_commits", [True, False])
    async def test_second_waits_for_the_first(
        self,
        client: httpx2.AsyncClient,
        people: People,
        ada: Person,
        pair: tuple[UUID, UUID],
        first_commits: bool,  # noqa: FBT001  a parameter of the test
    ) -> None:
        """It replays what was committed, and runs where that was rolled back."""
        with (
            psycopg.connect(people.database.direct.libpq()) as holder,
            psycopg.connect(people.database.superuser.libpq(), autocommit=True) as administrator,
        ):
            holder.execute("SELECT FROM accounts WHERE id = %s FOR UPDATE", (pair[0],))
            one = asyncio.create_task(send(client, ada, order(*pair), KEY))
            await until_waiting(administrator, "SELECT accounts.id")
            two = asyncio.create_task(send(client, ada, order(*pair), KEY))
            await until_waiting(administrator, "INSERT INTO idempotency_keys")
            if not first_commits:
                administrator.execute(
                    "SELECT pg_terminate_backend(pid)" + WAITING, ["%*/ SELECT accounts.id%"]
                )
                await one
            holder.rollback()
            statuses = [response.status_code for response in await asyncio.gather(one, two)]
        assert statuses == [201 if first_commits else 503, 201]
        assert is_replay(two.result()) == first_commits
        assert balances(people, *pair) == [9, 1]

    async def test_wait_ends_with_the_lock_timeout(
        self,
        client: httpx2.AsyncClient,
        people: People,
        ada: Person,
        pair: tuple[UUID, UUID],
    ) -> None:
        """503 and when to come back: the first one may still be at it."""
        with (
            psycopg.connect(people.database.superuser.libpq(), autocommit=True) as administrator,
            psycopg.connect(people.database.direct.libpq()) as first,
        ):
            administrator.execute(
                f"ALTER ROLE bough_app IN DATABASE {people.database.name} SET lock_timeout = '200ms'"
            )
            first.execute(
                "INSERT INTO idempotency_keys VALUES (%s, %s, 'create_transfer', '', 201)", (ada.id, KEY)
            )
            response = await send(client, ada, order(*pair), KEY)
        assert problem(response) == (503, "LOCK_TIMEOUT")
        assert response.headers["retry-after"] == "1"


class TestExpiry:
    """Keys older than a day."""

    async def test_later_writes_clear_them_away(
        self, client: httpx2.AsyncClient, people: People, ada: Person, pair: tuple[UUID, UUID]
    ) -> None:
        """Ten at a time; younger ones stay."""
        people.query(
            "INSERT INTO idempotency_keys SELECT %s, n::text, 'x', '', 201, '',"
            " now() - n * interval '2 hours' FROM generate_series(1, 26) n",
            ada.id,
        )
        left = []
        for _ in range(3):
            await send(client, ada, order(*pair), str(uuid4()))
            left += people.query("SELECT count(*) FROM idempotency_keys WHERE operation = 'x'")
        assert left == [(16,), (11,), (11,)]

    async def test_expired_key_serves_again_once_cleared(
        self, client: httpx2.AsyncClient, people: People, ada: Person, pair: tuple[UUID, UUID]
    ) -> None:
        """A day later it is a new request."""
        await send(client, ada, order(*pair), KEY)
        people.query("UPDATE idempotency_keys SET created_at = now() - interval '25 hours'")
        await send(client, ada, order(*pair), str(uuid4()))
        response = await send(client, ada, order(*pair, 2), KEY)
        assert (response.status_code, is_replay(response)) == (201, False)


async def until_waiting(administrator: psycopg.Connection, beginning: str) -> None:
    """Wait until a statement that begins so waits for a lock."""
    async with asyncio.timeout(5):
        while not administrator.execute("SELECT" + WAITING, [f"%*/ {beginning}%"]).fetchall():  # noqa: ASYNC110
            await asyncio.sleep(0.01)
