"""What every table shares: constraint names, keys, timestamps."""

from __future__ import annotations

import os
import time
from datetime import datetime
from typing import Any, ClassVar, Final
from uuid import UUID

from sqlalchemy import DateTime, FetchedValue, MetaData, func
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

#: Names are what migrations drop and what services tell conflicts apart by; PostgreSQL's own
#: defaults differ from Alembic's guess, so both are told.
NAMING_CONVENTION: Final = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
    "pk": "pk_%(table_name)s",
}


def uuid7() -> UUID:
    """Return a UUIDv7 (RFC 9562): 48 bits of milliseconds, then 74 random bits.

    Made here, not by the server: providers run PostgreSQL 14 to 18 and only 18 has `uuidv7()`.
    The bits come from `os.urandom`: a generator seeded in user space would repeat itself in every
    environment restored from one SnapStart snapshot.
    """
    return uuid7_of(time.time_ns() // 1_000_000, int.from_bytes(os.urandom(10), "big"))


def uuid7_of(milliseconds: int, random: int) -> UUID:
    """Return the UUIDv7 of a moment, in milliseconds since 1970, with 74 of 80 random bits."""
    value = milliseconds << 80 | random
    value = value & ~(0xF << 76) | 0x7 << 76
    value = value & ~(0x3 << 62) | 0x2 << 62
    return UUID(int=value)


class Base(DeclarativeBase):
    """The declarative base of every table of the application."""

    metadata = MetaData(naming_convention=NAMING_CONVENTION)
    type_annotation_map: ClassVar[dict[Any, Any]] = {datetime: DateTime(timezone=True)}
    # The server's values come back with RETURNING in the same round trip; without it an UPDATE
    # leaves `updated_at` expired and the next access fails outside the session's greenlet.
    __mapper_args__ = {"eager_defaults": True}  # noqa: RUF012  typed by DeclarativeBase


class UuidKey:
    """Give a table a UUIDv7 primary key, made before the INSERT."""

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid7)


class Timestamps:
    """Give a table `created_at` and `updated_at`, both kept by the server.

    `updated_at` is set by a BEFORE UPDATE trigger that the table's first revision creates
    (`migrations.operations.create_updated_at_trigger`; `bough migrate new` writes it): the ORM, a
    script and psql all keep it right.
    """

    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    updated_at: Mapped[datetime] = mapped_column(server_default=func.now(), server_onupdate=FetchedValue())
