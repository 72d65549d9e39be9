"""The OpenAPI document of an application: links that nobody wrote."""

from __future__ import annotations

from typing import Any

import pytest
from fastapi import FastAPI
from pydantic import BaseModel

from api.web.openapi import describe, operation_id
from api.web.pagination import Cursor, Page  # noqa: TC001  FastAPI resolves annotations at run time


class Book(BaseModel):
    """A book."""

    id: int


class Shelf(BaseModel):
    """A shelf, which is known by its place."""

    place: str


@pytest.fixture(scope="module")
def responses() -> dict[str, dict[str, Any]]:
    """The responses of a small library, by operation."""
    app = FastAPI(generate_unique_id_function=operation_id)

    @app.post("/books", status_code=201)
    async def add_book() -> Book: ...

    @app.get("/books/{book_id}")
    async def read_book(book_id: int) -> Book: ...

    @app.put("/books/{book_id}/readers/{reader_id}", status_code=204)
    async def lend_book(book_id: int, reader_id: int) -> None: ...

    @app.get("/books")
    async def list_books(q: str, cursor: Cursor = None) -> Page[Book]: ...

    @app.put("/shelves/{place}", status_code=201)
    async def put_shelf(place: str) -> Shelf: ...

    @app.delete("/shelves/{place}", status_code=204)
    async def delete_shelf(place: str) -> None: ...

    return {
        operation["operationId"]: operation["responses"]
        for path in describe(app)["paths"].values()
        for operation in path.values()
    }


class TestLinks:
    def test_what_has_an_id_leads_to_the_operations_that_take_it(
        self, responses: dict[str, dict[str, Any]]
    ) -> None:
        """`book_id` is the id of what `add_book` made, wherever it is taken; the rest is the client's."""
        parameters = {"book_id": "$response.body#/id"}
        assert responses["add_book"]["201"]["links"] == {
            "read_book": {"operationId": "read_book", "parameters": parameters},
            "lend_book": {"operationId": "lend_book", "parameters": parameters},
        }

    def test_what_has_a_name_of_its_own_leads_by_that(self, responses: dict[str, dict[str, Any]]) -> None:
        """The name stands in the path and in what came back."""
        assert responses["put_shelf"]["201"]["links"] == {
            "delete_shelf": {"operationId": "delete_shelf", "parameters": {"place": "$response.body#/place"}}
        }

    def test_page_leads_to_the_next(self, responses: dict[str, dict[str, Any]]) -> None:
        """With the filters of the first."""
        assert responses["list_books"]["200"]["links"]["next_page"] == {
            "operationId": "list_books",
            "parameters": {"q": "$request.query.q", "cursor": "$response.body#/next_cursor"},
        }

    def test_others_lead_nowhere(self, responses: dict[str, dict[str, Any]]) -> None:
        """A link says what to do next, not all that could be done."""
        assert [
            name for name, codes in responses.items() if any("links" in code for code in codes.values())
        ] == [
            "add_book",
            "list_books",
            "put_shelf",
        ]
