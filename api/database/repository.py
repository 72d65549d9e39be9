"""The small part that every repository shares; the rest each resource says itself."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Generic, TypeVar

from sqlalchemy import delete, true, update

if TYPE_CHECKING:
    from collections.abc import Sequence
    from uuid import UUID

    from sqlalchemy import Select
    from sqlalchemy.orm.interfaces import ORMOption

    from api.database.session import ReadSession, WriteSession

Row = TypeVar("Row")


class Repository(Generic[Row]):
    """Statements about one table.

    It holds no session: each method takes one, and its type says whether the method writes. It
    never commits; the edge does (`session.write`).
    """

    def __init__(self, table: type[Row]) -> None:
        """Remember the mapped class."""
        self.table = table

    async def get(self, session: ReadSession, key: Any, *, options: Sequence[ORMOption] = ()) -> Row | None:
        """Return the row with this primary key, with the relationships that `options` load."""
        return await session.get(self.table, key, options=options)

    async def list(self, session: ReadSession, statement: Select[Row]) -> Sequence[Row]:
        """Return all rows of a statement, which must carry its own LIMIT."""
        return (await session.scalars(statement)).unique().all()

    async def add(self, session: WriteSession, row: Row) -> Row:
        """Insert a row now, so that its constraints speak here and not at the commit.

        Raises:
            ConstraintViolationError: A constraint refused it.
        """
        session.add(row)
        await session.flush()
        return row

    async def change(self, session: WriteSession, key: UUID, changes: dict[str, Any]) -> Row | None:
        """Change columns of the row with this `id` and return it; `None` when there is none.

        With no changes it is only read: an empty UPDATE would move `updated_at`.

        Raises:
            ConstraintViolationError: A constraint refused the change.
        """
        if not changes:
            return await self.get(session, key)
        statement = update(self.table).filter_by(id=key).values(changes).returning(self.table)
        return (await session.scalars(statement)).one_or_none()

    async def delete(self, session: WriteSession, key: UUID) -> bool:
        """Delete the row with this `id`; return whether there was one.

        Raises:
            ForeignKeyViolationError: Something refers to it that does not go with it.
        """
        # Nothing of the row itself, which may be large.
        statement = delete(self.table).filter_by(id=key).returning(true())
        return await session.scalar(statement) is not None
