"""Policies of row-level security, inert until a table enables it."""

from __future__ import annotations

revision = "20261121_row_level_security"
down_revision = "20261121_credits"

phase = "expand"


def upgrade() -> None:
    """Apply the revision, in one transaction."""


def downgrade() -> None:
    """Undo it, leaving no trace."""
