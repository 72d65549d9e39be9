"""Statements about tags and about the tables that tie them to other things."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import ARRAY, ColumnElement, Label, Table, Text, delete, func, literal, select
from sqlalchemy.dialects.postgresql import insert as upsert

from api.database.base import uuid7
from api.tags.models import Tag

if TYPE_CHECKING:
    from collections.abc import Sequence
    from uuid import UUID

    from api.database.session import WriteSession

_TAG = Tag.__table__.c


def tag_names(links: Table, owner: ColumnElement[UUID]) -> Label[Sequence[str]]:
    """Return the column `tags`: the sorted names of a row's tags, read with the row itself.

    Args:
        links: The link table: a column that refers to `owner`, and `tag_id`.
        owner: The key of the rows that carry tags.
    """
    return func.array(
        select(_TAG.name)
        .join(links, links.c.tag_id == _TAG.id)
        .where(_owner_of(links) == owner)
        .order_by(_TAG.name)
        .correlate(owner.table)
        .scalar_subquery(),
        type_=ARRAY(Text),
    ).label("tags")


def has_tag(links: Table, owner: ColumnElement[UUID], name: str) -> ColumnElement[bool]:
    """Return the condition that a row carries a tag."""
    return (
        select(links.c.tag_id)
        .join(Tag.__table__, _TAG.id == links.c.tag_id)
        .where(_owner_of(links) == owner, _TAG.name == name)
        .exists()
    )


async def set_tags(session: WriteSession, links: Table, owner: UUID, names: Sequence[str]) -> None:
    """Give a row these tags and no others, making those that nobody used yet.

    Args:
        session: The transaction.
        links: The link table.
        owner: The row's key.
        names: Normalised.
    """
    column = _owner_of(links)
    named = select(Tag.id).where(Tag.name.in_(names))
    await session.execute(delete(links).where(column == owner, links.c.tag_id.not_in(named)))
    if not names:
        return
    # Sorted: two transactions that need the same new tags wait for each other in one order.
    new = [{"id": uuid7(), "name": name} for name in sorted(set(names))]
    await session.execute(upsert(Tag).values(new).on_conflict_do_nothing(index_elements=[Tag.name]))
    # A statement of its own: it sees the tags that others have committed meanwhile.
    pairs = select(literal(owner), Tag.id).where(Tag.name.in_(names))
    await session.execute(upsert(links).from_select([column.name, "tag_id"], pairs).on_conflict_do_nothing())


def _owner_of(links: Table) -> ColumnElement[UUID]:
    """Return the link table's other column."""
    (column,) = (column for column in links.primary_key if column.name != "tag_id")
    return column
