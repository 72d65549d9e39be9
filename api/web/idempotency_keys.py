"""The table of idempotency keys, and the statements about it."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final
from uuid import UUID  # noqa: TC003  SQLAlchemy resolves Mapped[UUID] at run time

from sqlalchemy import LargeBinary, SmallInteger, Text, delete, func, select, tuple_, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Mapped, mapped_column

from api.database.base import Base

if TYPE_CHECKING:
    from sqlalchemy import Delete

    from api.database.session import ReadSession, WriteSession

#: How long a key is kept at least.
KEPT_FOR: Final = timedelta(hours=24)
#: Old keys that one write clears away; it adds one, so the table holds a day's writes and little more.
_CLEARED_AT_ONCE: Final = 10


class IdempotencyKey(Base):
    """A request that was carried out, and its response.

    No foreign key to the users: the table belongs to the web and not to a resource, and its rows are gone
    a day after their user.
    """

    __tablename__ = "idempotency_keys"

    user_id: Mapped[UUID] = mapped_column(primary_key=True)
    key: Mapped[str] = mapped_column(Text, primary_key=True)
    operation: Mapped[str] = mapped_column(Text)
    fingerprint: Mapped[bytes] = mapped_column(LargeBinary)
    status: Mapped[int] = mapped_column(SmallInteger)
    body: Mapped[bytes] = mapped_column(LargeBinary, server_default="")
    created_at: Mapped[datetime] = mapped_column(server_default=func.now(), index=True)


async def claim(
    session: WriteSession, *, user_id: UUID, key: str, operation: str, fingerprint: bytes, status: int
) -> bool:
    """Insert the key, unless it is there; return whether it was done.

    Waits for a transaction that inserts the same key, so that its outcome is known.

    Raises:
        LockTimeoutError: That transaction took too long.
    """
    statement = (
        insert(IdempotencyKey)
        .values(user_id=user_id, key=key, operation=operation, fingerprint=fingerprint, status=status)
        .on_conflict_do_nothing(index_elements=[IdempotencyKey.user_id, IdempotencyKey.key])
        .returning(IdempotencyKey.key)
    )
    return (await session.scalars(statement)).one_or_none() is not None


async def find(session: ReadSession, user_id: UUID, key: str) -> IdempotencyKey | None:
    """Return a key with its response."""
    return await session.get(IdempotencyKey, (user_id, key))


async def store(session: WriteSession, user_id: UUID, key: str, body: bytes) -> None:
    """Keep the response beside its key; the same statement clears some old keys away."""
    cleared = _deletion(_CLEARED_AT_ONCE).returning(IdempotencyKey.key).cte("cleared")
    statement = (
        update(IdempotencyKey)
        .where(IdempotencyKey.user_id == user_id, IdempotencyKey.key == key)
        .values(body=body)
        .execution_options(synchronize_session=False)
    )
    await session.execute(statement.add_cte(cleared))


async def delete_old(session: WriteSession, at_once: int) -> None:
    """Delete some keys that are kept no longer, passing over those in use."""
    await session.execute(_deletion(at_once))


def _deletion(at_once: int) -> Delete:
    old = (
        select(IdempotencyKey.user_id, IdempotencyKey.key)
        .where(IdempotencyKey.created_at <= func.now() - KEPT_FOR)
        .limit(at_once)
        .with_for_update(skip_locked=True)
    )
    return delete(IdempotencyKey).where(tuple_(IdempotencyKey.user_id, IdempotencyKey.key).in_(old))
