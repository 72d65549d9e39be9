"""The tables of credits."""

from __future__ import annotations

from datetime import datetime  # noqa: TC003  SQLAlchemy resolves Mapped[datetime] at run time
from typing import Final
from uuid import UUID  # noqa: TC003

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, Index, Text, func
from sqlalchemy.orm import Mapped, mapped_column

from api.database.base import Base, Timestamps, UuidKey

#: The largest amount and the largest balance: 2^53 - 1, the largest integer that every JSON parser reads
#: exactly (RFC 8259, section 6). The sum of two is far below a bigint's limit, so the CHECK speaks first.
MAX_CREDITS: Final = 9_007_199_254_740_991


class Account(UuidKey, Timestamps, Base):
    """Credits of a user, who may have several accounts and tells them apart by name.

    Credits are whole: a balance is a bigint, and no amount is ever rounded. The row of a user with accounts
    cannot be deleted: the log of other accounts refers to theirs.
    """

    __tablename__ = "accounts"

    owner_id: Mapped[UUID] = mapped_column(ForeignKey("users.id", ondelete="RESTRICT"))
    name: Mapped[str] = mapped_column(Text)
    balance: Mapped[int] = mapped_column(BigInteger, server_default="0")

    __table_args__ = (
        CheckConstraint("balance >= 0", name="balance_not_negative"),
        CheckConstraint(f"balance <= {MAX_CREDITS}", name="balance_maximum"),
    )


#: Unique, and the order in which an owner's accounts are listed.
UNIQUE_NAME = Index(
    "uq_accounts_owner_id_lower_name", Account.owner_id, func.lower(Account.name), unique=True
)


class Transfer(UuidKey, Base):
    """What moved between two accounts; without `from_account_id`, credits that an admin issued.

    The log of every balance: an account holds what it received less what it sent, and all accounts together
    what was issued. Nothing a row refers to can be deleted, and a trigger keeps the rows themselves as they
    are: a mistake is put right by another transfer.
    """

    __tablename__ = "transfers"

    from_account_id: Mapped[UUID | None] = mapped_column(ForeignKey("accounts.id", ondelete="RESTRICT"))
    to_account_id: Mapped[UUID] = mapped_column(ForeignKey("accounts.id", ondelete="RESTRICT"))
    amount: Mapped[int] = mapped_column(BigInteger)
    memo: Mapped[str] = mapped_column(Text, server_default="")
    #: Who asked for it. The index is for the day when a user is to be deleted.
    created_by_id: Mapped[UUID] = mapped_column(ForeignKey("users.id", ondelete="RESTRICT"), index=True)
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())

    __table_args__ = (
        CheckConstraint("amount > 0", name="amount_positive"),
        CheckConstraint("from_account_id <> to_account_id", name="accounts_differ"),
        # An account's history, from both sides, the newest first: the keys are UUIDv7.
        Index("ix_transfers_from_account_id_id", "from_account_id", "id"),
        Index("ix_transfers_to_account_id_id", "to_account_id", "id"),
    )
