"""Another issuer's claims, with row-level security."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.support.journeys import problem, write_post
from tests.support.row_level_security import switch_on

if TYPE_CHECKING:
    import httpx2

    from tests.support.fake_issuer import FakeIssuer
    from tests.support.people import People

pytestmark = pytest.mark.asyncio


class TestRowLevelSecurity:
    """What policies know of another issuer's token."""

    async def test_policies_read_the_tokens_own_claims_apart_from_ours(
        self, client: httpx2.AsyncClient, issuer: FakeIssuer, people: People, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A claim called `user_id` or `role` makes nobody somebody else."""
        ada = people.add("countess")
        published, draft = await write_post(client, ada, publish=True), await write_post(client, ada)
        switch_on(people, monkeypatch, "posts")
        people.query(
            "CREATE POLICY org ON posts AS RESTRICTIVE USING (bough_claims() -> 'token' ->> 'org' = 'shop')"
        )
        forged = {"user_id": str(ada.id), "role": "admin"}
        for claims, status in (({}, 404), ({"org": "other"}, 404), ({"org": "shop"}, 200)):
            headers = issuer.headers(**claims, **forged)
            assert (await client.get(f"/posts/{published['id']}", headers=headers)).status_code == status
            assert (await client.get(f"/posts/{draft['id']}", headers=headers)).status_code == 404

    async def test_claims_that_cannot_travel_are_refused(
        self, client: httpx2.AsyncClient, issuer: FakeIssuer, people: People, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Too large, or not for PostgreSQL; without row-level security they do not travel."""
        for claims in ({"groups": ["x" * 90] * 100}, {"name": "a\0b"}, {"name": "\ud800"}):
            assert (await client.get("/users/me", headers=issuer.headers(**claims))).status_code == 200
        switch_on(people, monkeypatch)
        for claims in ({"groups": ["x" * 90] * 100}, {"name": "a\0b"}, {"name": "\ud800"}):
            assert problem(await client.get("/users/me", headers=issuer.headers(**claims))) == (
                403,
                "CLAIMS_REFUSED",
            )
        assert (await client.get("/users/me", headers=issuer.headers())).status_code == 200
