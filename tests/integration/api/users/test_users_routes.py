"""Reading, changing, listing and deactivating users."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest

from tests.support.journeys import problem

if TYPE_CHECKING:
    import httpx2

    from tests.support.people import People

pytestmark = pytest.mark.asyncio


class TestReadUser:
    """GET /users/me and /users/{user_id}."""

    async def test_own_user_is_read_with_one_statement_more(
        self, client: httpx2.AsyncClient, people: People, statement_counts: list[int]
    ) -> None:
        """Who asks is found by a few columns; only this route needs them all, and the profile."""
        ada = people.add("ada")
        response = await client.get("/users/me", headers=ada.headers)
        assert (response.json()["id"], response.json()["email"]) == (str(ada.id), ada.email)
        assert statement_counts == [2]

    @pytest.mark.parametrize(("role", "sees"), [("user", False), ("moderator", True), ("admin", True)])
    async def test_address_of_another_is_for_moderators(
        self, client: httpx2.AsyncClient, people: People, role: str, *, sees: bool
    ) -> None:
        """Everyone sees the rest."""
        ada, viewer = people.add("ada"), people.add("viewer", role)
        response = await client.get(f"/users/{ada.id}", headers=viewer.headers)
        assert response.json()["username"] == "ada"
        assert response.json()["email"] == (ada.email if sees else None)

    async def test_unknown_user_is_not_found(self, client: httpx2.AsyncClient, people: People) -> None:
        """No such id."""
        response = await client.get(f"/users/{uuid4()}", headers=people.add().headers)
        assert problem(response) == (404, "USER_NOT_FOUND")


class TestListUsers:
    """GET /users."""

    async def test_pages_hold_everyone_once_newest_first(
        self, client: httpx2.AsyncClient, people: People, statement_counts: list[int]
    ) -> None:
        """The cursor goes on where the page ended; each page is one statement beside the current user's."""
        added = [people.add(f"user{number}") for number in range(5)] + [people.add("chief", "moderator")]
        found: list[str] = []
        cursor: str | None = None
        for _ in range(3):
            parameters = {"limit": 2} | ({"cursor": cursor} if cursor else {})
            page = (await client.get("/users", params=parameters, headers=added[-1].headers)).json()
            found += [user["username"] for user in page["items"]]
            cursor = page["next_cursor"]
        assert cursor is None
        assert found == [person.username for person in reversed(added)]
        assert statement_counts == [2, 2, 2]

    async def test_filters_narrow_the_list(self, client: httpx2.AsyncClient, people: People) -> None:
        """Each alone and all together; a page goes on within them."""
        for number in range(3):
            people.add(f"mod{number}", "moderator", active=number > 0)
        people.add("modest")
        headers = people.add("chief", "admin").headers

        async def found(**parameters: str) -> list[str]:
            response = await client.get("/users", params=parameters, headers=headers)
            assert response.status_code == 200
            return [user["username"] for user in response.json()["items"]]

        assert await found(role="moderator") == ["mod2", "mod1", "mod0"]
        assert await found(is_active="false") == ["mod0"]
        assert await found(q="MOD") == ["modest", "mod2", "mod1", "mod0"]
        assert await found(q="modest@EXAMPLE") == ["modest"]
        assert await found(q="mod", role="moderator", is_active="true") == ["mod2", "mod1"]
        page = await client.get("/users", params={"q": "mod", "limit": 3}, headers=headers)
        assert await found(q="mod", cursor=page.json()["next_cursor"]) == ["mod0"]

    async def test_prefix_is_text_and_no_pattern(self, client: httpx2.AsyncClient, people: People) -> None:
        """The signs of LIKE stand for themselves, and so does its escape."""
        for name in ("under_score", "underscore", "a"):
            people.add(name)
        people.query("UPDATE users SET email = %s WHERE username = 'a'", "%\\@example.com")
        headers = people.add("chief", "admin").headers
        for prefix, expected in (
            ("under_", ["under_score"]),
            ("%", ["a"]),
            ("%\\", ["a"]),
            ("\\", []),
            ("nder", []),
        ):
            response = await client.get("/users", params={"q": prefix}, headers=headers)
            assert [user["username"] for user in response.json()["items"]] == expected

    async def test_unusable_filter_is_refused(self, client: httpx2.AsyncClient, people: People) -> None:
        """Empty, too long, or what no text can hold."""
        headers = people.add("chief", "admin").headers
        for sent in ({"q": ""}, {"q": "x" * 255}, {"q": "\0"}, {"role": "root"}, {"is_active": "perhaps"}):
            response = await client.get("/users", params=sent, headers=headers)
            assert problem(response) == (422, "VALIDATION_FAILED")

    @pytest.mark.parametrize("limit", [0, 101, "x"])
    async def test_limit_outside_its_bounds_is_refused(
        self, client: httpx2.AsyncClient, people: People, limit: object
    ) -> None:
        """At most 100."""
        headers = people.add("chief", "admin").headers
        response = await client.get("/users", params={"limit": str(limit)}, headers=headers)
        assert problem(response) == (422, "VALIDATION_FAILED")

    async def test_foreign_cursor_is_refused(self, client: httpx2.AsyncClient, people: People) -> None:
        """A cursor that no list made."""
        headers = people.add("chief", "admin").headers
        response = await client.get("/users", params={"cursor": "bm90aGluZw"}, headers=headers)
        assert problem(response) == (400, "INVALID_CURSOR")

    async def test_ordinary_users_may_not_list(self, client: httpx2.AsyncClient, people: People) -> None:
        """The document names the role that is missing."""
        response = await client.get("/users", headers=people.add().headers)
        assert problem(response) == (403, "ROLE_REQUIRED")
        assert response.json()["required_role"] == "moderator"


class TestUpdateUser:
    """PATCH /users/{user_id}."""

    async def test_only_what_is_sent_changes(self, client: httpx2.AsyncClient, people: People) -> None:
        """The server moves `updated_at` on."""
        ada = people.add("ada")
        before = (await client.get("/users/me", headers=ada.headers)).json()
        response = await client.patch(f"/users/{ada.id}", json={"username": "countess"}, headers=ada.headers)
        after = response.json()
        assert after.pop("updated_at") > before.pop("updated_at")
        assert after == before | {"username": "countess"}

    async def test_nothing_sent_changes_nothing(self, client: httpx2.AsyncClient, people: People) -> None:
        """`updated_at` stays as well."""
        ada = people.add("ada")
        before = (await client.get("/users/me", headers=ada.headers)).json()
        response = await client.patch(f"/users/{ada.id}", json={}, headers=ada.headers)
        assert (response.status_code, response.json()) == (200, before)

    async def test_admin_changes_anyone(self, client: httpx2.AsyncClient, people: People) -> None:
        """Admins keep the house."""
        ada, admin = people.add("ada"), people.add("chief", "admin")
        response = await client.patch(
            f"/users/{ada.id}", json={"email": "new@example.com"}, headers=admin.headers
        )
        assert (response.status_code, response.json()["email"]) == (200, "new@example.com")

    async def test_moderator_changes_nobody_else(self, client: httpx2.AsyncClient, people: People) -> None:
        """Moderating posts is not owning people."""
        ada, moderator = people.add("ada"), people.add("mod", "moderator")
        response = await client.patch(
            f"/users/{ada.id}", json={"username": "other"}, headers=moderator.headers
        )
        assert problem(response) == (403, "ROLE_REQUIRED")

    @pytest.mark.parametrize(
        ("sent", "expected"),
        [
            ({"email": "BEN@example.com"}, (409, "EMAIL_TAKEN")),
            ({"username": "Ben"}, (409, "USERNAME_TAKEN")),
            ({"username": None}, (422, "VALIDATION_FAILED")),
            ({"role": "admin"}, (422, "VALIDATION_FAILED")),
            ({"hashed_password": "x"}, (422, "VALIDATION_FAILED")),
        ],
        ids=str,
    )
    async def test_refused_change_changes_nothing(
        self, client: httpx2.AsyncClient, people: People, sent: dict[str, Any], expected: tuple[int, str]
    ) -> None:
        """Null is not "not sent", and nobody promotes themselves."""
        ada, _ = people.add("ada"), people.add("ben")
        assert problem(await client.patch(f"/users/{ada.id}", json=sent, headers=ada.headers)) == expected
        after = people.query("SELECT username, email, role FROM users WHERE id = %s", ada.id)
        assert after == [(ada.username, ada.email, "user")]

    async def test_unknown_user_is_not_found(self, client: httpx2.AsyncClient, people: People) -> None:
        """Even for an admin."""
        admin = people.add("chief", "admin")
        response = await client.patch(f"/users/{uuid4()}", json={"username": "abc"}, headers=admin.headers)
        assert problem(response) == (404, "USER_NOT_FOUND")


class TestSetUserRole:
    """PUT /users/{user_id}/role."""

    async def test_new_role_counts_with_the_old_token(
        self, client: httpx2.AsyncClient, people: People
    ) -> None:
        """A token proves who one is; what one may do is read at each request."""
        ada, admin = people.add("ada"), people.add("chief", "admin")
        headers = ada.headers
        response = await client.put(
            f"/users/{ada.id}/role", json={"role": "moderator"}, headers=admin.headers
        )
        assert (response.status_code, response.json()["role"]) == (200, "moderator")
        assert (await client.get("/users", headers=headers)).status_code == 200

    @pytest.mark.parametrize("role", ["user", "moderator"])
    async def test_others_give_no_roles(self, client: httpx2.AsyncClient, people: People, role: str) -> None:
        """Only admins do."""
        ada, viewer = people.add("ada"), people.add("viewer", role)
        response = await client.put(f"/users/{ada.id}/role", json={"role": "admin"}, headers=viewer.headers)
        assert problem(response) == (403, "ROLE_REQUIRED")

    async def test_unknown_role_is_refused(self, client: httpx2.AsyncClient, people: People) -> None:
        """There are three."""
        ada, admin = people.add("ada"), people.add("chief", "admin")
        response = await client.put(f"/users/{ada.id}/role", json={"role": "root"}, headers=admin.headers)
        assert problem(response) == (422, "VALIDATION_FAILED")


class TestDeactivateUser:
    """POST /users/{user_id}/deactivate."""

    async def test_all_tokens_stop_working_at_once(self, client: httpx2.AsyncClient, people: People) -> None:
        """The access token too, although it has not expired; and logging in again is refused."""
        ada = people.add("ada")
        pair = (await client.post("/auth/login", json=ada.credentials)).json()
        headers = {"Authorization": f"Bearer {pair['access_token']}"}
        assert (await client.post(f"/users/{ada.id}/deactivate", headers=headers)).status_code == 204
        assert problem(await client.get("/users/me", headers=headers)) == (401, "TOKEN_INVALID")
        refreshed = await client.post("/auth/refresh", json={"refresh_token": pair["refresh_token"]})
        assert problem(refreshed) == (401, "REFRESH_TOKEN_INVALID")
        login = await client.post("/auth/login", json=ada.credentials)
        assert problem(login) == (401, "INVALID_CREDENTIALS")

    async def test_admin_deactivates_anyone_as_often_as_they_like(
        self, client: httpx2.AsyncClient, people: People
    ) -> None:
        """Repeating it is harmless."""
        ada, admin = people.add("ada"), people.add("chief", "admin")
        for _ in range(2):
            response = await client.post(f"/users/{ada.id}/deactivate", headers=admin.headers)
            assert response.status_code == 204
        assert people.query("SELECT is_active FROM users WHERE id = %s", ada.id) == [(False,)]

    async def test_admin_lets_them_in_again(self, client: httpx2.AsyncClient, people: People) -> None:
        """With a new login, as often as one likes; nobody else does, and nobody who was deleted returns."""
        ada, ben, admin = people.add("ada", active=False), people.add("ben"), people.add("chief", "admin")
        path = f"/users/{ada.id}/activate"
        assert problem(await client.post(path, headers=ben.headers)) == (403, "ROLE_REQUIRED")
        for _ in range(2):
            assert (await client.post(path, headers=admin.headers)).status_code == 204
        assert (await client.post("/auth/login", json=ada.credentials)).status_code == 200
        assert (await client.delete(f"/users/{ada.id}", headers=ada.headers)).status_code == 204
        assert problem(await client.post(path, headers=admin.headers)) == (404, "USER_NOT_FOUND")

    async def test_others_deactivate_nobody(self, client: httpx2.AsyncClient, people: People) -> None:
        """A moderator is no admin."""
        ada, moderator = people.add("ada"), people.add("mod", "moderator")
        response = await client.post(f"/users/{ada.id}/deactivate", headers=moderator.headers)
        assert problem(response) == (403, "ROLE_REQUIRED")

    async def test_unknown_user_is_not_found(self, client: httpx2.AsyncClient, people: People) -> None:
        """Even for an admin."""
        admin = people.add("chief", "admin")
        response = await client.post(f"/users/{uuid4()}/deactivate", headers=admin.headers)
        assert problem(response) == (404, "USER_NOT_FOUND")
