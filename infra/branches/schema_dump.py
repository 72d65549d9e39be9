"""A database's schema as SQL, and what differs between two."""

from __future__ import annotations

import difflib
import re
import subprocess
from typing import TYPE_CHECKING, Final

import psycopg
from psycopg.conninfo import conninfo_to_dict

from infra.branches.errors import BranchError
from infra.branches.tls_tunnel import without_tls
from infra.local.home import postgres_programs
from infra.local.processes import ENVIRONMENT

if TYPE_CHECKING:
    from api.database.connection_url import DirectUrl

#: What a dump says of itself: versions, and keys that are random each time.
_OF_THE_DUMP: Final = re.compile(r"^(-- Dumped (from|by) .*\n|\\(un)?restrict \w+\n)", re.MULTILINE)
_VARIABLES: Final = {
    "host": "PGHOST",
    "port": "PGPORT",
    "user": "PGUSER",
    "password": "PGPASSWORD",
    "dbname": "PGDATABASE",
}


def owned_schemas_sql(url: DirectUrl) -> str:
    """Return as SQL the schemas that the URL's role may act for, without owners and rights.

    Where a provider keeps things of its own in the database, that leaves them out.

    Raises:
        BranchError: It cannot be dumped; the message quotes why.
    """
    try:
        with psycopg.connect(url.libpq(), autocommit=True) as connection:
            rows = connection.execute(
                "SELECT nspname FROM pg_namespace WHERE pg_has_role(nspowner, 'USAGE')"
                " AND nspname !~ '^pg_' AND nspname <> 'information_schema' ORDER BY 1"
            ).fetchall()
    except psycopg.Error as error:
        reason = " ".join(str(error).split())
    else:
        # Quoted, since a pattern is wanted.
        chosen = [f'--schema="{name}"' for (name,) in rows]
        with without_tls(url) as reached:
            # The mark says which branch it is, which is no part of its schema.
            return _dump(reached, *chosen, "--exclude-table=public.bough_branch")
    raise BranchError(f"the schema of {url} cannot be read: {reason}")


def compare(base: str, changed: str, *, names: tuple[str, str]) -> str:
    """Return how the SQL of a schema differs from that of another: a unified diff, empty when equal."""
    lines = difflib.unified_diff(
        base.splitlines(keepends=True), changed.splitlines(keepends=True), f"a/{names[0]}", f"b/{names[1]}"
    )
    return "".join(lines)


def _dump(url: DirectUrl, *arguments: str) -> str:
    # Through the environment: command lines can be read by everybody.
    parts = conninfo_to_dict(url.libpq())
    environment = {variable: str(parts[part]) for part, variable in _VARIABLES.items() if part in parts}
    done = subprocess.run(  # noqa: S603  the program is ours and no shell is involved
        [str(postgres_programs() / "pg_dump"), "--schema-only", "--no-owner", "--no-privileges", *arguments],
        env={**ENVIRONMENT, **environment, "PGSSLMODE": "disable"},
        capture_output=True,
        encoding="utf-8",
        check=False,
    )
    if done.returncode:
        said = next(
            (line for line in done.stderr.splitlines() if "error" in line.lower()), done.stderr.strip()
        )
        raise BranchError(f"pg_dump failed: {said}")
    return _OF_THE_DUMP.sub("", done.stdout).strip() + "\n"
