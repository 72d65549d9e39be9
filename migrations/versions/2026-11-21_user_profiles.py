"""Profiles, logins and deletion of users."""

from __future__ import annotations

revision = "20261121_user_profiles"
down_revision = "20261121_workspace"

phase = "expand"


def upgrade() -> None:
    """Apply the revision, in one transaction."""


def downgrade() -> None:
    """Undo it, leaving no trace."""
