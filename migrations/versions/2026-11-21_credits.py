"""Accounts, transfers and idempotency keys."""

from __future__ import annotations

revision = "20261121_credits"
down_revision = "20261121_catalog"

phase = "expand"


def upgrade() -> None:
    """Apply the revision, in one transaction."""


def downgrade() -> None:
    """Undo it, leaving no trace."""
