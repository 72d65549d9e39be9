"""The baseline's table and schema."""

from __future__ import annotations

from datetime import datetime  # noqa: TC003  resolved at run time
from uuid import UUID  # noqa: TC003

from pydantic import BaseModel, ConfigDict
from sqlalchemy import DateTime, Text
from sqlalchemy.orm import Mapped, mapped_column

from seed_app.database import Base


class Post(Base):
    """A post."""

    __tablename__ = "posts"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    author_id: Mapped[UUID]
    title: Mapped[str] = mapped_column(Text)
    slug: Mapped[str] = mapped_column(Text)
    body: Mapped[str] = mapped_column(Text)
    status: Mapped[str] = mapped_column(Text)
    published_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    created_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))
    updated_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))


class PostRead(BaseModel):
    """A post as it is answered."""

    model_config = ConfigDict(from_attributes=True)

    id: UUID
    author_id: UUID
    title: str
    slug: str
    body: str
    status: str
    published_at: datetime | None
    created_at: datetime
    updated_at: datetime
