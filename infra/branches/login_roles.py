"""Two roles that log in by turns as the application role, so that a password can change under load.

`<application>_a` and `<application>_b` are members of the application role, whose rights they inherit. Its
limits are settings, which no membership passes on, so they are copied. A branch is a copy and so has its
parent's logins: each says in its comment which branch it is for, and ends where another one is provisioned.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import psycopg
from psycopg import sql

from infra.branches import identity
from infra.branches.errors import BranchError

if TYPE_CHECKING:
    from api.database.connection_url import PooledUrl
    from infra.branches.identity import BranchIdentity

    Connection = psycopg.Connection[tuple[Any, ...]]

_SUFFIXES: Final = ("_a", "_b")
#: Key of the advisory lock under which a login is made or ended.
_LOCK_KEY: Final = int.from_bytes(b"bough/lr", "big")
_LOGINS: Final = """
    SELECT rolname, (SELECT count(*) FROM pg_stat_activity WHERE usesysid = role.oid)
    FROM pg_roles AS role WHERE rolname = ANY(%s) AND rolcanlogin ORDER BY rolname
"""
_SETTINGS: Final = """
    SELECT setdatabase <> 0, split_part(setting, '=', 1), substr(setting, strpos(setting, '=') + 1)
    FROM pg_db_role_setting, unnest(setconfig) AS setting
    WHERE setrole = (SELECT oid FROM pg_roles WHERE rolname = %s)
      AND setdatabase IN (0, (SELECT oid FROM pg_database WHERE datname = current_database()))
"""


_COPIED: Final = """
    SELECT rolname, said FROM pg_roles, shobj_description(oid, 'pg_authid') AS said
    WHERE rolname = ANY(%s) AND rolcanlogin AND starts_with(said, %s) AND said <> %s
"""
_COMMENT: Final = "login for branch "


class LoginRoleError(BranchError):
    """The role that logs in is none of the application's, cannot log in, or can already."""

    code = "LOGIN_ROLE"


@dataclass(frozen=True, slots=True)
class Login:
    """A role that can log in as the application.

    Args:
        role: The application role itself, or one of the two.
        connections: How many it has now, a pooler's idle ones among them.
    """

    role: str
    connections: int


def login_of(url: PooledUrl, application: str) -> str:
    """Return the role that a URL logs in as; a shared pooler's user name has more in it.

    Raises:
        LoginRoleError: It is neither the application role nor one of its two logins.
    """
    for role in _names(application):
        if url.user == role or url.user.startswith(f"{role}."):
            return role
    raise LoginRoleError(
        f"DATABASE_URL logs in as {url.user}, which is not {application} and none of its logins",
        hint="name the application role with `application_role` of [tool.bough.branches]",
    )


def next_login(role: str, application: str) -> str:
    """Return whose turn it is after `role`."""
    first, second = (f"{application}{suffix}" for suffix in _SUFFIXES)
    return second if role == first else first


def read_logins(connection: Connection, application: str) -> list[Login]:
    """Return who can log in as the application."""
    return [Login(*row) for row in connection.execute(_LOGINS, [list(_names(application))]).fetchall()]


def make_login(connection: Connection, role: str, password: str, *, application: str) -> None:
    """Let one of the two roles log in, with the application role's rights and settings.

    The password reaches the server as a SCRAM verifier, so that its log never sees it.

    Args:
        connection: The owner's, direct.
        role: One of the two.
        password: Its new one.
        application: Whose rights and settings it has.

    Raises:
        LoginRoleError: It can log in already: somebody else changes the password, or did not finish.
    """
    name, group = sql.Identifier(role), sql.Identifier(application)
    verifier = connection.pgconn.encrypt_password(password.encode(), role.encode(), b"scram-sha-256").decode()
    with connection.transaction():
        connection.execute("SELECT pg_advisory_xact_lock(%s)", [_LOCK_KEY])
        found = connection.execute("SELECT rolcanlogin FROM pg_roles WHERE rolname = %s", [role]).fetchone()
        if found == (True,):
            raise LoginRoleError(
                f"{role} can log in already: the last rotation was not finished, or another one runs",
                hint="bough secrets rotate database --finish",
            )
        verb = sql.SQL("ALTER" if found else "CREATE")
        connection.execute(sql.SQL("{} ROLE {} LOGIN PASSWORD {}").format(verb, name, sql.Literal(verifier)))
        connection.execute(sql.SQL("GRANT {} TO {}").format(group, name))
        connection.execute(sql.SQL("ALTER ROLE {} RESET ALL").format(name))
        here = sql.Identifier(connection.info.dbname)
        connection.execute(sql.SQL("ALTER ROLE {} IN DATABASE {} RESET ALL").format(name, here))
        for is_of_database, setting, value in connection.execute(_SETTINGS, [application]).fetchall():
            where = sql.SQL("IN DATABASE {}").format(here) if is_of_database else sql.SQL("")
            # FROM CURRENT: a list, such as search_path, cannot be given as one literal.
            connection.execute("SELECT set_config(%s, %s, true)", [setting, value])
            connection.execute(
                sql.SQL("ALTER ROLE {} {} SET {} FROM CURRENT").format(name, where, sql.Identifier(setting))
            )
        if here_is := identity.read(connection):
            connection.execute(
                sql.SQL("COMMENT ON ROLE {} IS {}").format(name, sql.Literal(_comment(here_is)))
            )


def end_copied_logins(connection: Connection, application: str) -> list[str]:
    """End the logins that a branch has from its parent, whose passwords would open it too; return them.

    Nothing is done where database or login do not say which branch they are.

    Args:
        connection: The owner's, direct.
        application: Whose logins.

    Raises:
        LoginRoleError: The server refused.
    """
    here = identity.read(connection)
    if here is None:
        return []
    names = [f"{application}{suffix}" for suffix in _SUFFIXES]
    copied = connection.execute(_COPIED, [names, _COMMENT, _comment(here)]).fetchall()
    for role, said in copied:
        try:
            end_login(connection, role)
        except psycopg.Error as error:
            raise LoginRoleError(
                f"{role} is a {said}, and cannot be ended on {here}: {error.diag.message_primary}",
                hint=f"as a role that may: ALTER ROLE {role} NOLOGIN",
            ) from error
    return [role for role, _ in copied]


def _comment(branch: BranchIdentity) -> str:
    return f"{_COMMENT}{branch.branch_id} of {branch.provider} project {branch.project_id}"


def end_login(connection: Connection, role: str) -> None:
    """Let a role log in no more; connections that it has go on."""
    with connection.transaction():
        connection.execute("SELECT pg_advisory_xact_lock(%s)", [_LOCK_KEY])
        connection.execute(sql.SQL("ALTER ROLE {} NOLOGIN PASSWORD NULL").format(sql.Identifier(role)))


def _names(application: str) -> tuple[str, ...]:
    return (*(f"{application}{suffix}" for suffix in _SUFFIXES), application)
