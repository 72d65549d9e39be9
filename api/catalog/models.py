"""The table of catalog items."""

from __future__ import annotations

from datetime import date, time  # noqa: TC003  SQLAlchemy resolves annotations at run time
from decimal import Decimal  # noqa: TC003
from typing import Any

from sqlalchemy import CheckConstraint, Index, Numeric, Text
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlalchemy.orm import Mapped, mapped_column

from api.database.base import Base, Timestamps, UuidKey


class CatalogItem(UuidKey, Timestamps, Base):
    """Something on offer, known to the outside by its SKU.

    All prices are in one currency, so that they can be compared, sorted and changed together.
    """

    __tablename__ = "catalog_items"

    sku: Mapped[str] = mapped_column(Text, unique=True)
    name: Mapped[str] = mapped_column(Text)
    description: Mapped[str] = mapped_column(Text)
    price: Mapped[Decimal] = mapped_column(Numeric(12, 2))
    attributes: Mapped[dict[str, Any]] = mapped_column(JSONB)
    labels: Mapped[list[str]] = mapped_column(ARRAY(Text))
    barcode: Mapped[str | None] = mapped_column(Text)
    available_from: Mapped[date | None]
    available_until: Mapped[date | None]
    order_cutoff: Mapped[time | None]

    __table_args__ = (
        CheckConstraint("price >= 0", name="price"),
        CheckConstraint("jsonb_typeof(attributes) = 'object'", name="attributes_object"),
        # A change merges attributes on the server, so only the server can say how large they become.
        CheckConstraint("octet_length(attributes::text) <= 16384", name="attributes_size"),
        CheckConstraint("available_from <= available_until", name="available"),
        Index("ix_catalog_items_price_id", "price", "id"),
        Index("ix_catalog_items_name_id", "name", "id"),
        # jsonb_path_ops answers containment only, from an index a third smaller and more selective.
        Index(
            "ix_catalog_items_attributes",
            "attributes",
            postgresql_using="gin",
            postgresql_ops={"attributes": "jsonb_path_ops"},
        ),
        Index("ix_catalog_items_labels", "labels", postgresql_using="gin"),
        # Asked for by equality alone; several items may share a barcode.
        Index("ix_catalog_items_barcode", "barcode", postgresql_using="hash"),
    )


#: The names by which refused values are told apart.
ATTRIBUTES_SIZE = "ck_catalog_items_attributes_size"
AVAILABLE = "ck_catalog_items_available"
