"""Reading and writing catalog items one by one."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Final

import pytest

from tests.support.journeys import problem

if TYPE_CHECKING:
    import httpx2

    from tests.support.people import People, Person

pytestmark = pytest.mark.asyncio

PATH: Final = "/catalog/items/TEE-RED-M"
EMPTY: Final = {
    "description": "",
    "attributes": {},
    "labels": [],
    "barcode": None,
    "available_from": None,
    "available_until": None,
    "order_cutoff": None,
}
TEE: Final = {
    "name": "Red T-shirt",
    "description": "Cotton.",
    "price": "19.90",
    "attributes": {"color": "red", "sizes": ["S", "M"], "care": {"wash": 40}, "weight_g": 180.5},
    "labels": ["clothing", "summer"],
    "barcode": "4006381333931",
    "available_from": "2026-03-01",
    "available_until": "2026-09-30",
    "order_cutoff": "16:30:00",
}


@pytest.fixture
def moderator(people: People) -> Person:
    """Who may write the catalog."""
    return people.add("mod", "moderator")


async def put(client: httpx2.AsyncClient, moderator: Person, **changes: Any) -> httpx2.Response:
    return await client.put(PATH, json=TEE | changes, headers=moderator.headers)


class TestPutItem:
    """PUT /catalog/items/{sku}."""

    async def test_creates_then_replaces_with_one_statement(
        self,
        client: httpx2.AsyncClient,
        moderator: Person,
        people: People,
        statement_counts: list[int],
    ) -> None:
        """201, then 200; what is not sent the second time is empty afterwards."""
        created = await put(client, moderator)
        item = created.json()
        assert (created.status_code, item) == (201, TEE | {"sku": "TEE-RED-M"} | _times(item))
        replaced = await client.put(PATH, json={"name": "Tee", "price": "5"}, headers=moderator.headers)
        after = replaced.json()
        expected = EMPTY | {"sku": "TEE-RED-M", "name": "Tee", "price": "5.00"} | _times(after)
        assert (replaced.status_code, after) == (200, expected)
        assert after["created_at"] == item["created_at"]
        assert after["updated_at"] > item["updated_at"]
        assert people.query("SELECT count(*) FROM catalog_items") == [(1,)]
        # The user, BEGIN, the statement, COMMIT.
        assert statement_counts == [4, 4]

    async def test_item_is_created_once_by_many_at_once(
        self, client: httpx2.AsyncClient, moderator: Person, people: People
    ) -> None:
        """One gets 201, the others replace it."""
        responses = await asyncio.gather(*(put(client, moderator, price=f"{n}.00") for n in range(4)))
        assert sorted(response.status_code for response in responses) == [200, 200, 200, 201]
        assert people.query("SELECT count(*) FROM catalog_items") == [(1,)]

    async def test_largest_price_is_exact(self, client: httpx2.AsyncClient, moderator: Person) -> None:
        """A float would have lost its cents."""
        assert (await put(client, moderator, price="9999999999.99")).json()["price"] == "9999999999.99"

    async def test_unacceptable_item_is_refused(
        self, client: httpx2.AsyncClient, moderator: Person, people: People
    ) -> None:
        """By the schema, by the server where JSON can say what JSONB cannot hold, and by the path."""
        assert problem(await put(client, moderator, price=19.9)) == (422, "VALIDATION_FAILED")
        for value in (r'"\u0000"', r'"\ud800"', "1e999", "NaN"):
            body = '{"name": "n", "price": "1", "attributes": {"a": ' + value + "}}"
            assert problem(await client.put(PATH, content=body, headers=_json(moderator)))[0] == 422
        for sku in ("tee", "T%20", "T%00", "%C3%84"):
            response = await client.put(f"/catalog/items/{sku}", json=TEE, headers=moderator.headers)
            assert problem(response) == (422, "VALIDATION_FAILED")
        assert people.query("SELECT count(*) FROM catalog_items") == [(0,)]

    async def test_rule_of_the_table_has_a_code_of_its_own(
        self, client: httpx2.AsyncClient, moderator: Person
    ) -> None:
        """Told apart by the constraint's name."""
        large = await put(client, moderator, attributes={"text": "x" * 17_000})
        assert problem(large) == (422, "ATTRIBUTES_TOO_LARGE")
        reversed_ = await put(client, moderator, available_until="2026-02-28")
        assert problem(reversed_) == (422, "AVAILABILITY_REVERSED")


class TestReadItem:
    """GET /catalog/items/{sku}."""

    async def test_everyone_reads_with_one_statement(
        self, client: httpx2.AsyncClient, moderator: Person, statement_counts: list[int]
    ) -> None:
        """What was written, without signing in."""
        item = (await put(client, moderator)).json()
        statement_counts.clear()
        assert (await client.get(PATH)).json() == item
        assert statement_counts == [1]

    async def test_unknown_item_is_not_found(self, client: httpx2.AsyncClient) -> None:
        """With a code of its own."""
        assert problem(await client.get(PATH)) == (404, "ITEM_NOT_FOUND")


class TestUpdateItem:
    """PATCH /catalog/items/{sku}."""

    async def test_only_what_is_sent_changes(self, client: httpx2.AsyncClient, moderator: Person) -> None:
        """Null empties what may be empty."""
        before = (await put(client, moderator)).json()
        changes: list[dict[str, Any]] = [
            {"name": "Tee"},
            {"price": "0.00"},
            {"labels": ["sale"]},
            {"barcode": None},
            {"available_from": None, "available_until": "2026-01-01"},
            {"order_cutoff": "08:00:00"},
        ]
        for sent in changes:
            after = (await client.patch(PATH, json=sent, headers=moderator.headers)).json()
            assert after == before | sent | {"updated_at": after["updated_at"]}
            assert after["updated_at"] > before["updated_at"]
            before = after
        assert (await client.patch(PATH, json={}, headers=moderator.headers)).json() == before

    async def test_attributes_are_merged_by_name(self, client: httpx2.AsyncClient, moderator: Person) -> None:
        """A value replaces the whole value; null takes the attribute away; the others stay."""
        await put(client, moderator)
        sent = {"attributes": {"color": "blue", "care": {"iron": False}, "sizes": None, "new": [None]}}
        after = (await client.patch(PATH, json=sent, headers=moderator.headers)).json()
        assert after["attributes"] == {
            "color": "blue",
            "care": {"iron": False},
            "weight_g": 180.5,
            "new": [None],
        }

    async def test_attributes_changed_at_once_are_all_kept(
        self, client: httpx2.AsyncClient, moderator: Person
    ) -> None:
        """The server merges them, so none is lost."""
        await put(client, moderator, attributes={})
        names = [f"a{number}" for number in range(8)]
        await asyncio.gather(
            *(client.patch(PATH, json={"attributes": {name: 1}}, headers=moderator.headers) for name in names)
        )
        assert sorted((await client.get(PATH)).json()["attributes"]) == names

    async def test_change_that_does_not_fit_the_rest_is_refused(
        self, client: httpx2.AsyncClient, moderator: Person
    ) -> None:
        """With the attributes and days that are there already."""
        before = (await put(client, moderator, attributes={"a": "x" * 9000})).json()
        cases: list[tuple[dict[str, Any], str]] = [
            ({"attributes": {"b": "x" * 9000}}, "ATTRIBUTES_TOO_LARGE"),
            ({"available_until": "2026-02-28"}, "AVAILABILITY_REVERSED"),
            ({"name": None}, "VALIDATION_FAILED"),
        ]
        for change, code in cases:
            response = await client.patch(PATH, json=change, headers=moderator.headers)
            assert problem(response) == (422, code)
        assert (await client.get(PATH)).json() == before


class TestDeleteItem:
    """DELETE /catalog/items/{sku}."""

    async def test_item_is_gone(self, client: httpx2.AsyncClient, moderator: Person) -> None:
        """And cannot be deleted or changed again."""
        await put(client, moderator)
        assert (await client.delete(PATH, headers=moderator.headers)).status_code == 204
        assert problem(await client.delete(PATH, headers=moderator.headers)) == (404, "ITEM_NOT_FOUND")
        for sent in ({}, {"name": "n"}):
            response = await client.patch(PATH, json=sent, headers=moderator.headers)
            assert problem(response) == (404, "ITEM_NOT_FOUND")


class TestPermissions:
    """Who may write."""

    async def test_only_moderators_write(
        self, client: httpx2.AsyncClient, people: People, moderator: Person
    ) -> None:
        """Others are told which role it needs, and nothing changes."""
        before = (await put(client, moderator)).json()
        ada = people.add()
        actions: list[tuple[str, str, Any]] = [
            ("PUT", PATH, TEE),
            ("PATCH", PATH, {"name": "n"}),
            ("DELETE", PATH, None),
            ("POST", "/catalog/import", {"items": [TEE | {"sku": "A"}]}),
            ("POST", "/catalog/reprice", {"percent": "1", "labels": ["summer"]}),
        ]
        for method, path, body in actions:
            assert problem(await client.request(method, path, json=body)) == (401, "UNAUTHORIZED")
            refused = await client.request(method, path, json=body, headers=ada.headers)
            assert problem(refused) == (403, "ROLE_REQUIRED")
        assert (await client.get("/catalog/items")).json()["items"] == [before]


def _times(item: dict[str, Any]) -> dict[str, Any]:
    return {name: item[name] for name in ("created_at", "updated_at")}


def _json(person: Person) -> dict[str, str]:
    return person.headers | {"content-type": "application/json"}
