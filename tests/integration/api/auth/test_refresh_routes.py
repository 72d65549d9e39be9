"""Staying logged in and logging out."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from tests.support.journeys import log_in, problem, refresh

if TYPE_CHECKING:
    import httpx2

    from tests.support.people import People

pytestmark = pytest.mark.asyncio


class TestRefreshTokens:
    """POST /auth/refresh."""

    async def test_each_token_is_good_for_one_exchange(
        self, client: httpx2.AsyncClient, people: People
    ) -> None:
        """The chain goes on with what each exchange returned, in one row of the table."""
        pair = first = await log_in(client, people.add())
        for _ in range(3):
            response = await refresh(client, pair)
            assert response.status_code == 200
            assert response.headers["cache-control"] == "no-store"
            pair = response.json()
        headers = {"Authorization": f"Bearer {pair['access_token']}"}
        assert (await client.get("/users/me", headers=headers)).status_code == 200
        assert pair["refresh_token"] != first["refresh_token"]
        assert people.query("SELECT count(*) FROM refresh_token_families") == [(1,)]

    async def test_reuse_ends_the_login_and_no_other(
        self, client: httpx2.AsyncClient, people: People
    ) -> None:
        """The 401 does not roll the revocation back: the newest token of the family is dead as well."""
        ada = people.add()
        stolen, other = await log_in(client, ada), await log_in(client, ada)
        current = (await refresh(client, stolen)).json()
        assert problem(await refresh(client, stolen)) == (401, "REFRESH_TOKEN_REUSED")
        assert problem(await refresh(client, current)) == (401, "REFRESH_TOKEN_INVALID")
        assert (await refresh(client, other)).status_code == 200

    async def test_of_concurrent_uses_exactly_one_wins(
        self, client: httpx2.AsyncClient, people: People
    ) -> None:
        """The rest are reuses; nobody gets a second pair from one token."""
        pair = await log_in(client, people.add())
        responses = await asyncio.gather(*(refresh(client, pair) for _ in range(4)))
        winners = [response.json() for response in responses if response.status_code == 200]
        losers = {response.json()["code"] for response in responses if response.status_code == 401}
        assert len(winners) == 1
        assert losers <= {"REFRESH_TOKEN_REUSED", "REFRESH_TOKEN_INVALID"}
        assert "REFRESH_TOKEN_REUSED" in losers
        assert (await refresh(client, winners[0])).status_code == 401

    async def test_expired_token_is_invalid(self, client: httpx2.AsyncClient, people: People) -> None:
        """The server's clock decides."""
        pair = await log_in(client, people.add())
        people.query("UPDATE refresh_token_families SET expires_at = now() - interval '1 second'")
        assert problem(await refresh(client, pair)) == (401, "REFRESH_TOKEN_INVALID")

    async def test_token_of_a_user_deactivated_by_hand_is_invalid(
        self, client: httpx2.AsyncClient, people: People
    ) -> None:
        """Also where somebody changed the row in SQL and left the logins."""
        pair = await log_in(client, people.add())
        people.query("UPDATE users SET is_active = false")
        assert problem(await refresh(client, pair)) == (401, "REFRESH_TOKEN_INVALID")

    @pytest.mark.parametrize("text", ["", "x", "A" * 63, "A" * 64, "é" * 64, "\0" * 64, "=" * 64])
    async def test_text_that_is_no_token_is_invalid(self, client: httpx2.AsyncClient, text: str) -> None:
        """Whatever it looks like."""
        response = await client.post("/auth/refresh", json={"refresh_token": text})
        assert problem(response) == (401, "REFRESH_TOKEN_INVALID")


class TestLogout:
    """POST /auth/logout."""

    async def test_ends_this_login_only_and_may_be_repeated(
        self, client: httpx2.AsyncClient, people: People
    ) -> None:
        """Other devices stay logged in."""
        ada = people.add()
        here, there = await log_in(client, ada), await log_in(client, ada)
        for token in (here["refresh_token"], here["refresh_token"], "nonsense"):
            response = await client.post("/auth/logout", json={"refresh_token": token})
            assert (response.status_code, response.content) == (204, b"")
        assert problem(await refresh(client, here)) == (401, "REFRESH_TOKEN_INVALID")
        assert (await refresh(client, there)).status_code == 200
