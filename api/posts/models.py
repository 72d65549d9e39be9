"""The tables of posts and of their tags."""

from __future__ import annotations

from datetime import datetime  # noqa: TC003  SQLAlchemy resolves Mapped[datetime] at run time
from enum import StrEnum
from uuid import UUID  # noqa: TC003

from sqlalchemy import CheckConstraint, Column, Computed, DateTime, ForeignKey, Index, Table, Text, func, text
from sqlalchemy.dialects.postgresql import TSVECTOR
from sqlalchemy.orm import Mapped, mapped_column, relationship

from api.database.base import Base, Timestamps, UuidKey
from api.tags.models import Tag
from api.users.models import User  # noqa: TC001


class Status(StrEnum):
    """Whether others may see a post."""

    DRAFT = "draft"
    PUBLISHED = "published"


#: `published_at` is the post's, kept by triggers: the posts of a tag stand in the index in the list's order,
#: so that a page reads no more than its rows, whether the tag is on ten posts or on a hundred thousand.
post_tags = Table(
    "post_tags",
    Base.metadata,
    Column("post_id", ForeignKey("posts.id", ondelete="CASCADE"), primary_key=True),
    Column("tag_id", ForeignKey("tags.id", ondelete="CASCADE"), primary_key=True),
    Column("published_at", DateTime(timezone=True)),
    Index("ix_post_tags_tag_id_published_at", "tag_id", "published_at", "post_id"),
)


class Post(UuidKey, Timestamps, Base):
    """Something written, by one user.

    Users with posts cannot be deleted, only deactivated: what they published stays.
    Relationships load nothing by themselves: a query says which it wants, and how.
    """

    __tablename__ = "posts"

    author_id: Mapped[UUID] = mapped_column(ForeignKey("users.id", ondelete="RESTRICT"))
    title: Mapped[str] = mapped_column(Text)
    slug: Mapped[str] = mapped_column(Text, unique=True)
    body: Mapped[str] = mapped_column(Text)
    status: Mapped[str] = mapped_column(Text, server_default=Status.DRAFT)
    published_at: Mapped[datetime | None]
    # Written as PostgreSQL prints it, so that autogenerate finds no difference.
    search: Mapped[str] = mapped_column(
        TSVECTOR,
        Computed(
            "(setweight(to_tsvector('english'::regconfig, title), 'A'::\"char\")"
            " || setweight(to_tsvector('english'::regconfig, body), 'B'::\"char\"))",
            persisted=True,
        ),
        deferred=True,
        deferred_raiseload=True,
    )

    author: Mapped[User] = relationship(lazy="raise")
    # To be read only: `set_tags` writes the links, in statements that two writers can run at once.
    tags: Mapped[list[Tag]] = relationship(
        secondary=post_tags, viewonly=True, lazy="raise", order_by=Tag.name
    )

    __table_args__ = (
        CheckConstraint("status IN ('draft', 'published')", name="status"),
        CheckConstraint("(status = 'published') = (published_at IS NOT NULL)", name="published_at"),
        # The partial indexes say "published" without a value, so that the planner sees that a query
        # fits whatever its parameters are.
        Index("ix_posts_published", "published_at", "id", postgresql_where=text("published_at IS NOT NULL")),
        # An author's published posts in order, and, where published_at is null, their drafts.
        Index("ix_posts_author_id_published_at", "author_id", "published_at", "id"),
        Index(
            "ix_posts_search",
            "search",
            postgresql_using="gin",
            postgresql_where=text("published_at IS NOT NULL"),
        ),
    )


# Patterns of LIKE need operators that compare code points, whatever the database's collation is.
Index(
    "ix_posts_lower_title",
    func.lower(Post.title).label("lower_title"),
    Post.id,
    postgresql_ops={"lower_title": "text_pattern_ops"},
    postgresql_where=Post.published_at.is_not(None),
)
