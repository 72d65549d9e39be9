"""Posts and tags."""

from __future__ import annotations

from api.posts.models import Post
from api.tags.models import Tag
from infra.testing.factories import Factory


class TagFactory(Factory[Tag]):
    """Tags."""


class PostFactory(Factory[Post]):
    """Drafts; pass `status` and `published_at` for others."""
