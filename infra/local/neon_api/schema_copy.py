"""A cluster like another: its roles, databases and schemas, and no rows."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from infra.local import programs
from infra.local.home import Home
from infra.local.postgres import SUPERUSER, PostgresCluster

if TYPE_CHECKING:
    from pathlib import Path

#: The new cluster has its superuser already.
_SUPERUSER_AGAIN: Final = re.compile(rf"^(CREATE|ALTER) ROLE {SUPERUSER}( WITH .*)?;\n", re.MULTILINE)


def copy_schema(source: PostgresCluster, folder: Path) -> None:
    """Make a cluster with the roles, their passwords, the databases and schemas of a running one; stop it.

    Args:
        source: Runs.
        folder: For the copy's `PostgresCluster`; without data.

    Raises:
        ProgramError: The schema cannot be dumped or made.
        ServerStartError: The copy did not start.
        DiskFullError: The disk is full.
    """
    dump = programs.run("pg_dumpall", source.superuser_url(), "--schema-only", "--no-tablespaces")
    # As in a copy of everything: either may be put in the other's place.
    Home.of(folder).write_private("superuser", source.superuser_password())
    copy = PostgresCluster.start(folder)
    try:
        script = _SUPERUSER_AGAIN.sub("", dump, count=2)
        programs.run("psql", copy.superuser_url(), "--no-psqlrc", "--set=ON_ERROR_STOP=1", stdin=script)
    finally:
        copy.stop()
