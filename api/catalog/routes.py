"""The catalog's routes: everyone reads it, moderators write it."""

from __future__ import annotations

from typing import Annotated

from fastapi import Path, Query, Response, status

from api.auth.current_user import Moderator, RoleRequiredError
from api.catalog import service
from api.catalog.schemas import (
    ImportCreate,
    ImportRead,
    ItemPut,
    ItemQuery,
    ItemRead,
    ItemUpdate,
    RepriceCreate,
    RepriceRead,
    Sku,
)
from api.catalog.service import (
    AttributesTooLargeError,
    AvailabilityReversedError,
    DuplicateSkuError,
    ItemNotFoundError,
    PriceOutOfRangeError,
)
from api.database.session import ReadSessionDep, WriteSessionDep  # noqa: TC001
from api.web.idempotency import IdempotencyKeyReusedError, OnceDep
from api.web.openapi import problem_responses
from api.web.pagination import InvalidCursorError, Page
from api.web.problems import UnauthorizedError
from api.web.routing import resource_router

router = resource_router("catalog", "/catalog")

_Sku = Annotated[Sku, Path(description="Upper-case letters, digits, `.`, `_` and `-`.")]
_FOR_MODERATORS = (UnauthorizedError, RoleRequiredError)
_REFUSED = (AttributesTooLargeError, AvailabilityReversedError)


@router.get("/items", responses=problem_responses(InvalidCursorError))
async def list_catalog_items(session: ReadSessionDep, query: Annotated[ItemQuery, Query()]) -> Page[ItemRead]:
    """List items by attributes, labels, price, day and barcode."""
    return await service.page(session, query)


@router.get("/items/{sku}", responses=problem_responses(ItemNotFoundError))
async def read_catalog_item(session: ReadSessionDep, sku: _Sku) -> ItemRead:
    """Return an item."""
    return await service.read(session, sku)


@router.put(
    "/items/{sku}",
    responses={
        status.HTTP_201_CREATED: {"model": ItemRead, "description": "The item is new."},
        **problem_responses(*_FOR_MODERATORS, *_REFUSED),
    },
)
async def put_catalog_item(
    _: Moderator, session: WriteSessionDep, sku: _Sku, sent: ItemPut, response: Response
) -> ItemRead:
    """Create an item, or replace the one with this SKU; harmless when repeated. For moderators and admins."""
    item, created = await service.put(session, sku, sent)
    if created:
        response.status_code = status.HTTP_201_CREATED
    return item


@router.patch("/items/{sku}", responses=problem_responses(*_FOR_MODERATORS, ItemNotFoundError, *_REFUSED))
async def update_catalog_item(
    _: Moderator, session: WriteSessionDep, sku: _Sku, sent: ItemUpdate
) -> ItemRead:
    """Change the fields that are sent; attributes are merged by name. For moderators and admins."""
    return await service.update(session, sku, sent)


@router.delete(
    "/items/{sku}",
    status_code=status.HTTP_204_NO_CONTENT,
    responses=problem_responses(*_FOR_MODERATORS, ItemNotFoundError),
)
async def delete_catalog_item(_: Moderator, session: WriteSessionDep, sku: _Sku) -> None:
    """Delete an item, for good. For moderators and admins."""
    await service.delete(session, sku)


@router.post("/import", responses=problem_responses(*_FOR_MODERATORS, DuplicateSkuError, *_REFUSED))
async def import_catalog_items(_: Moderator, session: WriteSessionDep, sent: ImportCreate) -> ImportRead:
    """Create or replace many items, all or none; harmless when repeated. For moderators and admins."""
    return await service.import_items(session, sent)


@router.post(
    "/reprice",
    response_model=RepriceRead,
    responses=problem_responses(*_FOR_MODERATORS, PriceOutOfRangeError, IdempotencyKeyReusedError),
)
async def reprice_catalog_items(
    moderator: Moderator, session: WriteSessionDep, once: OnceDep, sent: RepriceCreate
) -> Response:
    """Change the prices of all items with these labels by a percentage. For moderators and admins.

    The arithmetic is decimal and exact; each price is then rounded half up to two places. Send an
    `Idempotency-Key`: repeated without one, it changes the prices again.
    """
    return await once(moderator.id, lambda: service.reprice(session, sent))
