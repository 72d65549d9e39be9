"""Accounts, transfers and idempotency keys."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from migrations.operations import create_updated_at_trigger

revision = "20261121_credits"
down_revision = "20261121_catalog"

phase = "expand"


def upgrade() -> None:
    """Apply the revision, in one transaction."""
    _create_accounts()
    _create_transfers()
    _create_idempotency_keys()


def downgrade() -> None:
    """Undo it, leaving no trace."""
    for table in ("idempotency_keys", "transfers", "accounts"):
        op.drop_table(table)
    op.execute("DROP FUNCTION bough_refuse_change()")


def _create_accounts() -> None:
    op.create_table(
        "accounts",
        sa.Column("id", sa.Uuid, nullable=False),
        sa.Column("owner_id", sa.Uuid, nullable=False),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("balance", sa.BigInteger, server_default="0", nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.func.now(), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), server_default=sa.func.now(), nullable=False),
        sa.CheckConstraint("balance >= 0", name=op.f("ck_accounts_balance_not_negative")),
        sa.CheckConstraint("balance <= 9007199254740991", name=op.f("ck_accounts_balance_maximum")),
        sa.ForeignKeyConstraint(
            ["owner_id"], ["users.id"], name=op.f("fk_accounts_owner_id_users"), ondelete="RESTRICT"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_accounts")),
    )
    op.create_index(
        "uq_accounts_owner_id_lower_name", "accounts", ["owner_id", sa.text("lower(name)")], unique=True
    )
    create_updated_at_trigger(op, "accounts")


def _create_transfers() -> None:
    op.create_table(
        "transfers",
        sa.Column("id", sa.Uuid, nullable=False),
        sa.Column("from_account_id", sa.Uuid, nullable=True),
        sa.Column("to_account_id", sa.Uuid, nullable=False),
        sa.Column("amount", sa.BigInteger, nullable=False),
        sa.Column("memo", sa.Text, server_default="", nullable=False),
        sa.Column("created_by_id", sa.Uuid, nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.func.now(), nullable=False),
        sa.CheckConstraint("amount > 0", name=op.f("ck_transfers_amount_positive")),
        sa.CheckConstraint("from_account_id <> to_account_id", name=op.f("ck_transfers_accounts_differ")),
        *(
            sa.ForeignKeyConstraint(
                [column], [f"{table}.id"], name=op.f(f"fk_transfers_{column}_{table}"), ondelete="RESTRICT"
            )
            for column, table in (
                ("from_account_id", "accounts"),
                ("to_account_id", "accounts"),
                ("created_by_id", "users"),
            )
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_transfers")),
    )
    op.create_index("ix_transfers_from_account_id_id", "transfers", ["from_account_id", "id"])
    op.create_index("ix_transfers_to_account_id_id", "transfers", ["to_account_id", "id"])
    op.create_index(op.f("ix_transfers_created_by_id"), "transfers", ["created_by_id"])
    op.execute(
        """
        CREATE FUNCTION bough_refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            RAISE EXCEPTION 'rows of % are never changed or deleted', TG_TABLE_NAME;
        END
        $$
        """
    )
    op.execute(
        "CREATE TRIGGER bough_refuse_change BEFORE UPDATE OR DELETE OR TRUNCATE ON transfers "
        "FOR EACH STATEMENT EXECUTE FUNCTION bough_refuse_change()"
    )


def _create_idempotency_keys() -> None:
    op.create_table(
        "idempotency_keys",
        sa.Column("user_id", sa.Uuid, nullable=False),
        sa.Column("key", sa.Text, nullable=False),
        sa.Column("operation", sa.Text, nullable=False),
        sa.Column("fingerprint", sa.LargeBinary, nullable=False),
        sa.Column("status", sa.SmallInteger, nullable=False),
        sa.Column("body", sa.LargeBinary, server_default="", nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.func.now(), nullable=False),
        sa.PrimaryKeyConstraint("user_id", "key", name=op.f("pk_idempotency_keys")),
    )
    op.create_index(op.f("ix_idempotency_keys_created_at"), "idempotency_keys", ["created_at"])
