"""A database's schema on a cluster of this machine, with the roles that it is about and their rights."""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Self

import psycopg
from psycopg import sql

from infra.branches.tls_tunnel import without_tls
from infra.local import programs
from infra.local.errors import ProgramError
from infra.local.postgres import SUPERUSER
from infra.migrate.errors import CopyImpossibleError

if TYPE_CHECKING:
    from api.database.connection_url import DirectUrl
    from infra.local.postgres import PostgresCluster
    from infra.migrate.connection import Connection

#: The copy's own superuser. The cluster's first is renamed: a target may have a role of that name, and
#: with fewer rights.
_ADMIN: Final = "bough_copy"
_FIRST: Final = "bough_copy_first"

_DUMP: Final = (
    "--schema-only",
    "--no-tablespaces",
    "--no-subscriptions",
    "--no-security-labels",
    "--lock-wait-timeout=5s",
    "--exclude-table=public.bough_branch",
)

_SOURCE: Final = """
    SELECT current_database(), current_user, pg_get_userbyid(datdba),
        (SELECT rolname FROM pg_roles WHERE rolname = %s),
        has_database_privilege(current_database(), 'CREATE'),
        current_setting('TimeZone'), current_setting('search_path'),
        current_setting('server_version_num')::int,
        ARRAY(SELECT extname::text FROM pg_extension ORDER BY 1)
    FROM pg_database WHERE datname = current_database()
"""


@dataclass(slots=True)
class Source:
    """What a copy must know of its source besides the schema.

    Args:
        database: Its name.
        owner: The role that migrates it.
        database_owner: The role that owns the database.
        application: The role that requests log in as; `None` where there is none.
        may_create: Whether the owner may make schemas.
        timezone: That the owner's sessions have: what some rewrites depend on.
        search_path: Of the owner's sessions.
        version: Of the server, as `server_version_num`.
        extensions: That are installed.
        missing: Those of them that this machine has not.
    """

    database: str
    owner: str
    database_owner: str
    application: str | None
    may_create: bool
    timezone: str
    search_path: str
    version: int
    extensions: list[str]
    missing: list[str] = field(default_factory=list)

    @classmethod
    def read(cls, connection: Connection, application: str) -> Self:
        """Ask the source."""
        row = connection.execute(_SOURCE, (application,)).fetchone()
        assert row is not None  # noqa: S101  the connected database is in pg_database
        return cls(*row)

    def difference(self, version: int) -> str | None:
        """Return why the copy's schema may read otherwise, `None` where it must be equal."""
        reasons = [f"it has no extension {', '.join(self.missing)}"] if self.missing else []
        if self.version // 10000 != version // 10000:
            reasons.append(f"it is PostgreSQL {version // 10000}, the target {self.version // 10000}")
        return "; ".join(reasons) or None


@dataclass(frozen=True)
class CopiedSchema:
    """The copy of a source on a cluster of its own; its roles' passwords are random."""

    source: Source
    cluster: PostgresCluster
    admin_password: str = field(default_factory=secrets.token_urlsafe, repr=False)
    owner_password: str = field(default_factory=secrets.token_urlsafe, repr=False)
    application_password: str = field(default_factory=secrets.token_urlsafe, repr=False)

    def admin_url(self, database: str | None = None) -> DirectUrl:
        """Return the superuser's way into the copy, or another database of the cluster."""
        return self._url(_ADMIN, self.admin_password, database)

    def owner_url(self) -> DirectUrl:
        """Return the way into the copy as the role that migrates the source."""
        return self._url(self.source.owner, self.owner_password)

    def make(self, url: DirectUrl) -> None:
        """Copy roles and schema.

        Args:
            url: Of the source.

        Raises:
            CopyImpossibleError: The source may not be read, or this machine lacks what the schema needs.
        """
        self._make_admin()
        try:
            with without_tls(url) as reached:
                # Without what is secret of roles, which would take a superuser; what cannot be made
                # again here, such as rights that a provider's own role granted, matters to no revision.
                roles = programs.run(
                    "pg_dumpall",
                    reached,
                    f"--database={self.source.database}",
                    "--roles-only",
                    "--no-role-passwords",
                )
                programs.run("psql", self.admin_url("template1"), "--no-psqlrc", stdin=roles)
                self._make_database()
                without = [f"--exclude-extension={name}" for name in self.source.missing]
                dump = programs.run("pg_dump", reached, *_DUMP, *without)
            programs.run("psql", self.admin_url(), "--no-psqlrc", "--set=ON_ERROR_STOP=1", stdin=dump)
        except ProgramError as error:
            message = f"the schema of {url} cannot be copied to this machine: {error}"
            raise CopyImpossibleError(message, hint=self._hint()) from None

    def _make_admin(self) -> None:
        create = sql.SQL("CREATE ROLE {} SUPERUSER LOGIN PASSWORD {}")
        with psycopg.connect(self.cluster.superuser_url().libpq(), autocommit=True) as connection:
            connection.execute(create.format(sql.Identifier(_ADMIN), sql.Literal(self.admin_password)))
        with psycopg.connect(self.admin_url("template1").libpq(), autocommit=True) as connection:
            rename = sql.SQL("ALTER ROLE {} RENAME TO {}")
            connection.execute(rename.format(sql.Identifier(SUPERUSER), sql.Identifier(_FIRST)))

    def _make_database(self) -> None:
        source = self.source
        with psycopg.connect(self.admin_url("template1").libpq(), autocommit=True) as connection:
            passwords = {source.owner: self.owner_password}
            if source.application is not None:
                passwords[source.application] = self.application_password
            for role, password in passwords.items():
                alter = sql.SQL("ALTER ROLE {} LOGIN PASSWORD {}")
                connection.execute(alter.format(sql.Identifier(role), sql.Literal(password)))
            database, owner = sql.Identifier(source.database), sql.Identifier(source.owner)
            known = connection.execute("SELECT FROM pg_database WHERE datname = %s", (source.database,))
            if known.fetchone() is None:
                connection.execute(sql.SQL("CREATE DATABASE {}").format(database))
            statement = sql.SQL("ALTER DATABASE {} OWNER TO {}")
            connection.execute(statement.format(database, sql.Identifier(source.database_owner)))
            if source.may_create:
                connection.execute(sql.SQL("GRANT CREATE ON DATABASE {} TO {}").format(database, owner))
            connection.execute("SELECT set_config('search_path', %s, false)", (source.search_path,))
            statement = sql.SQL("ALTER ROLE {} IN DATABASE {} SET search_path FROM CURRENT")
            connection.execute(statement.format(owner, database))
            available = connection.execute("SELECT name::text FROM pg_available_extensions").fetchall()
            source.missing[:] = sorted(set(source.extensions) - {name for (name,) in available})

    def _hint(self) -> str:
        if self.source.missing:
            return f"PostgreSQL on this machine has no extension {', '.join(self.source.missing)}"
        return "may the role of the connection string read every table's definition?"

    def _url(self, user: str, password: str, database: str | None = None) -> DirectUrl:
        url = self.cluster.superuser_url(database or self.source.database)
        return url.replace(user=user, password=password)
