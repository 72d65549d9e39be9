"""The planner uses every index of the catalog, on enough rows for it to have a choice."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final

import pytest

from api.catalog.repository import catalog_items
from api.catalog.schemas import ItemQuery
from api.database.session import read
from tests.support.plans import plan

if TYPE_CHECKING:
    from tests.support.people import People

pytestmark = pytest.mark.asyncio

_ITEMS: Final = """
INSERT INTO catalog_items (id, sku, name, description, price, attributes, labels, barcode)
SELECT gen_random_uuid(), 'SKU-' || n, 'Item ' || mod(n, 500), '', mod(n, 3000) / 10.0,
       jsonb_build_object('color', 'c' || mod(n, 1000), 'size', mod(n, 5)),
       ARRAY['l' || mod(n, 1000), 'all'], lpad(n::text, 13, '0')
FROM generate_series(1, 6000) n
"""


async def listed(**parameters: Any) -> str:
    """Return the plan of a list."""
    query = ItemQuery.model_validate(parameters)
    return await plan(lambda session: catalog_items.page(session, query))


class TestPlans:
    """One index for each way to ask."""

    async def test_every_condition_and_order_reads_its_index(self, people: People) -> None:
        """In one database: filling it takes longer than all the plans."""
        people.query(_ITEMS)
        people.query("ANALYZE catalog_items")

        found = await listed()
        assert "Index Scan using ix_catalog_items_name_id" in found
        assert "Sort" not in found

        for sort, direction in (("price", ""), ("-price", "Backward ")):
            found = await listed(sort=sort, min_price="100", max_price="200")
            assert f"Index Scan {direction}using ix_catalog_items_price_id" in found
            assert "Index Cond: ((price >= " in found
            assert "Sort" not in found

        async with read() as session:
            query = ItemQuery.model_validate({"sort": "price"})
            _, cursor = await catalog_items.page(session, query)
        found = await listed(sort="price", cursor=cursor)
        assert "Index Cond: (ROW(price, id) > " in found

        assert "Bitmap Index Scan on ix_catalog_items_attributes" in await listed(attribute=["color:c7"])
        assert "Bitmap Index Scan on ix_catalog_items_labels" in await listed(label=["l7", "all"])
        assert "Index Scan using ix_catalog_items_barcode" in await listed(barcode="0000000000042")
        assert "uq_catalog_items_sku" in await plan(lambda session: catalog_items.find(session, "SKU-7"))
        found = await plan(lambda session: catalog_items.reprice(session, ["l7"], Decimal("1.1")))
        assert "Bitmap Index Scan on ix_catalog_items_labels" in found
        assert "pk_catalog_items" in found
