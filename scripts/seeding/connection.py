"""The connections that fill a database: direct ones, set up for bulk work."""

from __future__ import annotations

from contextlib import closing, contextmanager
from typing import TYPE_CHECKING, Any, Final

import psycopg

from infra.branches import identity
from scripts.seeding.errors import SeedConflictError, SeedError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from api.database.connection_url import DirectUrl
    from infra.branches.identity import BranchIdentity

    Connection = psycopg.Connection[tuple[Any, ...]]

#: A GIN index takes many rows at once far faster than one by one: they wait in a list of this size, which
#: `work_mem` must hold when it is merged.
_SETTINGS: Final = {
    "gin_pending_list_limit": "128MB",
    "work_mem": "256MB",
    "statement_timeout": "0",
    "idle_in_transaction_session_timeout": "0",
    "application_name": "bough seed",
}


@contextmanager
def connect(url: DirectUrl, expected: BranchIdentity | None = None) -> Iterator[Connection]:
    """Connect for bulk work; what was not committed at the end of the block is rolled back.

    Args:
        url: Where to.
        expected: The branch that it must be; without one it must be some branch.

    Raises:
        TargetError: It is another branch, or does not say which.
        SeedError: The server could not be reached, or refused something.
    """
    try:
        with closing(psycopg.connect(url.libpq(), autocommit=True)) as connection:
            identity.verify(connection, expected)
            for setting, value in _SETTINGS.items():
                connection.execute("SELECT set_config(%s, %s, false)", (setting, value))
            connection.autocommit = False
            yield connection
    except psycopg.errors.UniqueViolation as error:
        message = f"{url} has some of it already: {error.diag.message_primary}"
        hint = "the workspace is written once; add posts with --append, --posts and another --random-seed"
        raise SeedConflictError(message, hint=hint) from None
    except psycopg.Error as error:
        message = f"{url}: {_one_line(error)}"
        raise SeedError(message, hint="nothing was kept; run it again") from error


def _one_line(error: psycopg.Error) -> str:
    return " ".join(str(error).split())
