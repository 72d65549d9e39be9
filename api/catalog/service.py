"""The rules about catalog items: what may be on offer, and how prices change."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from api.catalog.models import ATTRIBUTES_SIZE, AVAILABLE, CatalogItem
from api.catalog.repository import catalog_items
from api.catalog.schemas import ImportRead, ItemRead, RepriceRead
from api.database.errors import CheckViolationError, InvalidValueError
from api.web.pagination import Page
from api.web.problems import NotFoundError, UnprocessableError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from api.catalog.schemas import ImportCreate, ItemPut, ItemQuery, ItemUpdate, RepriceCreate
    from api.database.session import ReadSession, WriteSession


class ItemNotFoundError(NotFoundError):
    """No item has this SKU."""

    code = "ITEM_NOT_FOUND"

    def __init__(self) -> None:
        """Say what is missing."""
        super().__init__("There is no such item.")


class AttributesTooLargeError(UnprocessableError):
    """An item's attributes are too large as a whole, perhaps only once merged with those it has."""

    code = "ATTRIBUTES_TOO_LARGE"


class AvailabilityReversedError(UnprocessableError):
    """An item would be on offer until before it is first on offer."""

    code = "AVAILABILITY_REVERSED"


class DuplicateSkuError(UnprocessableError):
    """An import has a SKU twice, so it does not say which item is meant."""

    code = "DUPLICATE_SKU"


class PriceOutOfRangeError(UnprocessableError):
    """A price would become too large to be stored."""

    code = "PRICE_OUT_OF_RANGE"


async def read(session: ReadSession, sku: str) -> ItemRead:
    """Return an item.

    Raises:
        ItemNotFoundError: There is no such item.
    """
    return _read(await catalog_items.find(session, sku))


async def page(session: ReadSession, query: ItemQuery) -> Page[ItemRead]:
    """Return a page of the items that match."""
    rows, next_cursor = await catalog_items.page(session, query)
    return Page(items=[ItemRead.model_validate(row) for row in rows], next_cursor=next_cursor)


async def put(session: WriteSession, sku: str, sent: ItemPut) -> tuple[ItemRead, bool]:
    """Create an item or replace the one with this SKU; return it and whether it is new.

    Raises:
        AttributesTooLargeError: Its attributes are.
        AvailabilityReversedError: Its last day is before its first.
    """
    with _refusals_named():
        item, created = await catalog_items.put(session, {"sku": sku, **sent.model_dump()})
    return ItemRead.model_validate(item), created


async def import_items(session: WriteSession, sent: ImportCreate) -> ImportRead:
    """Create or replace items, all or none.

    Raises:
        DuplicateSkuError: Two of them have one SKU.
        AttributesTooLargeError: One's attributes are.
        AvailabilityReversedError: One's last day is before its first.
    """
    skus = [item.sku for item in sent.items]
    twice = sorted({sku for sku in skus if skus.count(sku) > 1})
    if twice:
        raise DuplicateSkuError("Each SKU may occur once in an import; see `skus`.", skus=twice)
    with _refusals_named():
        created = await catalog_items.put_all(session, [item.model_dump() for item in sent.items])
    return ImportRead(created=created, replaced=len(skus) - created)


async def update(session: WriteSession, sku: str, sent: ItemUpdate) -> ItemRead:
    """Change the fields that were sent.

    Raises:
        ItemNotFoundError: There is no such item.
        AttributesTooLargeError: Its attributes are, once merged.
        AvailabilityReversedError: Its last day would be before its first.
    """
    changes = sent.changes()
    if not changes:
        return await read(session, sku)
    with _refusals_named():
        return _read(await catalog_items.update(session, sku, changes))


async def reprice(session: WriteSession, sent: RepriceCreate) -> RepriceRead:
    """Change the prices of all items with these labels, exactly, then rounded half up to cents.

    Raises:
        PriceOutOfRangeError: A price would be too large; none is changed.
    """
    try:
        repriced = await catalog_items.reprice(session, sent.labels, (100 + sent.percent).scaleb(-2))
    except InvalidValueError as error:
        raise PriceOutOfRangeError("A price would be too large; none was changed.") from error
    return RepriceRead(repriced=repriced)


async def delete(session: WriteSession, sku: str) -> None:
    """Delete an item, for good.

    Raises:
        ItemNotFoundError: There is no such item.
    """
    if not await catalog_items.remove(session, sku):
        raise ItemNotFoundError


def _read(item: CatalogItem | None) -> ItemRead:
    if item is None:
        raise ItemNotFoundError
    return ItemRead.model_validate(item)


@contextmanager
def _refusals_named() -> Iterator[None]:
    """Turn a violated constraint into the error that says which rule it stands for."""
    try:
        yield
    except CheckViolationError as error:
        if error.constraint == ATTRIBUTES_SIZE:
            raise AttributesTooLargeError("The attributes of an item may be 16 KiB of text.") from error
        if error.constraint == AVAILABLE:
            raise AvailabilityReversedError("`available_until` is before `available_from`.") from error
        raise
