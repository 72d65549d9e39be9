"""The two roles of a database: an owner that migrates it and an application role that uses it.

The application role has only the rights that requests need, also on tables that the owner makes
later, and carries the timeouts that hold for every statement whatever pooler is in between.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, LiteralString

from psycopg import sql

from api.database.timeouts import Timeouts

if TYPE_CHECKING:
    import psycopg

_TABLE_RIGHTS: Final = sql.SQL("SELECT, INSERT, UPDATE, DELETE")
_SEQUENCE_RIGHTS: Final = sql.SQL("USAGE, SELECT")
#: Of the tables that record migrations: who could write them could make an unfit schema look fit.
_BOOKKEEPING_RIGHTS: Final = sql.SQL("SELECT")


def provision(
    connection: psycopg.Connection,
    *,
    owner: str,
    owner_password: str,
    application: str,
    application_password: str | None,
    timeouts: Timeouts | None = None,
) -> None:
    """Make the roles of the connection's database, or bring them up to date; safe to repeat.

    The connection is a superuser's, or a role's with CREATEROLE that owns the database (Neon's
    default role), and must be direct. Everything happens in one transaction. Passwords reach the
    server as SCRAM verifiers, so that its log and statistics never see them.

    Args:
        connection: To the database itself, not to a maintenance database.
        owner: Owns the database and the schema `public`; may be the connection's own role, which
            is then left alone.
        owner_password: Its password; not used for the connection's own role.
        application: What the application logs in as.
        application_password: Its password; `None` keeps the one that it has.
        timeouts: The application role's limits; existing connections keep the old ones.
    """
    with connection.transaction():
        if owner != own_role(connection):
            _make_role(connection, owner, owner_password)
            _become_member(connection, owner)
            _run(
                connection,
                "ALTER DATABASE {} OWNER TO {}",
                sql.Identifier(connection.info.dbname),
                sql.Identifier(owner),
            )
        _make_role(connection, application, application_password)
        limits = {**(timeouts or Timeouts()).settings(), "jit": "off"}
        for name, value in limits.items():
            _run(
                connection,
                "ALTER ROLE {} SET {} = {}",
                sql.Identifier(application),
                sql.Identifier(name),
                sql.Literal(value),
            )
        grant(connection, owner=owner, application=application)


def own_role(connection: psycopg.Connection) -> str:
    """Return the role that the connection acts as: a shared pooler's user name has more in it."""
    (name,) = connection.execute("SELECT current_user").fetchone() or ("",)
    return str(name)


def grant(connection: psycopg.Connection, *, owner: str, application: str) -> None:
    """Give the application role its rights in the connection's database.

    `CREATE DATABASE … TEMPLATE` copies rights on tables but none on the database itself: a copy
    needs this again.
    """
    database, app = sql.Identifier(connection.info.dbname), sql.Identifier(application)
    _run(connection, "GRANT CONNECT ON DATABASE {} TO {}", database, app)
    # CONNECT stays PUBLIC's: a provider's own roles live by it.
    _run(connection, "REVOKE CREATE, TEMPORARY ON DATABASE {} FROM PUBLIC", database)
    # PostgreSQL 14 lets everybody create tables here.
    _run(connection, "REVOKE CREATE ON SCHEMA public FROM PUBLIC")
    _run(connection, "GRANT USAGE ON SCHEMA public TO {}", app)
    for kind, rights in (("TABLES", _TABLE_RIGHTS), ("SEQUENCES", _SEQUENCE_RIGHTS)):
        _run(
            connection,
            "ALTER DEFAULT PRIVILEGES FOR ROLE {} IN SCHEMA public GRANT {} ON {} TO {}",
            sql.Identifier(owner),
            rights,
            sql.SQL(kind),
            app,
        )
    existing = connection.execute(
        "SELECT relname, relkind = 'S' FROM pg_class"
        " WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p', 'v', 'm', 'f', 'S')"
        " AND pg_get_userbyid(relowner) = %s",
        [owner],
    ).fetchall()
    for name, is_sequence in existing:
        relation = sql.SQL("SEQUENCE {}" if is_sequence else "TABLE {}").format(
            sql.Identifier("public", name)
        )
        rights = _SEQUENCE_RIGHTS if is_sequence else _TABLE_RIGHTS
        if name == "alembic_version" or name.startswith("bough_"):
            _run(connection, "REVOKE ALL ON {} FROM PUBLIC, {}", relation, app)
            rights = _BOOKKEEPING_RIGHTS
        _run(connection, "GRANT {} ON {} TO {}", rights, relation, app)


def _make_role(connection: psycopg.Connection, name: str, password: str | None) -> None:
    if password is None:
        return
    exists = connection.execute("SELECT FROM pg_roles WHERE rolname = %s", [name]).fetchone() is not None
    verifier = connection.pgconn.encrypt_password(password.encode(), name.encode(), b"scram-sha-256")
    _run(
        connection,
        "{} ROLE {} LOGIN PASSWORD {}",
        sql.SQL("ALTER" if exists else "CREATE"),
        sql.Identifier(name),
        sql.Literal(verifier.decode()),
    )


def _become_member(connection: psycopg.Connection, role: str) -> None:
    """Let the connection's role act for the owner, as giving away a database needs, unless it can."""
    can = connection.execute("SELECT pg_has_role(%s, 'USAGE')", [role]).fetchone()
    if can != (True,):
        _run(connection, "GRANT {} TO CURRENT_USER", sql.Identifier(role))


def _run(connection: psycopg.Connection, statement: LiteralString, *parts: sql.Composable) -> None:
    connection.execute(sql.SQL(statement).format(*parts))
