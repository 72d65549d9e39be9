"""Projects and their members."""

from __future__ import annotations

revision = "20261121_projects"
down_revision = "20261121_teams"

phase = "expand"


def upgrade() -> None:
    """Apply the revision, in one transaction."""


def downgrade() -> None:
    """Undo it, leaving no trace."""
