"""What can go wrong when a database is filled."""

from __future__ import annotations

from infra.errors import InfraError


class SeedError(InfraError):
    """The database was not filled; what was begun is rolled back."""

    code = "SEED_FAILED"


class NotMigratedError(SeedError):
    """The database lacks revisions that the tables need, or is ahead of this code."""

    code = "DATABASE_NOT_MIGRATED"
    exit_code = 2


class PostsExistError(SeedError):
    """The database has posts already, and nobody said that more are wanted."""

    code = "POSTS_EXIST"
    exit_code = 2


class SeedConflictError(SeedError):
    """Something of the same name or key is there already."""

    code = "SEED_CONFLICT"


class SeedRunningError(SeedError):
    """Another run is filling the database."""

    code = "SEED_RUNNING"
