"""What every table shares. Imported before any table is defined: names come from here."""

# Here and in every module of tables no `from __future__ import annotations`: SQLModel reads types, not texts.
from datetime import datetime
from typing import Any, ClassVar
from uuid import UUID

from sqlalchemy import FetchedValue, func
from sqlmodel import Field, SQLModel

from api.database.base import NAMING_CONVENTION, uuid7

SQLModel.metadata.naming_convention = NAMING_CONVENTION


class UuidKey(SQLModel):
    """Give a table a UUIDv7 primary key, made before the INSERT."""

    id: UUID = Field(default_factory=uuid7, primary_key=True)


class Timestamps(SQLModel):
    """Give a table `created_at` and `updated_at`, both kept by the server."""

    # What the server sets comes back with RETURNING: no other statement, no expired attribute.
    __mapper_args__: ClassVar[dict[str, Any]] = {"eager_defaults": True}

    # Not sa_column: a Column belongs to one table, and a second one with these fields would fail.
    created_at: datetime = Field(default=None, sa_column_kwargs={"server_default": func.now()})
    updated_at: datetime = Field(
        default=None, sa_column_kwargs={"server_default": func.now(), "server_onupdate": FetchedValue()}
    )
