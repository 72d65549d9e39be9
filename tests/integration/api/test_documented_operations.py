"""Every operation of the OpenAPI document, asked for as it documents itself."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest

from api.database.session import write
from infra.testing.statements import count_statements
from tests.support.operations import Operation, operations
from tests.support.samples import add_samples

if TYPE_CHECKING:
    import httpx2

    from api.database.session import ReadSession
    from tests.support.people import People, Person

pytestmark = pytest.mark.asyncio


async def ask(
    client: httpx2.AsyncClient,
    operation: Operation,
    keys: dict[str, Any],
    person: Person | None = None,
    query: dict[str, Any] | None = None,
) -> httpx2.Response:
    """Send the documented example of a request, with these keys in its path."""
    return await client.request(
        operation.method,
        operation.path.format(**keys),
        params=operation.query() if query is None else query,
        json=operation.body,
        headers=person.headers if person else {},
    )


class TestExamples:
    async def test_each_is_accepted(
        self, client: httpx2.AsyncClient, people: People, read_session: ReadSession
    ) -> None:
        """Or refused by a rule of the domain, never because of its form."""
        admin = people.add(role="admin")
        async with write(read_session) as session:
            keys = await add_samples(session, admin.id, 3)
        refused = []
        # What deletes comes last: until then there is something to ask about.
        for operation in sorted(operations(), key=lambda one: one.method == "DELETE"):
            response = await ask(client, operation, keys, admin)
            if "VALIDATION_FAILED" in response.text:
                refused.append((operation.id, response.json()["errors"]))
        assert refused == []


class TestSecurity:
    async def test_it_is_declared_exactly_where_a_user_is_needed(
        self, client: httpx2.AsyncClient, people: People
    ) -> None:
        """Asked for by nobody: 401 there, and anything else elsewhere."""
        keys = {
            parameter["name"]: uuid4()
            for operation in operations()
            for parameter in operation.parameters("path")
        }
        wrong = []
        for operation in operations():
            response = await ask(client, operation, keys)
            if ('"UNAUTHORIZED"' in response.text) != operation.needs_user:
                wrong.append((operation.id, response.text))
        assert wrong == []


class TestLists:
    async def test_statements_do_not_grow_with_rows(
        self, client: httpx2.AsyncClient, people: People, read_session: ReadSession
    ) -> None:
        """Two at most, the one for the current user included, in lists of any length."""
        admin = people.add(role="admin")
        lists = [operation for operation in operations() if "items" in _properties(operation)]

        async def measure() -> dict[str, tuple[int, int]]:
            """Return the numbers of statements and of items of each list."""
            found = {}
            for operation in lists:
                query = operation.query(only_required=True) | {"limit": 100}
                with count_statements() as statements:
                    response = await ask(client, operation, keys, admin, query)
                found[operation.id] = len(statements), len(response.json()["items"])
            return found

        async with write(read_session) as session:
            keys = await add_samples(session, admin.id, 3)
        few = await measure()
        async with write(read_session) as session:
            keys = await add_samples(session, admin.id, 60)
        many = await measure()
        for name, (statements, items) in few.items():
            assert 3 <= items < many[name][1], (name, items, many[name][1])
            assert statements == many[name][0] <= 2, name


def _properties(operation: Operation) -> dict[str, Any]:
    return operation.response(200).get("properties", {}) if operation.method == "GET" else {}
