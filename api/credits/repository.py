"""Statements about accounts and transfers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import BigInteger, Row, Text, case, func, insert, literal, select, true, union_all, update

from api.credits.models import Account, Transfer
from api.database.base import uuid7
from api.database.repository import Repository
from api.web.pagination import cut, keyset

if TYPE_CHECKING:
    from collections.abc import Iterable
    from uuid import UUID

    from api.database.session import ReadSession, WriteSession


class AccountRepository(Repository[Account]):
    """Statements about the table `accounts`."""

    async def page(
        self, session: ReadSession, owner: UUID, cursor: str | None, limit: int
    ) -> tuple[list[Row[Any]], str | None]:
        """Return a page of a user's accounts, by name, and the next page's cursor."""
        named = select(
            *Account.__table__.c, func.lower(Account.name, type_=Text).label("lower_name")
        ).subquery()
        order = (named.c.lower_name,)
        statement = keyset(select(named).where(named.c.owner_id == owner), order, cursor, limit)
        return cut((await session.execute(statement)).all(), order, limit)

    async def lock(self, session: WriteSession, keys: Iterable[UUID]) -> dict[UUID, UUID]:
        """Keep accounts from changing until the transaction ends; return the owner of each that exists.

        In the order of the keys: two transactions that want the same accounts wait for each other in one
        order, and so never for each other at once. An UPDATE alone would lock as it happens to find the rows.
        """
        statement = (
            select(Account.id, Account.owner_id)
            .where(Account.id.in_(set(keys)))
            .order_by(Account.id)
            .with_for_update(key_share=True)
        )
        return {row.id: row.owner_id for row in await session.execute(statement)}


class TransferRepository(Repository[Transfer]):
    """Statements about the table `transfers`."""

    async def move(
        self,
        session: WriteSession,
        *,
        source: UUID | None,
        target: UUID,
        amount: int,
        memo: str,
        user: UUID,
    ) -> Transfer:
        """Debit, credit and log, in one statement.

        Args:
            session: A transaction that holds the locks of both accounts.
            source: The account to debit; none where credits are issued.
            target: The account to credit.
            amount: How much.
            memo: What for.
            user: Who asked for it.

        Raises:
            CheckViolationError: A balance would leave its bounds.
            ForeignKeyViolationError: There is no such account.
        """
        change = literal(amount, BigInteger)
        moved = (
            update(Account)
            .where(Account.id.in_([key for key in (source, target) if key]))
            .values(balance=Account.balance + case((Account.id == source, -change), else_=change))
            .returning(Account.id)
            .cte("moved")
        )
        logged = insert(Transfer).values(
            id=uuid7(),
            from_account_id=source,
            to_account_id=target,
            amount=amount,
            memo=memo,
            created_by_id=user,
        )
        return (await session.scalars(logged.add_cte(moved).returning(Transfer))).one()

    async def history(
        self, session: ReadSession, account: UUID, cursor: str | None, limit: int
    ) -> tuple[UUID | None, list[Row[Any]], str | None]:
        """Return an account's owner and a page of what it sent and received, the newest first.

        One statement. Each side is read by its own index and cut before the two are merged. Without an
        account there is no owner; without transfers, no row.
        """
        order = (Transfer.id,)
        columns = Transfer.__table__.c
        sides = [
            keyset(select(*columns).where(side == account), order, cursor, limit, descending=True)
            for side in (Transfer.from_account_id, Transfer.to_account_id)
        ]
        both = union_all(*(side.subquery().select() for side in sides)).subquery("both")
        statement = (
            select(Account.owner_id, *both.c)
            .outerjoin_from(Account, both, true())
            .where(Account.id == account)
            .order_by(both.c.id.desc())
            .limit(limit + 1)
        )
        rows = (await session.execute(statement)).all()
        owner = rows[0].owner_id if rows else None
        page, next_cursor = cut([row for row in rows if row.id], order, limit)
        return owner, page, next_cursor


accounts = AccountRepository(Account)
transfers = TransferRepository(Transfer)
