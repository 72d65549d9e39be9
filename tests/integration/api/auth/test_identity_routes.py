"""Signing in with another issuer's token: what becomes of whom it names."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from api.auth import passwords
from api.auth.issuers import _key_set
from api.settings import get_settings
from tests.support.fake_issuer import MISSING, FakeIssuer
from tests.support.journeys import DRAFT, problem
from tests.support.people import PASSWORD

if TYPE_CHECKING:
    import httpx2

    from tests.support.people import People

pytestmark = pytest.mark.asyncio

USERS = "SELECT count(*) FROM users"


async def me(client: httpx2.AsyncClient, issuer: FakeIssuer, **changes: Any) -> httpx2.Response:
    """Ask who one is, with a token of the issuer's."""
    return await client.get("/users/me", headers=issuer.headers(**changes))


class TestFirstRequest:
    """A subject whom nobody has seen."""

    async def test_makes_a_user_once(
        self, client: httpx2.AsyncClient, issuer: FakeIssuer, people: People
    ) -> None:
        """Who comes back, with whatever token, is the same user."""
        first = (await me(client, issuer)).json()
        assert (first["email"], first["username"], first["role"]) == ("ada@example.com", "ada", "user")
        again = (await me(client, issuer, email="other@example.com", email_verified=False)).json()
        assert again == first
        assert people.query(
            "SELECT hashed_password, user_id::text FROM users JOIN user_identities ON true"
        ) == [(None, first["id"])]

    async def test_may_write_at_once(self, client: httpx2.AsyncClient, issuer: FakeIssuer) -> None:
        """Whatever the first request is."""
        response = await client.post("/posts", json=DRAFT, headers=issuer.headers())
        assert response.status_code == 201
        assert response.json()["author_id"] == (await me(client, issuer)).json()["id"]

    async def test_requests_at_the_same_time_make_one_user(
        self, client: httpx2.AsyncClient, issuer: FakeIssuer, people: People
    ) -> None:
        """None of them fails, also where their tokens name different addresses."""
        changes: list[dict[str, Any]] = [{}, {}, {}, {"email": "a@example.com"}, {"email": "b@example.com"}]
        responses = await asyncio.gather(*(me(client, issuer, **each) for each in changes))
        assert [response.status_code for response in responses] == [200] * 5
        assert len({response.json()["id"] for response in responses}) == 1
        assert people.query(USERS) == [(1,)]

    async def test_subjects_of_two_issuers_are_two_users(
        self, client: httpx2.AsyncClient, issuer: FakeIssuer, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A subject is unique within its issuer only."""
        first = (await me(client, issuer)).json()
        with FakeIssuer() as other:
            monkeypatch.setenv("BOUGH_ISSUER", other.url)
            get_settings.cache_clear()
            assert problem(await me(client, issuer)) == (401, "TOKEN_INVALID")
            second = (await me(client, other, email="ben@example.com")).json()
        assert second["id"] != first["id"]

    @pytest.mark.parametrize(
        ("claims", "username"),
        [
            ({"preferred_username": "countess"}, "countess"),
            ({"preferred_username": "Ada.Lovelace@example.com"}, "Ada-Lovelace"),
            ({"preferred_username": "Zoë Ångström"}, "Zoe-Angstrom"),
            ({"preferred_username": "x" * 50}, "x" * 32),
            ({"preferred_username": 7, "email": "o'brien+shop@example.com"}, "o-brien-shop"),
        ],
        ids=str,
    )
    async def test_username_is_made_of_what_the_token_says(
        self, client: httpx2.AsyncClient, issuer: FakeIssuer, claims: dict[str, Any], username: str
    ) -> None:
        """As far as our rules allow."""
        assert (await me(client, issuer, **claims)).json()["username"] == username

    @pytest.mark.parametrize(
        ("wanted", "pattern"), [("ADA", "ADA-"), ("数学", "user-"), ("x", "x-"), ("-" * 40, "user-")]
    )
    async def test_taken_or_impossible_username_gets_a_suffix(
        self, client: httpx2.AsyncClient, issuer: FakeIssuer, people: People, wanted: str, pattern: str
    ) -> None:
        """Names are unique whatever their case, and at least three characters long."""
        people.add("ada")
        user = await me(client, issuer, preferred_username=wanted, email="countess@example.com")
        assert user.json()["username"].startswith(pattern)


class TestAddress:
    """Which address an account gets."""

    @pytest.mark.parametrize("verified", [True, False])
    async def test_address_of_an_account_is_never_a_way_into_it(
        self, client: httpx2.AsyncClient, issuer: FakeIssuer, people: People, *, verified: bool
    ) -> None:
        """Whoever can make an issuer state it would have the account."""
        ada = people.add("ada")
        response = await me(client, issuer, email="ADA@example.com", email_verified=verified)
        expected = "ACCOUNT_EXISTS" if verified else "VERIFIED_EMAIL_REQUIRED"
        assert problem(response) == (403, expected)
        assert people.query("SELECT * FROM user_identities") == []
        assert (await client.get("/users/me", headers=ada.headers)).status_code == 200

    @pytest.mark.parametrize(
        "claims",
        [
            {"email_verified": False},
            {"email_verified": "true"},
            {"email_verified": MISSING},
            {"email_verified": MISSING, "user_metadata": {"email_verified": True}},
            {"email_verified": MISSING, "emailVerified": False},
            {"email": MISSING},
            {"email": ""},
            {"email": "ada"},
            {"email": ["ada@example.com"]},
            {"email": "ada@example.com\x00"},
        ],
        ids=str,
    )
    async def test_without_a_verified_address_there_is_no_account(
        self, client: httpx2.AsyncClient, issuer: FakeIssuer, people: People, claims: dict[str, Any]
    ) -> None:
        """The code says what is missing; nothing is stored."""
        assert problem(await me(client, issuer, **claims)) == (403, "VERIFIED_EMAIL_REQUIRED")
        assert people.query(USERS) == [(0,)]

    async def test_silent_issuer_may_be_trusted_by_configuration(
        self, client: httpx2.AsyncClient, issuer: FakeIssuer, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Not against what the token says."""
        monkeypatch.setenv("BOUGH_ISSUER_VERIFIES_EMAIL", "true")
        get_settings.cache_clear()
        refused = await me(client, issuer, email_verified=False)
        assert problem(refused) == (403, "VERIFIED_EMAIL_REQUIRED")
        assert (await me(client, issuer, email_verified=MISSING)).status_code == 200


class TestKnownUser:
    """A subject that has a user."""

    async def test_costs_no_more_than_a_token_of_ours(
        self,
        client: httpx2.AsyncClient,
        issuer: FakeIssuer,
        people: People,
        statement_counts: list[int],
    ) -> None:
        """One statement for the user, as ever, and the issuer is not asked."""
        await me(client, issuer)
        asked = len(issuer.asked)
        statement_counts.clear()
        await me(client, issuer)
        await client.get("/users/me", headers=people.add("ben").headers)
        assert statement_counts == [2, 2]
        assert len(issuer.asked) == asked

    @pytest.mark.parametrize(
        ("method", "path"), [("POST", "/users/{id}/deactivate"), ("DELETE", "/users/{id}")]
    )
    async def test_deactivated_or_deleted_user_is_refused(
        self, client: httpx2.AsyncClient, issuer: FakeIssuer, people: People, method: str, path: str
    ) -> None:
        """And not made a second time by the token that is still there."""
        user = (await me(client, issuer)).json()
        gone = await client.request(method, path.format_map(user), headers=issuer.headers())
        assert gone.status_code == 204
        assert problem(await me(client, issuer)) == (401, "TOKEN_INVALID")
        assert people.query(USERS) == [(1,)]

    async def test_deleted_row_takes_its_identity_along(
        self, client: httpx2.AsyncClient, issuer: FakeIssuer, people: People
    ) -> None:
        """Who comes back then is a new user."""
        first = (await me(client, issuer)).json()
        people.query("DELETE FROM users")
        assert (await me(client, issuer)).json()["id"] != first["id"]

    async def test_has_no_password_to_guess(
        self, client: httpx2.AsyncClient, issuer: FakeIssuer, people: People, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A login costs what a wrong password costs: as many hashes, and the same answer."""
        await me(client, issuer)
        people.add("ben")
        verified: list[str] = []
        hasher = passwords._hasher()
        original = hasher.verify_and_update

        def spy(password: str, hashed: str) -> tuple[bool, str | None]:
            verified.append(hashed)
            return original(password, hashed)

        monkeypatch.setattr(hasher, "verify_and_update", spy)
        answers = []
        for email in ("ada@example.com", "ben@example.com"):
            response = await client.post("/auth/login", json={"email": email, "password": "wrong password"})
            answers.append(response.json() | {"request_id": None})
        assert answers[0] == answers[1]
        assert len(verified) == 2
        body = {"current_password": PASSWORD, "new_password": "staple battery horse correct"}
        refused = await client.put("/auth/password", json=body, headers=issuer.headers())
        assert problem(refused) == (403, "WRONG_PASSWORD")


class TestIssuer:
    """What depends on the issuer's server."""

    async def test_rotation_fails_no_request(self, client: httpx2.AsyncClient, issuer: FakeIssuer) -> None:
        """Old and new tokens work while both keys are published."""
        old = issuer.headers()
        await client.get("/users/me", headers=old)
        issuer.rotate()
        assert (await me(client, issuer)).status_code == 200
        assert (await client.get("/users/me", headers=old)).status_code == 200

    async def test_outage_without_keys_is_a_503(
        self, client: httpx2.AsyncClient, issuer: FakeIssuer, people: People
    ) -> None:
        """Our own tokens are not affected."""
        issuer.stop()
        response = await me(client, issuer)
        assert problem(response) == (503, "ISSUER_UNAVAILABLE")
        assert response.headers["retry-after"] == "2"
        assert (await client.get("/users/me", headers=people.add("ben").headers)).status_code == 200

    async def test_supabase_token_is_understood(
        self, client: httpx2.AsyncClient, app: object, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The layout of Supabase Auth: keys below the issuer, no word on whether an address is verified."""
        with FakeIssuer("/auth/v1") as supabase:
            monkeypatch.setenv("BOUGH_ISSUER", supabase.url)
            monkeypatch.setenv("BOUGH_ISSUER_AUDIENCE", "authenticated")
            monkeypatch.setenv("BOUGH_ISSUER_VERIFIES_EMAIL", "true")
            get_settings.cache_clear()
            _key_set.cache_clear()
            claims = {
                "email_verified": MISSING,
                "aal": "aal1",
                "amr": [{"method": "password", "timestamp": 1640991600}],
                "app_metadata": {"provider": "email", "providers": ["email"]},
                "phone": "",
                "role": "authenticated",
                "session_id": "123e4567-e89b-12d3-a456-426614174000",
                "user_metadata": {"name": "Ada"},
                "is_anonymous": False,
            }
            assert (await me(client, supabase, **claims)).json()["username"] == "ada"
            anonymous = await me(client, supabase, role="anon", email="")
            assert problem(anonymous) == (401, "ANONYMOUS_TOKEN")

    async def test_neon_auth_token_is_understood(
        self, client: httpx2.AsyncClient, app: object, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The layout of Neon Auth: Ed25519; issuer and audience are the origin, keys are below a path."""
        with FakeIssuer("/neondb/auth", "EdDSA") as neon:
            monkeypatch.setenv("BOUGH_ISSUER", neon.origin)
            monkeypatch.setenv("BOUGH_ISSUER_AUDIENCE", neon.origin)
            monkeypatch.setenv("BOUGH_ISSUER_JWKS_URL", f"{neon.url}/.well-known/jwks.json")
            get_settings.cache_clear()
            _key_set.cache_clear()
            claims = {
                "iss": neon.origin,
                "aud": neon.origin,
                "name": "Ada Lovelace",
                "email_verified": MISSING,
                "emailVerified": True,
                "image": None,
                "role": "authenticated",
                "banned": False,
                "id": "5f1c2c6e-3c1b-4a53-9d0e-6c1a2f7b9d11",
            }
            assert (await me(client, neon, **claims)).json()["email"] == "ada@example.com"
