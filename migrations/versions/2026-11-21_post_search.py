"""Posts by prefix."""

from __future__ import annotations

revision = "20261121_post_search"
down_revision = "20261121_projects"

phase = "expand"


def upgrade() -> None:
    """Apply the revision, in one transaction."""


def downgrade() -> None:
    """Undo it, leaving no trace."""
