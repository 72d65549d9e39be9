"""Tasks and their tags."""

from __future__ import annotations

revision = "20261121_tasks"
down_revision = "20261121_post_search"

phase = "expand"


def upgrade() -> None:
    """Apply the revision, in one transaction."""


def downgrade() -> None:
    """Undo it, leaving no trace."""
