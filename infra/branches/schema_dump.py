"""A database's schema as SQL, and what differs between two."""

from __future__ import annotations

import difflib
import re
from typing import TYPE_CHECKING, Final

import psycopg

from infra.branches.errors import BranchError
from infra.branches.tls_tunnel import without_tls
from infra.local import programs
from infra.local.errors import ProgramError

if TYPE_CHECKING:
    from api.database.connection_url import DirectUrl

#: What a dump says of itself: versions, and keys that are random each time.
_OF_THE_DUMP: Final = re.compile(r"^(-- Dumped (from|by) .*\n|\\(un)?restrict \w+\n)", re.MULTILINE)
#: An entry about a table of the kit's own, such as the mark that says which branch it is; functions are the
#: application's.
_OURS: Final = re.compile(
    r"^--\n-- Name: (?:TABLE |SEQUENCE )?bough_[^;]*; Type: (?:TABLE|SEQUENCE|CONSTRAINT|ACL);.*\n--\n"
    r"(?:.*\n)*?(?=--\n-- (?:Name: |PostgreSQL database dump complete))",
    re.MULTILINE,
)
_OWNED_SCHEMAS: Final = """
    SELECT nspname FROM pg_namespace
    WHERE pg_has_role(nspowner, 'USAGE') AND nspname !~ '^pg_' AND nspname <> 'information_schema'
    ORDER BY nspname
"""


def schema_sql(url: DirectUrl, *options: str) -> str:
    """Return a database's schema as SQL, without owners and rights; equal schemas give equal text.

    Args:
        url: Of the database.
        options: pg_dump's own.

    Raises:
        ProgramError: The database does not exist or does not answer.
    """
    with without_tls(url) as reached:
        dump = programs.run("pg_dump", reached, "--schema-only", "--no-owner", "--no-privileges", *options)
    return without_noise(dump)


def owned_schemas_sql(url: DirectUrl) -> str:
    """Return as SQL the schemas that the URL's role may act for, as `schema_sql` does.

    Where a provider keeps things of its own in the database, that leaves them out; the kit's own tables,
    too, such as the mark that says which branch it is.

    Raises:
        BranchError: The database does not answer; the message quotes why.
    """
    try:
        with psycopg.connect(url.libpq(), autocommit=True) as connection:
            rows = connection.execute(_OWNED_SCHEMAS).fetchall()
        # In quotes, since pg_dump takes a pattern.
        schemas = ['--schema="{}"'.format(name.replace('"', '""')) for (name,) in rows]
        return schema_sql(url, *schemas, "--exclude-table=*.bough_*")
    except (psycopg.Error, ProgramError) as error:
        reason = " ".join(str(error).split())
    # Raised here: the driver's traceback holds the URL with its password.
    raise BranchError(f"the schema of {url} cannot be read: {reason}")


def without_noise(dump: str) -> str:
    """Return a dump without what differs each time."""
    return _OF_THE_DUMP.sub("", dump).strip() + "\n"


def without_own_tables(dump: str) -> str:
    """Return a dump without the kit's own tables, which each branch has by what was done on it."""
    return _OURS.sub("", dump)


def compare(base: str, changed: str, *, names: tuple[str, str]) -> str:
    """Return how the SQL of a schema differs from that of another: a unified diff, empty when equal."""
    old, new = base.splitlines(keepends=True), changed.splitlines(keepends=True)
    return "".join(difflib.unified_diff(old, new, *names))
