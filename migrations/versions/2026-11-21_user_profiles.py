"""Profiles, logins and deletion of users."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from migrations.operations import create_updated_at_trigger, drop_updated_at_trigger

revision = "20261121_user_profiles"
down_revision = "20261121_workspace"

phase = "expand"

_LIVE = sa.text("deleted_at IS NULL")


def upgrade() -> None:
    """Apply the revision, in one transaction: nobody reaches `users` while its indexes are built."""
    op.add_column("users", sa.Column("last_login_at", sa.DateTime(timezone=True), nullable=True))
    op.add_column("users", sa.Column("deleted_at", sa.DateTime(timezone=True), nullable=True))
    op.create_check_constraint(op.f("ck_users_deleted"), "users", "deleted_at IS NULL OR NOT is_active")
    # Under the old names, by which code that runs already tells conflicts apart.
    for column in ("email", "username"):
        name = f"uq_users_lower_{column}"
        op.drop_index(name, "users")
        key = sa.text(f"lower({column}) text_pattern_ops")
        op.create_index(name, "users", [key], unique=True, postgresql_where=_LIVE)
        # The planner takes no statistics from a partial index: without these it believes that any prefix
        # is common, and looks for a rare one through the whole table.
        op.execute(f"CREATE STATISTICS st_users_lower_{column} ON lower({column}) FROM users")
    op.create_index("ix_users_role_id", "users", ["role", "id"], postgresql_where=_LIVE)
    few = sa.text("deleted_at IS NULL AND NOT is_active")
    op.create_index("ix_users_inactive", "users", ["id"], postgresql_where=few)
    _let_logins_pass()
    _create_profiles()


def downgrade() -> None:
    """Undo it; what was deleted becomes users that are merely inactive, without a name of their own."""
    op.drop_table("user_profiles")
    # Their names may be in use again, and their addresses are all the same.
    op.execute("UPDATE users SET username = id::text, email = id::text WHERE deleted_at IS NOT NULL")
    drop_updated_at_trigger(op, "users")
    create_updated_at_trigger(op, "users")
    for name in ("ix_users_inactive", "ix_users_role_id"):
        op.drop_index(name, "users")
    for column in ("email", "username"):
        op.execute(f"DROP STATISTICS st_users_lower_{column}")
        name = f"uq_users_lower_{column}"
        op.drop_index(name, "users")
        op.create_index(name, "users", [sa.text(f"lower({column})")], unique=True)
    op.drop_constraint(op.f("ck_users_deleted"), "users", type_="check")
    op.drop_column("users", "deleted_at")
    op.drop_column("users", "last_login_at")


def _let_logins_pass() -> None:
    """Keep `updated_at` where it is when a login sets `last_login_at`: nothing of the user changed."""
    drop_updated_at_trigger(op, "users")
    op.execute(
        "CREATE TRIGGER bough_set_updated_at BEFORE UPDATE ON users FOR EACH ROW "
        "WHEN (NEW.last_login_at IS NOT DISTINCT FROM OLD.last_login_at) "
        "EXECUTE FUNCTION bough_set_updated_at()"
    )


def _create_profiles() -> None:
    op.create_table(
        "user_profiles",
        sa.Column("user_id", sa.Uuid, nullable=False),
        sa.Column("bio", sa.Text, nullable=True),
        sa.Column("avatar_path", sa.Text, nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.func.now(), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), server_default=sa.func.now(), nullable=False),
        sa.CheckConstraint("char_length(bio) <= 500", name=op.f("ck_user_profiles_bio")),
        sa.ForeignKeyConstraint(
            ["user_id"], ["users.id"], name=op.f("fk_user_profiles_user_id_users"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("user_id", name=op.f("pk_user_profiles")),
    )
    create_updated_at_trigger(op, "user_profiles")
