"""Users."""

from __future__ import annotations

from polyfactory import PostGenerated

from api.users.models import User, UserProfile
from infra.testing.factories import Factory


class UserFactory(Factory[User]):
    """Without a password; `tests.support.people` adds users who can log in."""

    email = PostGenerated(lambda _, values: f"{values['username']}@example.com")


class UserProfileFactory(Factory[UserProfile]):
    """Empty."""
