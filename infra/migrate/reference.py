"""An empty database under another's conditions: what revisions make on it is the measure for that one."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, LiteralString, Self

import psycopg
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict

from infra.branches import identity
from infra.branches.identity import PLAIN, BranchIdentity
from infra.local.names import APPLICATION, OWNER
from infra.local.postgres import SUPERUSER
from infra.migrate.catalog_query import MIGRATOR

if TYPE_CHECKING:
    from api.database.connection_url import DirectUrl
    from infra.config import Project
    from infra.local.postgres import PostgresCluster
    from infra.migrate.connection import Connection

#: Kinds of things that default privileges are for, as `pg_default_acl` and `ALTER DEFAULT PRIVILEGES` say it.
_KINDS: Final = {"r": "TABLES", "S": "SEQUENCES", "f": "FUNCTIONS", "T": "TYPES", "n": "SCHEMAS"}

_SURROUNDINGS: Final[LiteralString] = f"""
    SELECT pg_get_userbyid({MIGRATOR}), pg_get_userbyid(datdba),
        ARRAY(SELECT rolname::text FROM pg_roles WHERE rolname !~ '^pg_' ORDER BY 1),
        (SELECT coalesce(json_agg(json_build_array(
                    defaclobjtype, defaclnamespace <> 0,
                    CASE grantee WHEN 0 THEN NULL ELSE pg_get_userbyid(grantee) END,
                    privilege_type, is_grantable)), '[]')
         FROM pg_default_acl, aclexplode(defaclacl)
         WHERE defaclrole = {MIGRATOR}
           AND defaclnamespace IN (0, 'public'::regnamespace)),
        current_setting('server_version_num')::int / 10000
    FROM pg_database WHERE datname = current_database()
"""  # noqa: S608  a constant of the query's module


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What of a database no revision makes, but what revisions make depends on.

    Args:
        owner: The role that migrates it.
        database_owner: The role that the database belongs to.
        roles: All that there are, PostgreSQL's own left out.
        default_rights: Kind, whether of the schema `public` alone, grantee (`None` for everybody), right, and
            whether that may be handed on: what the owner's new things grant.
        version: The server's major version.
    """

    owner: str
    database_owner: str
    roles: tuple[str, ...]
    default_rights: tuple[tuple[str, bool, str | None, str, bool], ...]
    version: int

    @classmethod
    def read(cls, connection: Connection) -> Self:
        """Ask a database."""
        row = connection.execute(_SURROUNDINGS).fetchone()
        assert row is not None  # noqa: S101  the connected database is in pg_database
        owner, database_owner, roles, rights, version = row
        return cls(owner, database_owner, tuple(roles), tuple(map(tuple, rights)), version)


#: What revisions may count on everywhere: the two roles that every branch has.
USUAL: Final = Surroundings(OWNER, OWNER, (OWNER, APPLICATION), (), 0)


def make_reference(project: Project, cluster: PostgresCluster, around: Surroundings) -> DirectUrl:
    """Make an empty database for a project's revisions; return the owner's way into it.

    Args:
        project: Whose revisions it is for.
        cluster: Of this command's own: roles are made on it.
        around: As the database has it that will be compared.
    """
    name = f"reference_{secrets.token_hex(4)}"
    owner, database = sql.Identifier(around.owner), sql.Identifier(name)
    url = cluster.superuser_url(name)
    with psycopg.connect(cluster.superuser_url().libpq(), autocommit=True) as connection:
        known = {role for (role,) in connection.execute("SELECT rolname FROM pg_roles")}
        for role in (role for role in around.roles if role not in known):
            connection.execute(sql.SQL("CREATE ROLE {}").format(sql.Identifier(role)))
        if around.owner != SUPERUSER:
            url = url.replace(user=around.owner, password=secrets.token_urlsafe())
            password = conninfo_to_dict(url.libpq())["password"]
            connection.execute(
                sql.SQL("ALTER ROLE {} LOGIN PASSWORD {}").format(owner, sql.Literal(password))
            )
        create = sql.SQL("CREATE DATABASE {} OWNER {}")
        connection.execute(create.format(database, sql.Identifier(around.database_owner)))
        connection.execute(sql.SQL("GRANT CREATE ON DATABASE {} TO {}").format(database, owner))
    with psycopg.connect(cluster.superuser_url(name).libpq()) as connection:
        connection.execute(sql.SQL("GRANT ALL ON SCHEMA public TO {}").format(owner))
        _grant_defaults(connection, around)
        connection.execute(sql.SQL("SET ROLE {}").format(owner))
        identity.mark(connection, BranchIdentity(PLAIN, project.name, name))
    return url


def _grant_defaults(connection: Connection, around: Surroundings) -> None:
    alter = sql.SQL("ALTER DEFAULT PRIVILEGES FOR ROLE {} ").format(sql.Identifier(around.owner))
    # What a whole database's defaults say replaces PostgreSQL's own, which may have been taken away.
    for kind in {kind for kind, in_public, *_ in around.default_rights if not in_public}:
        revoke = sql.SQL("REVOKE ALL ON {} FROM PUBLIC").format(sql.SQL(_KINDS[kind]))
        connection.execute(alter + revoke)
    for kind, in_public, grantee, right, may_hand_on in around.default_rights:
        grant = sql.SQL("{}GRANT {} ON {} TO {}{}").format(
            sql.SQL("IN SCHEMA public " if in_public else ""),
            sql.SQL(right),
            sql.SQL(_KINDS[kind]),
            sql.SQL("PUBLIC") if grantee is None else sql.Identifier(grantee),
            sql.SQL(" WITH GRANT OPTION" if may_hand_on else ""),
        )
        connection.execute(alter + grant)
