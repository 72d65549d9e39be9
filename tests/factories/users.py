"""Users."""

from __future__ import annotations

from polyfactory import PostGenerated

from api.users.models import User
from infra.testing.factories import Factory


class UserFactory(Factory[User]):
    """Nobody can log in as these: `tests.support.people` adds users who have a password."""

    email = PostGenerated(lambda _, values: f"{values['username']}@example.com")
    hashed_password = "none"
