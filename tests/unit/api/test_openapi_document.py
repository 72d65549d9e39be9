"""The OpenAPI document is complete: whoever reads it alone can call every operation."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from tests.support.operations import Operation, document, operations, resolve

if TYPE_CHECKING:
    from collections.abc import Iterator

#: Properties and parameters whose name says it all, besides ids of other things.
SELF_EVIDENT = {
    "amount", "body", "created_at", "description", "detail", "email", "headline", "id", "joined_at", "labels",
    "member_count", "memo", "name", "password", "price", "role", "sku", "slug", "status", "tags", "title",
    "updated_at", "username",
}  # fmt: skip


def is_explained(name: str, schema: dict[str, Any]) -> bool:
    """Return whether a property says what it is, itself or by its type; what may be null has to."""
    choices = schema.get("anyOf", [])
    if any("description" in part for part in (schema, resolve(schema), *choices)):
        return True
    return {"type": "null"} not in choices and (name in SELF_EVIDENT or name.endswith("_id"))


def schemas() -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield the document's schemas by name."""
    yield from document()["components"]["schemas"].items()


class TestOperations:
    def test_ids_are_unique(self) -> None:
        """Generated clients name functions by them."""
        assert [name for name, count in Counter(op.id for op in operations()).items() if count > 1] == []

    def test_each_is_described_and_belongs_to_a_resource(self) -> None:
        """The description is the route's docstring."""
        assert [op.id for op in operations() if not op.definition.get("description")] == []
        assert [op.id for op in operations() if len(op.definition["tags"]) != 1] == []

    def test_errors_are_problem_documents(self) -> None:
        """All but the report of `/readyz`, which says in detail what is not ready."""
        wrong = [
            (op.id, status)
            for op in operations()
            for status, response in op.definition["responses"].items()
            if status[0] not in "123" and list(response["content"]) != ["application/problem+json"]
        ]
        assert wrong == [("readyz", "503")]

    def test_what_may_go_wrong_is_declared(self) -> None:
        """By what an operation takes: a token, a key, a cursor, a key of idempotency."""
        missing = [(op.id, code) for op in operations() for code in expected_codes(op) if not has(op, code)]
        assert missing == []

    def test_parameters_are_explained(self) -> None:
        """In their own words, or by their name."""
        unexplained = [
            (op.id, parameter["name"])
            for op in operations()
            for place in ("path", "query", "header")
            for parameter in op.parameters(place)
            if "description" not in parameter and not is_explained(parameter["name"], parameter["schema"])
        ]
        assert unexplained == []


class TestSchemas:
    def test_properties_are_explained(self) -> None:
        """In their own words, or by their name."""
        unexplained = [
            (name, key)
            for name, schema in schemas()
            for key, part in schema.get("properties", {}).items()
            if not is_explained(key, part)
        ]
        assert unexplained == []

    def test_requests_take_no_unknown_fields(self) -> None:
        """A misspelt field is an error and not a silence."""
        bodies = [op.definition["requestBody"]["content"] for op in operations() if op.body is not None]
        open_ = [
            body
            for body in bodies
            if resolve(body["application/json"]["schema"]).get("additionalProperties") is not False
        ]
        assert open_ == []

    def test_password_hashes_are_in_none(self) -> None:
        """Nobody asks for them and nobody gets them."""
        assert "hash" not in str(document()).lower()


class TestLinks:
    def test_each_page_leads_to_the_next(self) -> None:
        """With the filters that the first was asked for with."""
        for op in operations():
            if "next_cursor" in op.response(200).get("properties", {}):
                link = op.definition["responses"]["200"]["links"]["next_page"]
                assert link["operationId"] == op.id
                taken = {
                    parameter["name"] for place in ("path", "query") for parameter in op.parameters(place)
                }
                assert link["parameters"].keys() == taken
                assert link["parameters"]["cursor"] == "$response.body#/next_cursor"


def expected_codes(operation: Operation) -> Iterator[str]:
    """Yield the codes of what can go wrong with what an operation takes."""
    if operation.needs_user:
        yield "UNAUTHORIZED"
    if operation.definition.get("security"):
        yield from ("TOKEN_INVALID", "TOKEN_EXPIRED")
    if any(parameter["name"] == "cursor" for parameter in operation.parameters("query")):
        yield "INVALID_CURSOR"
    if any(parameter["name"] == "idempotency-key" for parameter in operation.parameters("header")):
        yield "IDEMPOTENCY_KEY_REUSED"
    if operation.definition.get("parameters") or operation.body is not None:
        yield "VALIDATION_FAILED"
    # What is put under a key of the client's is made where it is missing.
    made = operation.method == "PUT" and "201" in operation.definition["responses"]
    if operation.parameters("path") and not made:
        yield "NOT_FOUND"


def has(operation: Operation, code: str) -> bool:
    """Return whether an operation declares a code, or one that ends so."""
    descriptions = (response["description"] for response in operation.definition["responses"].values())
    return any(f"{code}`" in description for description in descriptions)
