"""A local copy of a database that nobody can branch: its roles, schema and table sizes, rows only on request.

What a statement locks and rewrites is the same on it; how long that takes is not.
"""

from __future__ import annotations

import secrets
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import psycopg

from infra.branches import identity
from infra.branches.identity import PLAIN, BranchIdentity
from infra.local import lock_file, servers
from infra.local.own_folder import folder as own_folder
from infra.local.own_folder import write_private
from infra.local.pooler import Pooler, find_pgbouncer
from infra.local.postgres import PostgresCluster
from infra.migrate.connection import open_connection
from infra.migrate.rehearsal import sample
from infra.migrate.rehearsal.copied_schema import CopiedSchema, Source
from infra.migrate.rehearsal.fork import NAME_PREFIX, Fork
from infra.migrate.rehearsal.results import ForkKind
from infra.migrate.runner import TIMEOUTS

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
        copies = own_folder(self.root) / "rehearsals"
        folder = copies / f"{NAME_PREFIX}{secrets.token_hex(4)}"
        folder.mkdir(mode=0o700, parents=True)
        keep = False
        with lock_file.held(folder / "lock"):
            try:
                _remove_left(copies)
                fork = self._fill(folder, origin)
                keep = origin.keep
                yield fork
            finally:
                if keep:
                    write_private(folder / "url", fork.direct.libpq())
                    path = folder / "url"
                    origin.announce(f"The copy stays until another is made; the way into it is in {path}")
                else:
                    servers.remove_below(folder)

    def _fill(self, folder: Path, origin: Origin) -> Fork:
        said = f"up to {self.rows} rows of each table" if self.rows else "no rows"
        origin.announce(f"Copying the schema and the tables' sizes to this machine, and {said}")
        with ExitStack() as stack:
            connection = stack.enter_context(open_connection(origin.url, TIMEOUTS))
            source = Source.read(connection, self.application)
            settings = {**_SETTINGS, "timezone": source.timezone}
            cluster = PostgresCluster.start(folder / "postgres", durable=False, settings=settings)
            schema = CopiedSchema(source, cluster)
            schema.make(origin.url)
            copy = stack.enter_context(psycopg.connect(schema.admin_url().libpq(), autocommit=True))
            sample.copy_bookkeeping(connection, copy)
            if self.rows:
                sample.copy_rows(connection, copy, self.rows)
            sample.fill_views(connection, copy)
            sample.copy_sizes(connection, copy)
            who = BranchIdentity(PLAIN, origin.identity.project_id, folder.name)
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


def _remove_left(copies: Path) -> None:
    """Delete what killed rehearsals left, and what earlier ones were asked to keep."""
    for folder in copies.iterdir():
        lock = folder / "lock"
        if lock.exists() and lock_file.holder(lock) is None:
            servers.remove_below(folder)
