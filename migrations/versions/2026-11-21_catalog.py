"""Catalog items."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from migrations.operations import create_updated_at_trigger

revision = "20261121_catalog"
down_revision = "20261121_tasks"

phase = "expand"


def upgrade() -> None:
    """Apply the revision, in one transaction."""
    op.create_table(
        "catalog_items",
        sa.Column("id", sa.Uuid, nullable=False),
        sa.Column("sku", sa.Text, nullable=False),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("description", sa.Text, nullable=False),
        sa.Column("price", sa.Numeric(12, 2), nullable=False),
        sa.Column("attributes", postgresql.JSONB, nullable=False),
        sa.Column("labels", sa.ARRAY(sa.Text), nullable=False),
        sa.Column("barcode", sa.Text, nullable=True),
        sa.Column("available_from", sa.Date, nullable=True),
        sa.Column("available_until", sa.Date, nullable=True),
        sa.Column("order_cutoff", sa.Time, nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.func.now(), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), server_default=sa.func.now(), nullable=False),
        sa.CheckConstraint("price >= 0", name=op.f("ck_catalog_items_price")),
        sa.CheckConstraint(
            "jsonb_typeof(attributes) = 'object'", name=op.f("ck_catalog_items_attributes_object")
        ),
        sa.CheckConstraint(
            "octet_length(attributes::text) <= 16384", name=op.f("ck_catalog_items_attributes_size")
        ),
        sa.CheckConstraint("available_from <= available_until", name=op.f("ck_catalog_items_available")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_catalog_items")),
        sa.UniqueConstraint("sku", name=op.f("uq_catalog_items_sku")),
    )
    op.create_index("ix_catalog_items_price_id", "catalog_items", ["price", "id"])
    op.create_index("ix_catalog_items_name_id", "catalog_items", ["name", "id"])
    op.create_index(
        "ix_catalog_items_attributes",
        "catalog_items",
        ["attributes"],
        postgresql_using="gin",
        postgresql_ops={"attributes": "jsonb_path_ops"},
    )
    op.create_index("ix_catalog_items_labels", "catalog_items", ["labels"], postgresql_using="gin")
    op.create_index("ix_catalog_items_barcode", "catalog_items", ["barcode"], postgresql_using="hash")
    create_updated_at_trigger(op, "catalog_items")


def downgrade() -> None:
    """Undo it, leaving no trace."""
    op.drop_table("catalog_items")
