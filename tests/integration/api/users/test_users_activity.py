"""When users were last here, and what becomes of those who were not."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.support.journeys import log_in, problem, refresh

if TYPE_CHECKING:
    import httpx2

    from tests.support.people import People, Person

pytestmark = pytest.mark.asyncio


async def deactivate(client: httpx2.AsyncClient, admin: Person, days: object = 90) -> httpx2.Response:
    return await client.post("/users/deactivate-inactive", json={"days": days}, headers=admin.headers)


def age(people: People, days: int = 100) -> None:
    """Let time pass for all users and logins so far."""
    people.query("ALTER TABLE refresh_token_families DISABLE TRIGGER USER")
    people.query(f"UPDATE refresh_token_families SET updated_at = updated_at - interval '{days} days'")
    people.query("ALTER TABLE refresh_token_families ENABLE TRIGGER USER")
    people.query(
        f"UPDATE users SET created_at = created_at - interval '{days} days', "
        f"last_login_at = last_login_at - interval '{days} days'"
    )


def active(people: People) -> set[str]:
    return {name for (name,) in people.query("SELECT username FROM users WHERE is_active")}


class TestLastLogin:
    """`last_login_at`."""

    async def test_login_sets_it_and_nothing_else(
        self, client: httpx2.AsyncClient, people: People, statement_counts: list[int]
    ) -> None:
        """In the statement that stores the login; `updated_at` stays, because nothing of the user changed."""
        ada = people.add("ada")
        before = (await client.get("/users/me", headers=ada.headers)).json()
        await log_in(client, ada)
        after = (await client.get("/users/me", headers=ada.headers)).json()
        assert before.pop("last_login_at") is None
        assert after.pop("last_login_at") > before["created_at"]
        assert after == before
        # Count the attempt, find the account, store the login, clear expired ones, forgive, clear counts;
        # and two transactions.
        assert statement_counts[1] == 6 + 2 * 2

    async def test_refused_login_does_not(self, client: httpx2.AsyncClient, people: People) -> None:
        """Whoever guesses is not here."""
        ada = people.add("ada")
        await client.post("/auth/login", json=ada.credentials | {"password": "wrong"})
        assert people.query("SELECT last_login_at FROM users") == [(None,)]

    @pytest.mark.parametrize(("role", "sees"), [("user", False), ("moderator", True)])
    async def test_is_shown_to_oneself_and_to_moderators(
        self, client: httpx2.AsyncClient, people: People, role: str, *, sees: bool
    ) -> None:
        """As the address is."""
        ada, viewer = people.add("ada"), people.add("viewer", role)
        await log_in(client, ada)
        response = await client.get(f"/users/{ada.id}", headers=viewer.headers)
        assert (response.json()["last_login_at"] is not None) == sees


class TestDeactivateInactiveUsers:
    """POST /users/deactivate-inactive."""

    async def test_those_who_were_not_here_are_deactivated(
        self, client: httpx2.AsyncClient, people: People, statement_counts: list[int]
    ) -> None:
        """Not who logged in, nor who registered since; one statement, whatever their number."""
        gone, back, admin = people.add("gone"), people.add("back"), people.add("chief", "admin")
        for person in (gone, back):
            await log_in(client, person)
        people.add("never")
        age(people)
        people.add("new")
        await log_in(client, back)
        response = await deactivate(client, admin)
        assert (response.status_code, response.json()) == (200, {"count": 2})
        # It, the current user's, and a transaction.
        assert statement_counts[-1] == 2 + 2
        assert active(people) == {"back", "chief", "new"}
        assert (await deactivate(client, admin)).json() == {"count": 0}

    async def test_their_logins_end_and_no_others(self, client: httpx2.AsyncClient, people: People) -> None:
        """Being active again does not bring a login back."""
        gone, admin = people.add("gone"), people.add("chief", "admin")
        pairs = [await log_in(client, person) for person in (gone, admin)]
        age(people)
        await deactivate(client, admin)
        people.query("UPDATE users SET is_active = true")
        assert problem(await refresh(client, pairs[0])) == (401, "REFRESH_TOKEN_INVALID")
        assert (await refresh(client, pairs[1])).status_code == 200

    async def test_who_stays_logged_in_is_here(self, client: httpx2.AsyncClient, people: People) -> None:
        """Refreshing a login is using it, however long ago it began."""
        ada, admin = people.add("ada"), people.add("chief", "admin")
        pair = await log_in(client, ada)
        age(people)
        assert (await refresh(client, pair)).status_code == 200
        assert (await deactivate(client, admin)).json() == {"count": 0}

    async def test_admins_stay(self, client: httpx2.AsyncClient, people: People) -> None:
        """The caller among them; moderators do not."""
        admin, _, _ = people.add("chief", "admin"), people.add("other", "admin"), people.add("m", "moderator")
        age(people)
        assert (await deactivate(client, admin)).json() == {"count": 1}
        assert active(people) == {"chief", "other"}

    async def test_days_are_counted_exactly(self, client: httpx2.AsyncClient, people: People) -> None:
        """The interval is a value, not a piece of text."""
        people.add("ada")
        age(people, 90)
        admin = people.add("chief", "admin")
        assert (await deactivate(client, admin, 91)).json() == {"count": 0}
        assert (await deactivate(client, admin, 90)).json() == {"count": 1}

    async def test_other_values_are_refused(self, client: httpx2.AsyncClient, people: People) -> None:
        """Between a day and ten years."""
        admin = people.add("chief", "admin")
        for days in (0, 3651, 1.5, "90", None):
            assert problem(await deactivate(client, admin, days)) == (422, "VALIDATION_FAILED")

    async def test_moderators_may_not(self, client: httpx2.AsyncClient, people: People) -> None:
        """Only admins do."""
        response = await deactivate(client, people.add("mod", "moderator"))
        assert problem(response) == (403, "ROLE_REQUIRED")
