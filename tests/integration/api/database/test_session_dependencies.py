"""The sessions that routes ask for: one a request, committed before the answer."""

from __future__ import annotations

import httpx2
import pytest
import pytest_asyncio
from fastapi import FastAPI
from sqlalchemy import select

from api.database import engine as engine_module
from api.database.errors import ForeignKeyViolationError
from api.database.session import ReadSessionDep, WriteSessionDep  # noqa: TC001  FastAPI reads annotations
from tests.support.notes import Note, texts


class TestDependencies:
    @pytest_asyncio.fixture
    async def client(self, notes_engine, monkeypatch):
        """An application of three routes."""
        monkeypatch.setattr(engine_module, "_engine", notes_engine)
        app = FastAPI()

        @app.post("/notes", status_code=201)
        async def add(session: WriteSessionDep, parent: int | None = None) -> None:
            session.add(Note(text="a", parent_id=parent))
            await session.flush()

        @app.post("/both", status_code=201)
        async def both(writer: WriteSessionDep, reader: ReadSessionDep) -> bool:
            writer.add(Note(text="a"))
            return len((await reader.scalars(select(Note))).all()) == 1

        @app.exception_handler(ForeignKeyViolationError)
        async def conflict(*_):
            return httpx2_response(409)

        def httpx2_response(status):
            from starlette.responses import Response

            return Response(status_code=status)

        transport = httpx2.ASGITransport(app)
        async with httpx2.AsyncClient(transport=transport, base_url="http://test") as client:
            yield client

    @pytest.mark.asyncio
    async def test_commit_that_fails_is_not_acknowledged(self, client, notes_engine):
        """A constraint that speaks at COMMIT turns the answer into a conflict: the commit comes first."""
        assert (await client.post("/notes", params={"parent": 5})).status_code == 409
        assert await texts(notes_engine) == []

    @pytest.mark.asyncio
    async def test_success_is_committed_when_the_answer_arrives(self, client, notes_engine):
        """A 201 means committed."""
        assert (await client.post("/notes")).status_code == 201
        assert await texts(notes_engine) == ["a"]

    @pytest.mark.asyncio
    async def test_both_dependencies_are_one_session(self, client):
        """A reader inside a writing request reads what the request wrote, on the same connection."""
        response = await client.post("/both")
        assert (response.status_code, response.json()) == (201, True)
