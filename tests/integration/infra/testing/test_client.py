"""The client that hides nothing, and the counting of statements."""

from __future__ import annotations

import pytest
import pytest_asyncio
from sqlalchemy import text

from api.database.engine import dispose
from api.database.session import write
from infra.testing.application import ServerError, forget_settings, make_client
from infra.testing.lazy_loads import LazyLoadError
from infra.testing.statements import count_statements
from tests.support.library import Author, Book, make_library
from tests.support.library import app as library_app


@pytest_asyncio.fixture
async def app(database, monkeypatch):
    """The library instead of the project's own application."""
    monkeypatch.setenv("DATABASE_URL", database.pooled.libpq())
    monkeypatch.setenv("BOUGH_ENVIRONMENT", "test")
    forget_settings()
    make_library(database)
    yield library_app
    await dispose()
    forget_settings()


@pytest.mark.asyncio
class TestMakeClient:
    async def test_reads_what_was_committed(self, client, read_session):
        """What `write(read_session)` leaves behind is what the application sees."""
        async with write(read_session) as session:
            session.add(Author(name="Eve", books=[Book(title="Three")]))
        response = await client.get("/eager")
        assert (response.status_code, response.json()) == (200, ["One", "Two", "One", "Two", "Three"])

    async def test_hidden_lazy_load_fails_the_request(self, client):
        """The test that asked gets the attribute's name and the remedy."""
        with pytest.raises(LazyLoadError, match=r"Author\.books .*selectinload"):
            await client.get("/lazy")

    async def test_error_that_nobody_handles_is_raised(self, client):
        """The application's own exception reaches the test."""
        with pytest.raises(ValueError, match="turns into a 500"):
            await client.get("/broken")

    async def test_answer_of_500_is_raised(self):
        """An application that answers for its exceptions hides none either."""

        async def application(scope, receive, send):
            await send({"type": "http.response.start", "status": 500, "headers": []})
            await send({"type": "http.response.body", "body": b""})

        async with make_client(application) as client:
            with pytest.raises(ServerError, match="GET /any was answered with 500"):
                await client.get("/any")

    async def test_other_errors_are_answers(self, client):
        """What a client is told, a test may look at."""
        assert (await client.get("/nothing")).status_code == 404


@pytest.mark.asyncio
class TestCountStatements:
    async def test_number_shows_one_statement_for_every_row(self, client):
        """Good code sends two for any number of authors; the other sends one more for each."""
        with count_statements() as good:
            await client.get("/eager")
        with count_statements() as bad:
            await client.get("/n-plus-1")
        assert (len(good), len(bad)) == (2, 3)
        assert all(statement.startswith("SELECT book.title") for statement in bad[1:])

    async def test_transaction_control_does_not_count(self, read_session):
        """The numbers are those of the statements that somebody wrote."""
        with count_statements() as statements:
            async with write(read_session) as session:
                await session.execute(text("SELECT 1"))
        assert statements == ["SELECT 1"]
