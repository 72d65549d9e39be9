"""Databases for tests: one cluster and one pooler for a worker, one database for a test."""

from __future__ import annotations

import os
import secrets
import shutil
import tempfile
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import psycopg
from psycopg import sql

from infra.branches import application_role, identity
from infra.branches.identity import BranchIdentity
from infra.local.home import MEMORY, Home
from infra.local.names import APPLICATION, OWNER

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from api.database.connection_url import DirectUrl, PooledUrl
    from infra.local.pooler import Pooler
    from infra.local.postgres import PostgresCluster

#: Bytes; a worker's databases take less than a tenth.
_PLENTY: Final = 2 * 2**30


def memory_with_room() -> Path | None:
    """Return the folder of the file system in memory where it has plenty of room."""
    return MEMORY if MEMORY.is_dir() and shutil.disk_usage(MEMORY).free > _PLENTY else None


@dataclass(frozen=True)
class Database:
    """One test's own database."""

    name: str
    pooled: PooledUrl
    direct: DirectUrl
    superuser: DirectUrl


@contextmanager
def quick_tablespace(cluster: PostgresCluster) -> Iterator[str]:
    """Yield a tablespace in memory where there is plenty, else the cluster's own.

    On ext4 the many files of dropped databases make the next ones slow to create: a copy took 50 ms
    at the beginning of a run and 350 ms, all of it the kernel's, at its end. In memory it is 25 ms.
    """
    memory = memory_with_room()
    if memory is None:
        yield "pg_default"
        return
    with tempfile.TemporaryDirectory(prefix="bough-tests-", dir=memory) as folder:
        if account := Home.of(cluster.folder).account:
            os.chown(folder, account.pw_uid, account.pw_gid)
        with psycopg.connect(cluster.superuser_url().libpq(), autocommit=True) as connection:
            connection.execute(f"CREATE TABLESPACE memory LOCATION '{folder}'")
        yield "memory"


@dataclass(frozen=True)
class World:
    """A cluster and a pooler, and how to reach any database of theirs."""

    cluster: PostgresCluster
    pooler: Pooler
    owner_password: str
    application_password: str
    tablespace: str = "pg_default"

    def direct(self, database: str) -> DirectUrl:
        """Return the URL past the pooler, as the owner."""
        url = self.cluster.superuser_url(database)
        return url.replace(user=OWNER, password=self.owner_password)

    def pooled(self, database: str) -> PooledUrl:
        """Return the URL through the pooler, as the application role."""
        return self.pooler.url(database, APPLICATION, self.application_password)

    def superuser(self, database: str) -> DirectUrl:
        """Return the URL past the pooler, as the superuser."""
        return self.cluster.superuser_url(database)

    @contextmanager
    def new_database(self, template: str | None = None) -> Iterator[Database]:
        """Create a provisioned database, empty or a copy, and drop it at the end."""
        name = f"test_{secrets.token_hex(6)}"
        create = sql.SQL(
            "CREATE DATABASE {} TABLESPACE {} OWNER {} TEMPLATE {}"
            if template
            else "CREATE DATABASE {} TABLESPACE {}"
        )
        names = (name, self.tablespace, *((OWNER, template) if template else ()))
        self._maintain(create.format(*map(sql.Identifier, names)))
        try:
            with psycopg.connect(self.superuser(name).libpq()) as connection:
                if template:
                    application_role.grant(connection, owner=OWNER, application=APPLICATION)
                else:
                    self._provision(connection)
                # The mark's table belongs to the owner, as a migration's do.
                connection.execute(sql.SQL("SET ROLE {}").format(sql.Identifier(OWNER)))
                identity.mark(connection, BranchIdentity(identity.PLAIN, "tests", name))
            yield Database(name, self.pooled(name), self.direct(name), self.superuser(name))
        finally:
            self._maintain(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))

    def _provision(self, connection: psycopg.Connection) -> None:
        application_role.provision(
            connection,
            owner=OWNER,
            owner_password=self.owner_password,
            application=APPLICATION,
            application_password=self.application_password,
        )

    def _maintain(self, statement: sql.Composed) -> None:
        with psycopg.connect(self.superuser("postgres").libpq(), autocommit=True) as connection:
            connection.execute(statement)
