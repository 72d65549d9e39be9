"""Teams and their members."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from migrations.operations import create_updated_at_trigger

revision = "20261121_teams"
down_revision = "20261121_identities"

phase = "expand"


def upgrade() -> None:
    """Apply the revision, in one transaction."""
    op.create_table(
        "teams",
        sa.Column("id", sa.Uuid, nullable=False),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("description", sa.Text, server_default="", nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.func.now(), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), server_default=sa.func.now(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_teams")),
    )
    op.create_index("uq_teams_lower_name", "teams", [sa.text("lower(name)")], unique=True)
    create_updated_at_trigger(op, "teams")
    op.create_table(
        "team_members",
        sa.Column("user_id", sa.Uuid, nullable=False),
        sa.Column("team_id", sa.Uuid, nullable=False),
        sa.Column("joined_at", sa.DateTime(timezone=True), server_default=sa.func.now(), nullable=False),
        sa.ForeignKeyConstraint(
            ["user_id"], ["users.id"], name=op.f("fk_team_members_user_id_users"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["team_id"], ["teams.id"], name=op.f("fk_team_members_team_id_teams"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("user_id", name=op.f("pk_team_members")),
    )
    op.create_index(op.f("ix_team_members_team_id"), "team_members", ["team_id"])


def downgrade() -> None:
    """Undo it, leaving no trace."""
    op.drop_table("team_members")
    op.drop_table("teams")
