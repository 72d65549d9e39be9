"""Teams and their members."""

from __future__ import annotations

revision = "20261121_teams"
down_revision = "20261121_identities"

phase = "expand"


def upgrade() -> None:
    """Apply the revision, in one transaction."""


def downgrade() -> None:
    """Undo it, leaving no trace."""
