"""Statements about tags and about the tables that tie them to other things."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import ColumnElement, Label, ScalarSelect, Table, Text, delete, func, literal, select
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.dialects.postgresql import insert as upsert

from api.database.base import uuid7
from api.database.patterns import prefix_pattern
from api.tags.models import Tag
from api.web.pagination import cut, keyset

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence
    from uuid import UUID

    from api.database.session import ReadSession, WriteSession

_TAG = Tag.__table__.c
_ORDER = (_TAG.name,)

#: Rows with a tag are counted no further: what is more frequent is common, and fast to find.
_COMMON: Final = 1000


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


def has_tags(links: Table, owner: ColumnElement[UUID], names: Collection[str]) -> ColumnElement[bool]:
    """Return the condition that a row carries all of these tags.

    It is asked of each row that a list comes by in its own order. As a count, because PostgreSQL makes joins
    of other forms, and begins them with all rows of a tag: that may be a fifth of the table.
    """
    wanted = func.array(select(_TAG.id).where(_TAG.name.in_(names)).scalar_subquery())
    carried = select(func.count()).where(_owner_of(links) == owner, links.c.tag_id == func.any(wanted))
    return carried.correlate(owner.table).scalar_subquery() >= len(set(names))


def rarest_tag(links: Table, order: ColumnElement[Any], names: Collection[str]) -> ScalarSelect[UUID | None]:
    """Return the key of the tag that is on the fewest rows; null when one of them does not exist.

    Args:
        links: The link table.
        order: A column of it; an index has `tag_id` and this.
        names: The tags.
    """
    if len(set(names)) == 1:
        return select(_TAG.id).where(_TAG.name.in_(names)).scalar_subquery()
    wanted = func.unnest(literal(names, ARRAY(Text))).table_valued("name", name="wanted").render_derived()
    counted = (
        select(literal(1))
        .where(links.c.tag_id == _TAG.id)
        .order_by(order)
        .limit(_COMMON)
        .correlate(Tag.__table__)
        .scalar_subquery()
    )
    return (
        select(_TAG.id)
        .select_from(wanted.outerjoin(Tag.__table__, _TAG.name == wanted.c.name))
        .order_by(func.cardinality(func.array(counted)))
        .limit(1)
        .scalar_subquery()
    )


async def list_tags(
    session: ReadSession, prefix: str, cursor: str | None, limit: int
) -> tuple[list[str], str | None]:
    """Return a page of the names that begin with `prefix`, in the order of code points."""
    statement = keyset(select(_TAG.name), _ORDER, cursor, limit)
    if prefix:
        statement = statement.where(_TAG.name.like(prefix_pattern(prefix)))
    rows, next_cursor = cut((await session.execute(statement)).all(), _ORDER, limit)
    return [row.name for row in rows], next_cursor


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
