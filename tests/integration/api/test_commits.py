"""A commit comes before its answer: what the server refuses to commit is never acknowledged."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from sqlalchemy import text

from api.database.session import WriteSessionDep  # noqa: TC001  FastAPI resolves annotations at run time

if TYPE_CHECKING:
    import httpx2
    from fastapi import FastAPI

    from tests.support.people import People

pytestmark = pytest.mark.asyncio


async def test_refused_commit_is_an_error_and_no_201(
    app: FastAPI, client: httpx2.AsyncClient, people: People
) -> None:
    """A deferred constraint speaks at COMMIT, after the route has returned."""
    people.query("CREATE TABLE seat (number int CONSTRAINT one_each UNIQUE DEFERRABLE INITIALLY DEFERRED)")

    @app.post("/seats", status_code=201)
    async def take_seat(session: WriteSessionDep) -> str:
        await session.execute(text("INSERT INTO seat VALUES (1)"))
        return "taken"

    assert (await client.post("/seats")).status_code == 201
    response = await client.post("/seats")
    assert (response.status_code, response.json()["code"]) == (409, "UNIQUE_VIOLATION")
    assert people.query("SELECT count(*) FROM seat") == [(1,)]


async def test_error_after_a_statement_rolls_it_back(client: httpx2.AsyncClient, people: People) -> None:
    """One transaction for the whole request: a post with an impossible tag leaves nothing."""
    ada = people.add()
    people.query("ALTER TABLE tags ADD CONSTRAINT no_x CHECK (name <> 'x')")
    body = {"title": "Engines", "body": "", "tags": ["a", "x"]}
    response = await client.post("/posts", json=body, headers=ada.headers)
    assert (response.status_code, response.json()["code"]) == (422, "CHECK_VIOLATION")
    assert people.query("SELECT (SELECT count(*) FROM posts), (SELECT count(*) FROM tags)") == [(0, 0)]
