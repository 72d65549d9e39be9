"""Users whom another issuer vouches for."""

from __future__ import annotations

revision = "20261121_identities"
down_revision = "20261121_user_profiles"

phase = "expand"


def upgrade() -> None:
    """Apply the revision, in one transaction."""


def downgrade() -> None:
    """Undo it, leaving no trace."""
