"""PostgreSQL's client programs, from the wheel."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING, Final

from psycopg.conninfo import conninfo_to_dict

from infra.local import processes
from infra.local.errors import ProgramError
from infra.local.home import postgres_programs

if TYPE_CHECKING:
    from api.database.connection_url import DirectUrl

_VARIABLES: Final = {
    "host": "PGHOST",
    "port": "PGPORT",
    "user": "PGUSER",
    "password": "PGPASSWORD",
    "dbname": "PGDATABASE",
    "sslmode": "PGSSLMODE",
}


def run(program: str, url: DirectUrl, *arguments: str, stdin: str = "") -> str:
    """Run a program on a database; return what it wrote.

    The URL's parts go through the environment: command lines can be read by everybody.

    Raises:
        ProgramError: It failed; the message quotes its first error.
    """
    parts = conninfo_to_dict(url.libpq())
    environment = {variable: str(parts[part]) for part, variable in _VARIABLES.items() if part in parts}
    done = subprocess.run(  # noqa: S603  the program is ours and no shell is involved
        [str(postgres_programs() / program), *arguments],
        env={**processes.ENVIRONMENT, **environment},
        input=stdin,
        capture_output=True,
        encoding="utf-8",
        check=False,
    )
    if done.returncode:
        said = [line for line in done.stderr.splitlines() if "error" in line.lower()] or [done.stderr.strip()]
        raise ProgramError(f"{program} failed: {said[0]}", hint="see the branch's postgres.log")
    return done.stdout
