"""Roles and databases as PostgreSQL has them, made by the superuser. Everything is safe to repeat.

Passwords reach the server as SCRAM verifiers, so that its log and statistics never see them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, LiteralString

import psycopg
from psycopg import sql

if TYPE_CHECKING:
    from collections.abc import Sequence

    from api.database.connection_url import DirectUrl
    from infra.local.neon_api.state import Database, Role


def apply(
    url: DirectUrl,
    *,
    roles: Sequence[Role] = (),
    databases: Sequence[Database] = (),
    dropped_roles: Sequence[str] = (),
    dropped_databases: Sequence[str] = (),
) -> None:
    """Make roles and databases, or give roles their passwords anew; drop others.

    Args:
        url: The superuser's.
        roles: With the rights of Neon's: `neon_superuser` is a role that they are members of.
        databases: Made after the roles, which own them.
        dropped_roles: Own nothing.
        dropped_databases: With all their data; connections to them are cut.
    """
    with psycopg.connect(url.libpq(), autocommit=True) as connection:
        for role in roles:
            _make_role(connection, role)
        for database in databases:
            if not _exists(connection, "SELECT FROM pg_database WHERE datname = %s", database.name):
                _run(connection, "CREATE DATABASE {} OWNER {}", database.name, database.owner_name)
        for name in dropped_databases:
            _run(connection, "DROP DATABASE IF EXISTS {} WITH (FORCE)", name)
        for name in dropped_roles:
            _run(connection, "DROP ROLE IF EXISTS {}", name)


def owns_anything(url: DirectUrl, role: str) -> bool:
    """Say whether dropping the role would fail, for what it owns or may do in any database."""
    statement = """
        SELECT FROM pg_shdepend JOIN pg_roles ON pg_roles.oid = refobjid
        WHERE refclassid = 'pg_authid'::regclass AND rolname = %s
    """
    with psycopg.connect(url.libpq(), autocommit=True) as connection:
        return _exists(connection, statement, role)


def role_exists(url: DirectUrl, role: str) -> bool:
    """Say whether a role of this name exists, however it was made."""
    with psycopg.connect(url.libpq(), autocommit=True) as connection:
        return _exists(connection, "SELECT FROM pg_roles WHERE rolname = %s", role)


def _make_role(connection: psycopg.Connection, role: Role) -> None:
    exists = _exists(connection, "SELECT FROM pg_roles WHERE rolname = %s", role.name)
    if not exists:
        _run(
            connection,
            "CREATE ROLE {} CREATEROLE CREATEDB BYPASSRLS REPLICATION IN ROLE neon_superuser",
            role.name,
        )
    if role.password is None:
        return
    name = role.name.encode()
    verifier = connection.pgconn.encrypt_password(role.password.encode(), name, b"scram-sha-256")
    connection.execute(
        sql.SQL("ALTER ROLE {} LOGIN PASSWORD {}").format(
            sql.Identifier(role.name), sql.Literal(verifier.decode())
        )
    )


def _exists(connection: psycopg.Connection, statement: LiteralString, name: str) -> bool:
    return connection.execute(statement, [name]).fetchone() is not None


def _run(connection: psycopg.Connection, statement: LiteralString, *names: str) -> None:
    connection.execute(sql.SQL(statement).format(*(sql.Identifier(name) for name in names)))
