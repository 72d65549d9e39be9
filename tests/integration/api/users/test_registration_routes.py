"""Registration."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

import pytest

from tests.support.journeys import problem

if TYPE_CHECKING:
    import httpx2

    from tests.support.people import People

pytestmark = pytest.mark.asyncio

JSON = {"content-type": "application/json"}
ADA = {"email": "Ada@Example.com", "username": "ada", "password": "correct horse battery staple"}


class TestRegisterUser:
    """POST /users."""

    async def test_registers_with_the_least_role(self, client: httpx2.AsyncClient, people: People) -> None:
        """The answer is the stored user, whose address keeps its local part's case."""
        response = await client.post("/users", json=ADA)
        user = response.json()
        assert response.status_code == 201
        assert user["email"] == "Ada@example.com"
        assert (user["username"], user["role"], user["is_active"]) == ("ada", "user", True)
        assert people.query("SELECT id::text, email FROM users") == [(user["id"], "Ada@example.com")]

    async def test_password_is_stored_as_argon2id_only(
        self, client: httpx2.AsyncClient, people: People
    ) -> None:
        """No response and no row holds the password."""
        response = await client.post("/users", json=ADA)
        [(row,)] = people.query("SELECT users::text FROM users")
        assert "$argon2id$" in str(row)
        assert ADA["password"] not in str(row) + response.text
        assert "argon2" not in response.text

    @pytest.mark.parametrize(
        ("change", "expected"),
        [
            ({"username": "other", "email": "ADA@EXAMPLE.COM"}, "EMAIL_TAKEN"),
            ({"email": "other@example.com", "username": "ADA"}, "USERNAME_TAKEN"),
        ],
    )
    async def test_taken_value_is_a_conflict_whatever_its_case(
        self, client: httpx2.AsyncClient, people: People, change: dict[str, str], expected: str
    ) -> None:
        """The code says which value is taken."""
        people.add("ada")
        assert problem(await client.post("/users", json=ADA | change)) == (409, expected)

    async def test_same_registration_twice_at_once_succeeds_once(
        self, client: httpx2.AsyncClient, people: People
    ) -> None:
        """The database decides, not a look beforehand."""
        responses = await asyncio.gather(*(client.post("/users", json=ADA) for _ in range(3)))
        assert sorted(response.status_code for response in responses) == [201, 409, 409]
        assert people.query("SELECT count(*) FROM users") == [(1,)]

    @pytest.mark.parametrize(
        "change",
        [
            {"email": "not an address"},
            {"email": "a\0@example.com"},
            {"email": f"{'a' * 250}@example.com"},
            {"email": None},
            {"username": "ab"},
            {"username": "ada lovelace"},
            {"username": "ada\n"},
            {"password": "elevenchars"},
            {"password": "x" * 129},
            {"password": "\ud800" * 12},
            {"password": 123456789012},
            {"role": "admin"},
            {"is_active": False},
        ],
        ids=str,
    )
    async def test_unacceptable_value_is_refused_without_repeating_it(
        self, client: httpx2.AsyncClient, change: dict[str, Any]
    ) -> None:
        """Nobody registers with another role, and no password comes back in an error."""
        response = await client.post("/users", content=_as_json(ADA | change), headers=JSON)
        assert problem(response) == (422, "VALIDATION_FAILED")
        assert response.json()["errors"][0]["pointer"] == f"/body/{next(iter(change))}"
        assert "elevenchars" not in response.text
        assert ADA["password"] not in response.text


def _as_json(document: dict[str, Any]) -> bytes:
    """Encode with escapes, which can spell what UTF-8 cannot."""
    return json.dumps(document).encode()
