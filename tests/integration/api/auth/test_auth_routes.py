"""Logging in, who is asking, changing a password: what clients see."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from api.auth import passwords
from api.auth.tokens import issue_access_token
from api.database.base import uuid7
from tests.support.journeys import log_in, problem, refresh
from tests.support.people import PASSWORD

if TYPE_CHECKING:
    import httpx2

    from tests.support.people import People

pytestmark = pytest.mark.asyncio

#: An id of nothing.
SOMEONE = "00000000-0000-7000-8000-000000000000"
NEW_PASSWORD = "staple battery horse correct"


class TestLogin:
    """POST /auth/login."""

    async def test_right_password_gives_a_pair_that_no_cache_keeps(
        self, client: httpx2.AsyncClient, people: People
    ) -> None:
        """The access token opens what needs a user."""
        ada = people.add()
        response = await client.post("/auth/login", json=ada.credentials | {"email": "ADA@EXAMPLE.COM"})
        pair = response.json()
        assert response.headers["cache-control"] == "no-store"
        assert (pair["token_type"], pair["expires_in"]) == ("bearer", 900)
        me = await client.get("/users/me", headers={"Authorization": f"Bearer {pair['access_token']}"})
        assert me.json()["id"] == str(ada.id)

    async def test_database_holds_no_refresh_token(self, client: httpx2.AsyncClient, people: People) -> None:
        """Who reads the table cannot refresh with what they find."""
        pair = await log_in(client, people.add())
        [(row,)] = people.query("SELECT refresh_token_families::text FROM refresh_token_families")
        assert pair["refresh_token"] not in str(row)

    async def test_unknown_wrong_and_deactivated_are_answered_alike(
        self, client: httpx2.AsyncClient, people: People, statement_counts: list[int]
    ) -> None:
        """Same document and same number of statements, so that nobody learns who has an account."""
        ada, gone = people.add("ada"), people.add("gone", active=False)
        documents = []
        for credentials in (
            {"email": "nobody@example.com", "password": PASSWORD},
            ada.credentials | {"password": "wrong"},
            gone.credentials,
        ):
            response = await client.post("/auth/login", json=credentials)
            assert problem(response) == (401, "INVALID_CREDENTIALS")
            documents.append(response.json() | {"request_id": None})
        assert documents[0] == documents[1] == documents[2]
        assert len(statement_counts) == 3
        assert len(set(statement_counts)) == 1

    async def test_unknown_user_costs_a_hash_too(
        self, client: httpx2.AsyncClient, people: People, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """One verification each, with the same parameters: equal time without measuring time."""
        ada = people.add("ada")
        hasher = passwords._hasher()
        verified: list[str] = []
        original = hasher.verify_and_update

        def spy(password: str, hashed: str) -> tuple[bool, str | None]:
            verified.append(hashed.rpartition("$")[0].rpartition("$")[0])
            return original(password, hashed)

        monkeypatch.setattr(hasher, "verify_and_update", spy)
        for email in (ada.email, "nobody@example.com"):
            await client.post("/auth/login", json={"email": email, "password": "wrong"})
        assert len(verified) == 2
        assert verified[0] == verified[1]

    async def test_hash_with_old_parameters_is_renewed(
        self, client: httpx2.AsyncClient, people: People
    ) -> None:
        """A login is the only moment that knows the password."""
        from pwdlib.hashers.argon2 import Argon2Hasher

        ada = people.add()
        old = Argon2Hasher(time_cost=2, memory_cost=16, parallelism=1)
        people.query("UPDATE users SET hashed_password = %s", old.hash(PASSWORD))
        await log_in(client, ada)
        [(stored,)] = people.query("SELECT hashed_password FROM users")
        assert old.check_needs_rehash(str(stored))
        await log_in(client, ada)
        assert people.query("SELECT hashed_password FROM users") == [(stored,)]

    async def test_expired_logins_of_the_user_are_cleared_away(
        self, client: httpx2.AsyncClient, people: People
    ) -> None:
        """The table keeps what can still be used."""
        ada, ben = people.add("ada"), people.add("ben")
        for person in (ada, ada, ben):
            await log_in(client, person)
        people.query("UPDATE refresh_token_families SET expires_at = now()")
        await log_in(client, ada)
        assert people.query("SELECT count(*) FROM refresh_token_families") == [(2,)]


class TestCurrentUser:
    """The `Authorization` header."""

    @pytest.mark.parametrize(
        ("header", "expected"),
        [
            (None, "UNAUTHORIZED"),
            ("Basic YTpi", "UNAUTHORIZED"),
            ("Bearer", "UNAUTHORIZED"),
            ("Bearer nonsense", "TOKEN_INVALID"),
            ("Bearer é", "TOKEN_INVALID"),
        ],
    )
    async def test_unusable_header_is_a_401_that_names_the_scheme(
        self, client: httpx2.AsyncClient, header: str | None, expected: str
    ) -> None:
        """RFC 9110 asks for WWW-Authenticate."""
        headers = {b"Authorization": header.encode()} if header else {}
        response = await client.get("/users/me", headers=headers)
        assert problem(response) == (401, expected)
        assert response.headers["www-authenticate"] == "Bearer"

    async def test_expired_token_says_so(self, client: httpx2.AsyncClient, people: People) -> None:
        """A client refreshes on this code and on no other."""
        past = datetime.now(UTC) - timedelta(hours=1)
        headers = {"Authorization": f"Bearer {issue_access_token(people.add().id, now=past)}"}
        assert problem(await client.get("/users/me", headers=headers)) == (401, "TOKEN_EXPIRED")

    async def test_token_of_an_unknown_user_is_invalid(self, client: httpx2.AsyncClient) -> None:
        """A deleted user's token, for example."""
        headers = {"Authorization": f"Bearer {issue_access_token(uuid7())}"}
        assert problem(await client.get("/users/me", headers=headers)) == (401, "TOKEN_INVALID")

    async def test_bad_token_is_an_error_where_none_is_needed(
        self, client: httpx2.AsyncClient, people: People
    ) -> None:
        """A client whose token expired must not be shown the public view without knowing."""
        response = await client.get(f"/posts/{people.add().id}", headers={"Authorization": "Bearer x"})
        assert problem(response) == (401, "TOKEN_INVALID")


class TestChangePassword:
    """PUT /auth/password."""

    async def test_old_password_and_all_logins_are_over(
        self, client: httpx2.AsyncClient, people: People
    ) -> None:
        """Who had the old password or a refresh token is out."""
        ada = people.add()
        pairs = [await log_in(client, ada), await log_in(client, ada)]
        body = {"current_password": PASSWORD, "new_password": NEW_PASSWORD}
        assert (await client.put("/auth/password", json=body, headers=ada.headers)).status_code == 204
        for pair in pairs:
            assert problem(await refresh(client, pair)) == (401, "REFRESH_TOKEN_INVALID")
        assert problem(await client.post("/auth/login", json=ada.credentials)) == (401, "INVALID_CREDENTIALS")
        renewed = await client.post("/auth/login", json=ada.credentials | {"password": NEW_PASSWORD})
        assert renewed.status_code == 200

    async def test_wrong_current_password_changes_nothing(
        self, client: httpx2.AsyncClient, people: People
    ) -> None:
        """Not a 401, on which clients would refresh their token and try again."""
        ada = people.add()
        pair = await log_in(client, ada)
        body = {"current_password": "wrong", "new_password": NEW_PASSWORD}
        response = await client.put("/auth/password", json=body, headers=ada.headers)
        assert problem(response) == (403, "WRONG_PASSWORD")
        assert (await refresh(client, pair)).status_code == 200

    async def test_short_new_password_is_refused(self, client: httpx2.AsyncClient, people: People) -> None:
        """The rules are those of registration."""
        body = {"current_password": PASSWORD, "new_password": "short"}
        response = await client.put("/auth/password", json=body, headers=people.add().headers)
        assert problem(response) == (422, "VALIDATION_FAILED")
        assert PASSWORD not in response.text

    async def test_of_concurrent_changes_one_wins(self, client: httpx2.AsyncClient, people: People) -> None:
        """The other's current password is not the current one any more."""
        ada = people.add()
        bodies = [{"current_password": PASSWORD, "new_password": f"{NEW_PASSWORD} {n}"} for n in range(2)]
        responses = await asyncio.gather(
            *(client.put("/auth/password", json=body, headers=ada.headers) for body in bodies)
        )
        assert sorted(response.status_code for response in responses) == [204, 403]


class TestAnonymous:
    """Routes that need a user."""

    @pytest.mark.parametrize(
        ("method", "path", "body"),
        [
            ("PUT", "/auth/password", {"current_password": "x", "new_password": NEW_PASSWORD}),
            ("GET", "/users", None),
            ("GET", f"/users/{SOMEONE}", None),
            ("PATCH", f"/users/{SOMEONE}", {}),
            ("PUT", f"/users/{SOMEONE}/role", {"role": "admin"}),
            ("POST", f"/users/{SOMEONE}/deactivate", None),
            ("POST", "/users/deactivate-inactive", {"days": 90}),
            ("DELETE", f"/users/{SOMEONE}", None),
            ("GET", f"/users/{SOMEONE}/profile", None),
            ("PATCH", "/users/me/profile", {}),
            ("POST", "/posts", {"title": "x", "body": ""}),
            ("GET", "/posts/drafts", None),
            ("PATCH", f"/posts/{SOMEONE}", {}),
            ("POST", f"/posts/{SOMEONE}/publish", None),
            ("DELETE", f"/posts/{SOMEONE}", None),
        ],
    )
    async def test_refuse_who_did_not_sign_in(
        self, client: httpx2.AsyncClient, method: str, path: str, body: object, statement_counts: list[int]
    ) -> None:
        """Before any statement is sent."""
        assert problem(await client.request(method, path, json=body)) == (401, "UNAUTHORIZED")
        assert statement_counts == [0]
