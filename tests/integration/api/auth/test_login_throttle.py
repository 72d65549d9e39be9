"""How many passwords may be tried, whatever the environment, the answer or the hurry."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from api.auth.throttle import ADDRESS_LIMIT, WINDOW, Keys, count_attempt, forgive, keys_of
from api.database.session import read, write
from tests.support.people import PASSWORD

if TYPE_CHECKING:
    from collections.abc import Callable

    import httpx2

    from tests.support.people import People

    MakeClient = Callable[[str], httpx2.AsyncClient]

pytestmark = pytest.mark.asyncio


async def guess(client: httpx2.AsyncClient, email: str, times: int = 1) -> list[int]:
    """Try wrong passwords, one after the other."""
    body = {"email": email, "password": "wrong"}
    return [(await client.post("/auth/login", json=body)).status_code for _ in range(times)]


async def count(keys: Keys, times: int = 1) -> int | None:
    """Count attempts as a login does, without the cost of a hash; return the last answer."""
    wait: int | None = None
    async with read() as session:
        for _ in range(times):
            async with write(session) as writer:
                wait = await count_attempt(writer, keys)
    return wait


class TestAccount:
    """The limit of an account."""

    @pytest.mark.parametrize("known", [True, False])
    async def test_sixth_attempt_is_refused_even_with_the_right_password(
        self, client: httpx2.AsyncClient, people: People, *, known: bool
    ) -> None:
        """Rejected requests were counted and committed; an unknown account behaves as a known one."""
        ada = people.add() if known else None
        email = ada.email if ada else "nobody@example.com"
        assert await guess(client, email, 5) == [401] * 5
        response = await client.post("/auth/login", json={"email": email, "password": PASSWORD})
        assert (response.status_code, response.json()["code"]) == (429, "TOO_MANY_ATTEMPTS")
        assert 0 < int(response.headers["retry-after"]) <= WINDOW.total_seconds()

    async def test_parallel_guesses_get_no_more_than_five(
        self, client: httpx2.AsyncClient, people: People
    ) -> None:
        """Counting first and looking later leaves no gap between them."""
        ada = people.add()
        answers = await asyncio.gather(*(guess(client, ada.email) for _ in range(12)))
        assert sorted(status for (status,) in answers) == [401] * 5 + [429] * 7

    async def test_limit_holds_across_addresses_and_cases(
        self, make_client: MakeClient, people: People
    ) -> None:
        """Neither another address nor another spelling is another account."""
        ada = people.add()
        for number in range(5):
            await guess(make_client(f"198.51.100.{number}"), ada.email)
        assert await guess(make_client("198.51.100.99"), ada.email.upper()) == [429]

    async def test_right_password_clears_the_count(self, client: httpx2.AsyncClient, people: People) -> None:
        """Who mistypes now and then is never locked out."""
        ada = people.add()
        for _ in range(2):
            assert await guess(client, ada.email, 4) == [401] * 4
            assert (await client.post("/auth/login", json=ada.credentials)).status_code == 200

    async def test_other_accounts_are_not_affected(self, client: httpx2.AsyncClient, people: People) -> None:
        """From the same address, below its own limit."""
        ada, ben = people.add("ada"), people.add("ben")
        await guess(client, ada.email, 6)
        assert (await client.post("/auth/login", json=ben.credentials)).status_code == 200

    async def test_window_ends(self, client: httpx2.AsyncClient, people: People) -> None:
        """Fifteen minutes after its first attempt, not after its last."""
        ada = people.add()
        await guess(client, ada.email, 6)
        people.query("UPDATE login_attempts SET window_started_at = window_started_at - %s", WINDOW)
        assert (await client.post("/auth/login", json=ada.credentials)).status_code == 200

    async def test_password_change_counts_as_well(self, client: httpx2.AsyncClient, people: People) -> None:
        """A stolen access token is no licence to guess."""
        ada = people.add()
        body = {"current_password": "wrong", "new_password": "staple battery horse correct"}
        answers = [
            (await client.put("/auth/password", json=body, headers=ada.headers)).status_code for _ in range(6)
        ]
        assert answers == [403] * 5 + [429]


@pytest.mark.usefixtures("app")
class TestAddress:
    """The limit of an address."""

    async def test_limit_counts_all_accounts_together(
        self, client: httpx2.AsyncClient, make_client: MakeClient, people: People
    ) -> None:
        """One password tried on many accounts is a guess as well; other addresses go on."""
        ada = people.add()
        for number in range(ADDRESS_LIMIT):
            await count(keys_of(f"user{number}@example.com", "192.0.2.7"))
        assert (await client.post("/auth/login", json=ada.credentials)).status_code == 429
        people.query("DELETE FROM login_attempts WHERE count = 1")
        elsewhere = make_client("198.51.100.1")
        assert (await elsewhere.post("/auth/login", json=ada.credentials)).status_code == 200

    async def test_own_logins_do_not_reset_it(self) -> None:
        """An attacker with an account of their own takes back that attempt and no other."""
        for number in range(ADDRESS_LIMIT):
            assert await count(keys_of(f"user{number}@example.com", "192.0.2.7")) is None
            own = keys_of("attacker@example.com", "192.0.2.7")
            async with read() as session, write(session) as writer:
                if await count_attempt(writer, own) is None:
                    await forgive(writer, own)
        assert await count(keys_of("next@example.com", "192.0.2.7")) is not None

    async def test_unknown_address_is_not_counted(self) -> None:
        """Otherwise all unknown addresses would lock each other out."""
        for number in range(ADDRESS_LIMIT + 1):
            assert await count(keys_of(f"user{number}@example.com", None)) is None


@pytest.mark.usefixtures("app")
class TestTable:
    """The rows behind the limits."""

    async def test_shows_neither_addresses_nor_accounts(self, people: People) -> None:
        """A keyed hash cannot be looked up in a list of addresses."""
        await count(keys_of("ada@example.com", "192.0.2.7"))
        rows = people.query("SELECT octet_length(key), encode(key, 'escape') FROM login_attempts")
        assert [length for length, _ in rows] == [32, 32]
        assert not any("ada" in str(text) or "192" in str(text) for _, text in rows)

    async def test_old_rows_are_cleared_by_successful_logins(
        self, client: httpx2.AsyncClient, people: People
    ) -> None:
        """The table does not grow for ever."""
        ada = people.add()
        for number in range(10):
            await count(keys_of(f"user{number}@example.com", None))
        people.query("UPDATE login_attempts SET window_started_at = now() - interval '1 hour'")
        assert (await client.post("/auth/login", json=ada.credentials)).status_code == 200
        assert people.query("SELECT count(*) FROM login_attempts") == [(2,)]

    async def test_concurrent_counting_and_forgiving_never_deadlocks(self, people: People) -> None:
        """Both lock the rows of account and address in one order."""
        everyone = [keys_of(f"user{number}@example.com", "192.0.2.7") for number in range(4)]

        async def churn(keys: Keys) -> None:
            async with read() as session:
                for _ in range(15):
                    async with write(session) as writer:
                        await count_attempt(writer, keys)
                    async with write(session) as writer:
                        await forgive(writer, keys)

        await asyncio.gather(*map(churn, everyone))
        assert people.query("SELECT max(count) FROM login_attempts") == [(0,)]
