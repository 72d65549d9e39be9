"""A local copy of a database that nobody can branch: its roles, schema and table sizes, rows only on request.

What a statement locks and rewrites is the same on it; how long that takes is not.
"""

from __future__ import annotations

from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import psycopg

from infra.branches import identity
from infra.branches.identity import PLAIN, BranchIdentity
from infra.local.own_folder import write_private
from infra.local.pooler import Pooler, find_pgbouncer
from infra.local.postgres import PostgresCluster
from infra.local.throwaway import throwaway_folder
from infra.migrate.connection import TIMEOUTS, open_connection
from infra.migrate.errors import CopyImpossibleError
from infra.migrate.rehearsal import sample
from infra.migrate.rehearsal.copied_schema import CopiedSchema, Source
from infra.migrate.rehearsal.fork import NAME_PREFIX, Fork
from infra.migrate.rehearsal.results import ForkKind

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from api.database.connection_url import PooledUrl
    from infra.migrate.rehearsal.fork import Origin

#: Autovacuum would count what rows there are, in place of how many the target has.
_SETTINGS: Final = {"autovacuum": "off"}


@dataclass(frozen=True, slots=True)
class CopyForking:
    """Forks by a throw-away PostgreSQL on this machine.

    Args:
        root: The project's folder, whose `.bough/` holds the copy.
        application: The role that requests log in as.
        rows: At most so many of each table are copied to this machine; with 0 none leaves the target.
    """

    root: Path
    application: str
    rows: int = 0

    @contextmanager
    def __call__(self, origin: Origin, /) -> Iterator[Fork]:
        """Make a copy of the target.

        Raises:
            CopyImpossibleError: The schema cannot be read, or needs what this machine has not.
            ServerStartError: PostgreSQL did not start here.
        """
        with throwaway_folder(self.root, "rehearsals") as throwaway:
            fork = self._make(throwaway.folder, origin)
            throwaway.kept = origin.keep
            try:
                yield fork
            finally:
                if origin.keep:
                    way = throwaway.folder / "url"
                    write_private(way, fork.direct.libpq())
                    origin.announce(f"The copy stays until another is made; the way into it is in {way}")

    def _make(self, folder: Path, origin: Origin) -> Fork:
        said = f"up to {self.rows} rows of each table" if self.rows else "no rows"
        origin.announce(f"Copying the schema and the tables' sizes to this machine, and {said}")
        with ExitStack() as stack:
            connection = stack.enter_context(open_connection(origin.url, TIMEOUTS))
            stack.enter_context(_translated(origin))
            source = Source.read(connection, self.application)
            settings = {**_SETTINGS, "timezone": source.timezone}
            cluster = PostgresCluster.start(folder / "postgres", durable=False, settings=settings)
            schema = CopiedSchema(source, cluster)
            schema.make(origin.url)
            copy = stack.enter_context(psycopg.connect(schema.admin_url().libpq(), autocommit=True))
            sample.fill(connection, copy, self.rows)
            who = BranchIdentity(PLAIN, origin.identity.project_id, f"{NAME_PREFIX}{folder.name}")
            identity.mark(copy, who)
            # The owner may have no right to make tables here, and so not to own this one.
            copy.execute("GRANT SELECT ON public.bough_branch TO PUBLIC")
            return Fork(
                schema.owner_url(),
                self._pooled(folder, schema),
                ForkKind.COPY,
                who,
                differs=source.difference(copy.info.server_version),
                rows_per_table=self.rows,
            )

    def _pooled(self, folder: Path, schema: CopiedSchema) -> PooledUrl | None:
        role, password = schema.source.application, schema.application_password
        if role is None or find_pgbouncer() is None:
            return None
        pooler = Pooler.start(folder / "pooler", postgres=schema.cluster, users={role: password})
        return pooler.url(schema.source.database, role, password)


@contextmanager
def _translated(origin: Origin) -> Iterator[None]:
    """Turn what either server says into an error that quotes no row."""
    try:
        yield
    except psycopg.Error as error:
        reason = error.diag.message_primary or str(error).strip().partition("\n")[0]
        message = f"{origin.url} cannot be copied to this machine: {reason}"
    else:
        return
    # Raised here: the driver's traceback holds the passwords of the copy.
    raise CopyImpossibleError(message)
