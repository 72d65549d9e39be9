"""Importing many items, and changing many prices."""

from __future__ import annotations

import asyncio
from decimal import ROUND_HALF_UP, Decimal
from typing import TYPE_CHECKING, Any, Final

import pytest

from tests.support.journeys import problem

if TYPE_CHECKING:
    import httpx2

    from tests.support.people import People, Person

pytestmark = pytest.mark.asyncio

CENT: Final = Decimal("0.01")
_SLOW_DOWN: Final = """
CREATE FUNCTION slow() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN PERFORM pg_sleep(0.003); RETURN NEW; END
$$
"""


@pytest.fixture
def moderator(people: People) -> Person:
    """Who may write the catalog."""
    return people.add("mod", "moderator")


def new(sku: str, price: str = "1.00", *labels: str) -> dict[str, Any]:
    return {"sku": sku, "name": sku, "price": price, "labels": list(labels)}


async def send(client: httpx2.AsyncClient, moderator: Person, *items: dict[str, Any]) -> httpx2.Response:
    return await client.post("/catalog/import", json={"items": items}, headers=moderator.headers)


async def reprice(
    client: httpx2.AsyncClient, moderator: Person, percent: str, *labels: str
) -> httpx2.Response:
    body = {"percent": percent, "labels": labels}
    return await client.post("/catalog/reprice", json=body, headers=moderator.headers)


def prices(people: People) -> dict[str, str]:
    return {sku: str(price) for sku, price in people.query("SELECT sku, price FROM catalog_items")}


class TestImport:
    """POST /catalog/import."""

    async def test_five_hundred_items_are_one_statement(
        self, client: httpx2.AsyncClient, moderator: Person, people: People, statement_counts: list[int]
    ) -> None:
        """Those there before are replaced, and repeating it is harmless."""
        await send(client, moderator, new("I0", "5.00", "old"), new("I1"))
        items = [new(f"I{number}", f"{number}.50") for number in range(500)]
        items[7] |= {"barcode": "12345678", "available_from": "2026-01-01"}
        first, again = await send(client, moderator, *items), await send(client, moderator, *items)
        assert (first.status_code, first.json()) == (200, {"created": 498, "replaced": 2})
        assert again.json() == {"created": 0, "replaced": 500}
        assert prices(people) == {item["sku"]: item["price"] for item in items}
        # The user, BEGIN, the statement, COMMIT.
        assert statement_counts == [4, 4, 4]

    async def test_refused_import_changes_nothing(
        self, client: httpx2.AsyncClient, moderator: Person, people: People
    ) -> None:
        """An SKU twice, and any item that breaks a rule."""
        twice = await send(client, moderator, new("A"), new("B"), new("A", "2.00"))
        assert (problem(twice), twice.json()["skus"]) == ((422, "DUPLICATE_SKU"), ["A"])
        large = await send(client, moderator, new("A"), new("B") | {"attributes": {"a": "x" * 17_000}})
        assert problem(large) == (422, "ATTRIBUTES_TOO_LARGE")
        days = {"available_from": "2026-01-02", "available_until": "2026-01-01"}
        assert problem(await send(client, moderator, new("A"), new("B") | days)) == (
            422,
            "AVAILABILITY_REVERSED",
        )
        assert prices(people) == {}

    async def test_imports_and_price_changes_at_once_never_deadlock(
        self, client: httpx2.AsyncClient, moderator: Person, people: People
    ) -> None:
        """In whatever order the items are sent, or lie in the table: all of them lock by SKU."""
        items = [new(f"I{number:03}", "100.00", "a") for number in range(40)]
        await send(client, moderator, *items[20:])
        await send(client, moderator, *items[:20])
        # Slow enough that each meets the others halfway.
        people.query(_SLOW_DOWN)
        people.query(
            "CREATE TRIGGER slow BEFORE UPDATE ON catalog_items FOR EACH ROW EXECUTE FUNCTION slow()"
        )
        responses = await asyncio.gather(
            send(client, moderator, *items),
            send(client, moderator, *reversed(items)),
            reprice(client, moderator, "10", "a"),
            reprice(client, moderator, "20", "a"),
        )
        assert {response.status_code for response in responses} == {200}
        # The same for all: each statement saw all items before or after each other's change.
        assert len(set(prices(people).values())) == 1


class TestReprice:
    """POST /catalog/reprice."""

    async def test_request_sent_again_changes_prices_once(
        self, client: httpx2.AsyncClient, moderator: Person, people: People
    ) -> None:
        """By its key: a percentage is not harmless when repeated."""
        await send(client, moderator, new("A", "100.00", "x"))
        body, headers = {"percent": "10", "labels": ["x"]}, moderator.headers | {"Idempotency-Key": "k"}
        for _ in range(2):
            response = await client.post("/catalog/reprice", json=body, headers=headers)
            assert (response.status_code, response.json()) == (200, {"repriced": 1})
        other = await client.post("/catalog/reprice", json=body | {"percent": "20"}, headers=headers)
        assert problem(other) == (422, "IDEMPOTENCY_KEY_REUSED")
        assert prices(people) == {"A": "110.00"}

    async def test_is_exact_and_rounds_half_up(
        self, client: httpx2.AsyncClient, moderator: Person, people: People
    ) -> None:
        """As decimal arithmetic has it, of the items that have all the labels; the others stay."""
        before = ["0.00", "0.01", "0.05", "19.90", "33.33", "8264462809.91"]
        items = [new(f"I{number}", price, "a", "b") for number, price in enumerate(before)]
        for percent in ("10", "-12.55", "0.01", "-99.99", "15.5"):
            await send(client, moderator, *items, new("OTHER", "1.00", "a"))
            response = await reprice(client, moderator, percent, "a", "b")
            assert response.json() == {"repriced": len(before)}
            factor = (100 + Decimal(percent)) / 100
            expected = [(Decimal(price) * factor).quantize(CENT, ROUND_HALF_UP) for price in before]
            found = prices(people)
            assert found.pop("OTHER") == "1.00"
            assert [found[item["sku"]] for item in items] == [str(price) for price in expected]

    async def test_price_that_does_not_fit_changes_none(
        self, client: httpx2.AsyncClient, moderator: Person, people: People
    ) -> None:
        """All or nothing."""
        await send(client, moderator, new("A", "1.00", "x"), new("B", "9999999999.99", "x"))
        assert problem(await reprice(client, moderator, "1", "x")) == (422, "PRICE_OUT_OF_RANGE")
        assert prices(people) == {"A": "1.00", "B": "9999999999.99"}

    async def test_changes_at_once_add_up(
        self, client: httpx2.AsyncClient, moderator: Person, people: People
    ) -> None:
        """None is lost: each multiplies what the other left."""
        await send(client, moderator, new("A", "100.00", "x"))
        await asyncio.gather(*(reprice(client, moderator, "100", "x") for _ in range(4)))
        assert prices(people) == {"A": "1600.00"}
