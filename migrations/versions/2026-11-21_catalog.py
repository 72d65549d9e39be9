"""Catalog items."""

from __future__ import annotations

revision = "20261121_catalog"
down_revision = "20261121_tasks"

phase = "expand"


def upgrade() -> None:
    """Apply the revision, in one transaction."""


def downgrade() -> None:
    """Undo it, leaving no trace."""
