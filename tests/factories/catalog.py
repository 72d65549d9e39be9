"""The catalog."""

from __future__ import annotations

from decimal import Decimal

from polyfactory import Use

from api.catalog.models import CatalogItem
from infra.testing.factories import Factory


class CatalogItemFactory(Factory[CatalogItem]):
    """Without attributes or labels."""

    price = Decimal("9.90")
    attributes = Use(dict)
    labels = Use(list)
