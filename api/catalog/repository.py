"""Statements about catalog items."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, cast

from sqlalchemy import Numeric, Text, delete, func, literal, or_, select, update
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlalchemy.dialects.postgresql import insert as upsert

from api.catalog.models import CatalogItem
from api.catalog.schemas import ItemSort
from api.database.base import uuid7
from api.database.repository import Repository
from api.web.pagination import KeyColumn, cut, keyset

if TYPE_CHECKING:
    from collections.abc import Sequence
    from decimal import Decimal

    from sqlalchemy import CursorResult

    from api.catalog.schemas import ItemQuery
    from api.database.session import ReadSession, WriteSession

_BY_NAME = (CatalogItem.name, CatalogItem.id)
_BY_PRICE = (CatalogItem.price, CatalogItem.id)
_ORDERS: Final[dict[ItemSort, tuple[tuple[KeyColumn, ...], bool]]] = {
    ItemSort.NAME: (_BY_NAME, False),
    ItemSort.PRICE: (_BY_PRICE, False),
    ItemSort.PRICE_DESCENDING: (_BY_PRICE, True),
}
_KEPT: Final = {"id", "sku", "created_at", "updated_at"}


class CatalogRepository(Repository[CatalogItem]):
    """Statements about the table `catalog_items`."""

    async def find(self, session: ReadSession, sku: str) -> CatalogItem | None:
        """Return the item with this SKU."""
        return (await session.scalars(select(CatalogItem).where(CatalogItem.sku == sku))).one_or_none()

    async def page(self, session: ReadSession, query: ItemQuery) -> tuple[list[CatalogItem], str | None]:
        """Return a page of the items that match, and the next page's cursor."""
        order, descending = _ORDERS[query.sort]
        statement = select(CatalogItem)
        for attribute in query.contained():
            statement = statement.where(CatalogItem.attributes.contains(attribute))
        if query.label:
            statement = statement.where(CatalogItem.labels.contains(query.label))
        if query.min_price is not None:
            statement = statement.where(CatalogItem.price >= query.min_price)
        if query.max_price is not None:
            statement = statement.where(CatalogItem.price <= query.max_price)
        if query.barcode is not None:
            statement = statement.where(CatalogItem.barcode == query.barcode)
        if (day := query.available_on) is not None:
            begun = or_(CatalogItem.available_from.is_(None), CatalogItem.available_from <= day)
            lasts = or_(CatalogItem.available_until.is_(None), CatalogItem.available_until >= day)
            statement = statement.where(begun, lasts)
        rows = await self.list(
            session, keyset(statement, order, query.cursor, query.limit, descending=descending)
        )
        return cut(rows, order, query.limit)

    async def put(self, session: WriteSession, values: dict[str, Any]) -> tuple[CatalogItem, bool]:
        """Insert an item or replace the one with its SKU; return it and whether it is new.

        Raises:
            ConstraintViolationError: A constraint refused it.
        """
        key = uuid7()
        item = (await session.scalars(_PUT.values(id=key, **values).returning(CatalogItem))).one()
        # A row that was there kept its own key.
        return item, item.id == key

    async def put_all(self, session: WriteSession, items: Sequence[dict[str, Any]]) -> int:
        """Insert or replace items, each SKU once, in one statement; return how many are new.

        Raises:
            ConstraintViolationError: A constraint refused one of them.
        """
        # ItemSorted: two imports of the same items wait for each other in one order.
        rows = [{"id": uuid7(), **item} for item in sorted(items, key=lambda item: str(item["sku"]))]
        # With their nulls: left out, they would make rows of several kinds, and each kind a statement.
        options = {"render_nulls": True}
        keys = set(await session.scalars(_PUT.returning(CatalogItem.id), rows, execution_options=options))
        return len(keys & {row["id"] for row in rows})

    async def update(self, session: WriteSession, sku: str, changes: dict[str, Any]) -> CatalogItem | None:
        """Change some columns, merging attributes, and return the row; `None` when there is none.

        Raises:
            ConstraintViolationError: A constraint refused the change.
        """
        values = dict(changes)
        if "attributes" in changes:
            values["attributes"] = _merged(changes["attributes"])
        statement = update(CatalogItem).where(CatalogItem.sku == sku).values(values).returning(CatalogItem)
        return (await session.scalars(statement)).one_or_none()

    async def reprice(self, session: WriteSession, labels: list[str], factor: Decimal) -> int:
        """Multiply the prices of items with all of these labels, rounded half up; return how many.

        Raises:
            InvalidValueError: A price would not fit its column.
        """
        # Locked in the order of imports (that of code points), so that neither ends the other by a deadlock.
        matching = (
            select(CatalogItem.id)
            .where(CatalogItem.labels.contains(labels))
            .order_by(CatalogItem.sku.collate("C"))
            .with_for_update()
            .cte("matching")
        )
        # The factor's own type, not the column's, which would round it to two places first.
        price = func.round(CatalogItem.price * literal(factor, Numeric), 2)
        statement = (
            update(CatalogItem)
            .where(CatalogItem.id == matching.c.id)
            .values(price=price)
            .execution_options(synchronize_session=False)
        )
        result = cast("CursorResult[Any]", await session.execute(statement))
        return result.rowcount

    async def remove(self, session: WriteSession, sku: str) -> bool:
        """Delete an item; return whether there was one."""
        statement = delete(CatalogItem).where(CatalogItem.sku == sku).returning(CatalogItem.id)
        return (await session.scalars(statement)).one_or_none() is not None


_INSERT = upsert(CatalogItem)
_PUT = _INSERT.on_conflict_do_update(
    index_elements=[CatalogItem.sku],
    set_={column.name: column for column in _INSERT.excluded if column.name not in _KEPT},
)


def _merged(changes: dict[str, Any]) -> Any:
    """Return the attributes after a merge at one level: null takes one away (RFC 7396, not recursive)."""
    kept = {name: value for name, value in changes.items() if value is not None}
    gone = [name for name, value in changes.items() if value is None]
    left = CatalogItem.attributes.op("-", return_type=JSONB())(literal(gone, ARRAY(Text)))
    return left.concat(literal(kept, JSONB))


catalog_items = CatalogRepository(CatalogItem)
