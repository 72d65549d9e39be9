"""Users whom another issuer vouches for."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "20261121_identities"
down_revision = "20261121_user_profiles"

phase = "expand"

# A hash of nothing, which no password has and which takes as long to verify as any.
_FILL_IN = """
UPDATE users
SET hashed_password =
    '$argon2id$v=19$m=65536,t=3,p=4$AAAAAAAAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA'
WHERE hashed_password IS NULL
"""


def upgrade() -> None:
    """Apply the revision, in one transaction."""
    op.alter_column("users", "hashed_password", existing_type=sa.Text, nullable=True)
    op.create_table(
        "user_identities",
        sa.Column("issuer", sa.Text, nullable=False),
        sa.Column("subject", sa.Text, nullable=False),
        sa.Column("user_id", sa.Uuid, nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.func.now(), nullable=False),
        sa.ForeignKeyConstraint(
            ["user_id"], ["users.id"], name=op.f("fk_user_identities_user_id_users"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("issuer", "subject", name=op.f("pk_user_identities")),
    )
    op.create_index(op.f("ix_user_identities_user_id"), "user_identities", ["user_id"])


def downgrade() -> None:
    """Undo it, leaving no trace."""
    op.drop_table("user_identities")
    op.execute(_FILL_IN)
    op.alter_column("users", "hashed_password", existing_type=sa.Text, nullable=False)
