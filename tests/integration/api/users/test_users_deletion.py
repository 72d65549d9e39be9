"""Deleting users: gone from every read, their names free, what they wrote still there."""

from __future__ import annotations

import asyncio
import re
from typing import TYPE_CHECKING, Any

import psycopg
import pytest
from sqlalchemy import event

from api.database.engine import get_engine
from api.database.session import read, write
from api.users.repository import users
from tests.support.journeys import log_in, problem, refresh, write_post

if TYPE_CHECKING:
    from collections.abc import Iterator

    import httpx2
    from fastapi import FastAPI

    from tests.support.people import People

pytestmark = pytest.mark.asyncio


@pytest.fixture
def statements(app: FastAPI) -> Iterator[list[str]]:
    """What was sent about the table `users`, apart from inserts."""
    sent: list[str] = []

    def keep(_c: Any, _cursor: Any, statement: str, _p: Any, _x: Any, _many: bool) -> None:  # noqa: FBT001
        if any(f"{word} users" in statement for word in ("FROM", "JOIN", "UPDATE")):
            sent.append(statement)

    engine = get_engine().sync_engine
    event.listen(engine, "before_cursor_execute", keep)
    yield sent
    event.remove(engine, "before_cursor_execute", keep)


class TestDeleteUser:
    """DELETE /users/{user_id}."""

    async def test_user_is_gone_from_every_read(self, client: httpx2.AsyncClient, people: People) -> None:
        """For an admin too; a second deletion finds nobody."""
        ada, admin = people.add("ada"), people.add("chief", "admin")
        response = await client.delete(f"/users/{ada.id}", headers=ada.headers)
        assert (response.status_code, response.content) == (204, b"")
        for method, path, body in (
            ("GET", f"/users/{ada.id}", None),
            ("GET", f"/users/{ada.id}/profile", None),
            ("PATCH", f"/users/{ada.id}", {"username": "other"}),
            ("PATCH", f"/users/{ada.id}", {}),
            ("PUT", f"/users/{ada.id}/role", {"role": "moderator"}),
            ("POST", f"/users/{ada.id}/deactivate", None),
            ("POST", f"/users/{ada.id}/activate", None),
            ("DELETE", f"/users/{ada.id}", None),
        ):
            response = await client.request(method, path, json=body, headers=admin.headers)
            assert problem(response) == (404, "USER_NOT_FOUND")
        for filters in ({}, {"q": "ada"}, {"role": "user"}, {"is_active": "false"}):
            page = (await client.get("/users", params=filters, headers=admin.headers)).json()
            assert str(ada.id) not in {user["id"] for user in page["items"]}

    async def test_all_logins_are_over_at_once(self, client: httpx2.AsyncClient, people: People) -> None:
        """The access token as well, although it has not expired."""
        ada = people.add("ada")
        pair = await log_in(client, ada)
        headers = {"Authorization": f"Bearer {pair['access_token']}"}
        assert (await client.delete(f"/users/{ada.id}", headers=headers)).status_code == 204
        assert problem(await client.get("/users/me", headers=headers)) == (401, "TOKEN_INVALID")
        assert problem(await refresh(client, pair)) == (401, "REFRESH_TOKEN_INVALID")
        assert problem(await client.post("/auth/login", json=ada.credentials)) == (401, "INVALID_CREDENTIALS")
        assert people.query("SELECT count(*) FROM refresh_token_families") == [(0,)]

    async def test_name_and_address_are_free_again(self, client: httpx2.AsyncClient, people: People) -> None:
        """As often as somebody comes and goes; the last one logs in."""
        for _ in range(3):
            new = {"email": "ada@example.com", "username": "ada", "password": "correct horse battery"}
            response = await client.post("/users", json=new)
            assert response.status_code == 201
            credentials = {"email": new["email"], "password": new["password"]}
            token = (await client.post("/auth/login", json=credentials)).json()["access_token"]
            headers = {"Authorization": f"Bearer {token}"}
            path = f"/users/{response.json()['id']}"
            assert (await client.get(path, headers=headers)).status_code == 200
            assert (await client.delete(path, headers=headers)).status_code == 204

    async def test_what_is_personal_is_erased_and_what_was_written_stays(
        self, client: httpx2.AsyncClient, people: People
    ) -> None:
        """The row says who wrote it, and no more."""
        ada = people.add("ada")
        post = await write_post(client, ada, publish=True)
        await client.patch("/users/me/profile", json={"bio": "Weaves."}, headers=ada.headers)
        await client.delete(f"/users/{ada.id}", headers=ada.headers)
        assert (await client.get(f"/posts/{post['id']}")).json()["author_id"] == str(ada.id)
        kept = "SELECT username, role, email, hashed_password, is_active, deleted_at IS NULL FROM users"
        assert people.query(kept) == [("ada", "user", "", None, False, False)]
        assert people.query("SELECT count(*) FROM user_profiles") == [(0,)]

    async def test_admin_deletes_anyone_and_others_nobody_else(
        self, client: httpx2.AsyncClient, people: People
    ) -> None:
        """A moderator is no admin."""
        ada, moderator, admin = (
            people.add("ada"),
            people.add("mod", "moderator"),
            people.add("chief", "admin"),
        )
        response = await client.delete(f"/users/{ada.id}", headers=moderator.headers)
        assert problem(response) == (403, "ROLE_REQUIRED")
        assert (await client.delete(f"/users/{ada.id}", headers=admin.headers)).status_code == 204

    async def test_of_concurrent_deletions_one_finds_the_user(
        self, client: httpx2.AsyncClient, people: People
    ) -> None:
        """The others come too late, and say so."""
        ada, admin = people.add("ada"), people.add("chief", "admin")
        responses = await asyncio.gather(
            *(client.delete(f"/users/{ada.id}", headers=admin.headers) for _ in range(3))
        )
        assert sorted(response.status_code for response in responses) == [204, 404, 404]


class TestLive:
    """The condition that leaves out who is deleted."""

    async def test_no_statement_forgets_it(
        self, client: httpx2.AsyncClient, people: People, statements: list[str]
    ) -> None:
        """Whatever finds users asks for it, or for who is active, which implies it."""
        ada, admin = people.add("ada"), people.add("chief", "admin")
        pair = await log_in(client, ada)
        await refresh(client, pair)
        for method, path, body in (
            ("GET", "/users", None),
            ("GET", "/users?q=a&role=user&is_active=true", None),
            ("GET", "/users/me", None),
            ("GET", f"/users/{ada.id}/profile", None),
            ("PATCH", "/users/me/profile", {"bio": "Keeps the house."}),
            ("PATCH", f"/users/{ada.id}", {"username": "countess"}),
            ("PUT", f"/users/{ada.id}/role", {"role": "moderator"}),
            ("POST", "/users/deactivate-inactive", {"days": 1}),
            ("POST", f"/users/{ada.id}/deactivate", None),
            ("DELETE", f"/users/{ada.id}", None),
        ):
            response = await client.request(method, path, json=body, headers=admin.headers)
            assert response.status_code in {200, 204}
        assert len(statements) > 20
        for statement in statements:
            assert re.search(r"users\.deleted_at IS NULL|(WHERE|AND) users\.is_active", statement), statement

    async def test_nobody_is_deleted_and_active(self, people: People) -> None:
        """The table refuses it: so whoever is active is not deleted."""
        ada = people.add()
        async with read() as session, write(session) as writer:
            await users.delete(writer, ada.id)
        with pytest.raises(psycopg.errors.CheckViolation, match="ck_users_deleted"):
            people.query("UPDATE users SET is_active = true")
