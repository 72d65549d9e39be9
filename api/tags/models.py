"""The table of tags. What carries tags has a link table of its own, beside its own model."""

from __future__ import annotations

from sqlalchemy import Text
from sqlalchemy.orm import Mapped, mapped_column

from api.database.base import Base, UuidKey


class Tag(UuidKey, Base):
    """A word to find things by; shared by all, never changed."""

    __tablename__ = "tags"

    # Compared by code points: names that begin alike then stand together in the unique index, which an order
    # of some language does not promise.
    name: Mapped[str] = mapped_column(Text(collation="C"), unique=True)
