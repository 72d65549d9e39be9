"""What must be true of a database before it is filled; nothing here changes it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from infra.migrate.connection import TIMEOUTS, open_connection
from infra.migrate.status import status
from scripts.seeding.errors import NotMigratedError, PostsExistError

if TYPE_CHECKING:
    from api.database.connection_url import DirectUrl
    from infra.config import Project


def posts_before(project: Project, url: DirectUrl, *, append: bool) -> int:
    """Return how many posts there are; zero unless `append`.

    Raises:
        NotMigratedError: The database is not at this code's last revision.
        PostsExistError: There are posts, and not `append`.
        MigrationError: The database cannot be read.
    """
    found = status(project, url)
    if found.pending:
        message = f"{url} is not migrated: {len(found.pending)} revisions are pending"
        raise NotMigratedError(message, hint="run: bough migrate apply")
    if found.unknown:
        message = f"{url} is ahead of this code: it has {', '.join(found.unknown)}"
        raise NotMigratedError(message, hint="take the newer code")
    with open_connection(url, TIMEOUTS) as connection:
        row = connection.execute(
            "SELECT count(*) FROM posts" if append else "SELECT count(*) FROM (SELECT FROM posts LIMIT 1) p"
        ).fetchone()
    existing = int(row[0]) if row else 0
    if existing and not append:
        raise PostsExistError(f"{url} has posts already", hint="add more with --append")
    return existing
