"""Posts by prefix and by tag."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "20261121_post_search"
down_revision = "20261121_projects"

phase = "expand"


def upgrade() -> None:
    """Apply the revision, in one transaction."""
    op.create_index(
        "ix_posts_lower_title",
        "posts",
        [sa.text("lower(title) text_pattern_ops"), "id"],
        postgresql_where=sa.text("published_at IS NOT NULL"),
    )
    # Builds the unique index anew and does not rewrite the table.
    op.alter_column("tags", "name", type_=sa.Text(collation="C"))
    _order_tagged_posts()


def downgrade() -> None:
    """Undo it, leaving no trace."""
    op.create_index("ix_post_tags_tag_id_post_id", "post_tags", ["tag_id", "post_id"])
    op.execute("DROP TRIGGER copy_published_at ON post_tags")
    op.execute("DROP TRIGGER copy_published_at ON posts")
    op.execute("DROP FUNCTION post_tags_take_published_at()")
    op.execute("DROP FUNCTION posts_hand_on_published_at()")
    op.drop_column("post_tags", "published_at")
    op.alter_column("tags", "name", type_=sa.Text)
    op.drop_index("ix_posts_lower_title", "posts")


def _order_tagged_posts() -> None:
    """Copy `published_at` to the links, whoever writes them, code from before this revision included."""
    op.add_column("post_tags", sa.Column("published_at", sa.DateTime(timezone=True)))
    # FOR SHARE waits for whoever publishes the post at this moment, and makes them wait for this link. Run as
    # the owner: whether somebody may write a row is decided before, and no policy may leave a copy behind.
    op.execute(
        """
        CREATE FUNCTION post_tags_take_published_at() RETURNS trigger LANGUAGE plpgsql
        SECURITY DEFINER SET search_path = public, pg_temp AS $$
        BEGIN
            SELECT published_at INTO NEW.published_at FROM posts WHERE id = NEW.post_id FOR SHARE;
            RETURN NEW;
        END
        $$
        """
    )
    op.execute(
        """
        CREATE FUNCTION posts_hand_on_published_at() RETURNS trigger LANGUAGE plpgsql
        SECURITY DEFINER SET search_path = public, pg_temp AS $$
        BEGIN
            UPDATE post_tags SET published_at = NEW.published_at WHERE post_id = NEW.id;
            RETURN NULL;
        END
        $$
        """
    )
    op.execute(
        "CREATE TRIGGER copy_published_at BEFORE INSERT ON post_tags "
        "FOR EACH ROW WHEN (NEW.published_at IS NULL) EXECUTE FUNCTION post_tags_take_published_at()"
    )
    op.execute(
        "CREATE TRIGGER copy_published_at AFTER UPDATE OF published_at ON posts "
        "FOR EACH ROW WHEN (OLD.published_at IS DISTINCT FROM NEW.published_at) "
        "EXECUTE FUNCTION posts_hand_on_published_at()"
    )
    op.execute(
        "UPDATE post_tags SET published_at = posts.published_at "
        "FROM posts WHERE posts.id = post_id AND posts.published_at IS NOT NULL"
    )
    op.create_index("ix_post_tags_tag_id_published_at", "post_tags", ["tag_id", "published_at", "post_id"])
    op.drop_index("ix_post_tags_tag_id_post_id", "post_tags")
