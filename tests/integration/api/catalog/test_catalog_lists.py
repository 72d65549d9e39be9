"""Listing catalog items by what they are, and cursors of every order."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import pytest

from tests.support.journeys import problem

if TYPE_CHECKING:
    import httpx2

    from tests.support.people import People

pytestmark = pytest.mark.asyncio

_ITEMS = """
INSERT INTO catalog_items (id, sku, name, description, price, attributes, labels, barcode, available_from,
                           available_until)
VALUES (gen_random_uuid(), 'A', 'Apron', '', 20, '{"color": "red", "size": 42}', '{kitchen,sale}', '12345678',
        NULL, '2026-06-30'),
       (gen_random_uuid(), 'B', 'Bowl', '', 10.50, '{"color": "red", "size": "42"}', '{kitchen}', '12345678',
        '2026-07-01', NULL),
       (gen_random_uuid(), 'C', 'Cap', '', 10.50, '{"color": "true", "sizes": ["S", "M"]}', '{sale}', NULL,
        NULL, NULL),
       (gen_random_uuid(), 'D', 'Cap', '', 0, '{"color": true, "care": {"wash": 40, "iron": false}}', '{}',
        NULL, '2026-06-30', '2026-07-01')
"""


@pytest.fixture(autouse=True)
def items(people: People) -> None:
    """Four items."""
    people.query(_ITEMS)


async def listed(client: httpx2.AsyncClient, **parameters: Any) -> str:
    """Return the SKUs of the list, in its order."""
    response = await client.get("/catalog/items", params=parameters)
    assert response.status_code == 200, response.text
    return "".join(item["sku"] for item in response.json()["items"])


#: Conditions, and whom they let through.
CONDITIONS: Final[list[tuple[dict[str, Any], str]]] = [
    ({"attribute": "color:red"}, "AB"),
    ({"attribute": "size:42"}, "A"),
    ({"attribute": 'size:"42"'}, "B"),
    ({"attribute": "color:true"}, "D"),
    ({"attribute": 'color:"true"'}, "C"),
    ({"attribute": 'sizes:["M"]'}, "C"),
    ({"attribute": "sizes:M"}, ""),
    ({"attribute": ['sizes:["M"]', 'sizes:["S"]']}, "C"),
    ({"attribute": 'care:{"wash":40}'}, "D"),
    ({"attribute": ["color:red", "color:true"]}, ""),
    ({"attribute": ["color:red", "size:42"]}, "A"),
    ({"attribute": "color:NaN"}, ""),
    ({"attribute": "color:1e999"}, ""),
    ({"attribute": "color:[[[["}, ""),
    ({"attribute": "color:"}, ""),
    ({"label": "kitchen"}, "AB"),
    ({"label": ["kitchen", "sale"]}, "A"),
    ({"min_price": "10.50"}, "ABC"),
    ({"max_price": "10.50"}, "BCD"),
    ({"min_price": "10.51", "max_price": "19.99"}, ""),
    ({"barcode": "12345678"}, "AB"),
    ({"barcode": "12345679"}, ""),
    ({"available_on": "2026-06-30"}, "ACD"),
    ({"available_on": "2026-07-01"}, "BCD"),
    ({"available_on": "2026-07-02"}, "BC"),
    ({"label": "kitchen", "attribute": "color:red", "max_price": "11"}, "B"),
]


class TestListItems:
    """GET /catalog/items."""

    async def test_conditions_hold_together(self, client: httpx2.AsyncClient) -> None:
        """Each by itself, and several of them."""
        for parameters, skus in CONDITIONS:
            assert (parameters, "".join(sorted(await listed(client, **parameters)))) == (parameters, skus)

    async def test_pages_of_every_order_hold_every_item_once(
        self, client: httpx2.AsyncClient, statement_counts: list[int]
    ) -> None:
        """Equal prices and names as well; one statement a page."""
        orders = {
            "name": ("A", "B", "CD", "CD"),
            "price": ("D", "BC", "BC", "A"),
            "-price": ("A", "BC", "BC", "D"),
        }
        for sort, places in orders.items():
            whole = await listed(client, sort=sort)
            assert all(sku in place for sku, place in zip(whole, places, strict=True))
            found, parameters = "", {"sort": sort, "limit": "1"}
            for _ in range(4):
                page = (await client.get("/catalog/items", params=parameters)).json()
                found += page["items"][0]["sku"]
                parameters["cursor"] = page["next_cursor"]
            assert page["next_cursor"] is None
            assert found == whole
        assert set(statement_counts) == {1}

    async def test_unusable_parameter_is_refused(self, client: httpx2.AsyncClient) -> None:
        """By the schema, by the order that the cursor is of, or by the server."""
        cases: list[tuple[dict[str, str], tuple[int, str]]] = [
            ({"colour": "red"}, (422, "VALIDATION_FAILED")),
            ({"attribute": r'color:"\u0000"'}, (422, "INVALID_VALUE")),
            ({"sort": "price", "cursor": "x"}, (400, "INVALID_CURSOR")),
        ]
        for parameters, expected in cases:
            assert problem(await client.get("/catalog/items", params=parameters)) == expected
