"""What the application role may do in a database, as the server says it of the connected role."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import psycopg

    from api.database.timeouts import Timeouts

_EXCESS = """
SELECT array_remove(ARRAY[
         CASE WHEN rolsuper THEN 'is superuser' END,
         CASE WHEN rolbypassrls THEN 'is above row level security' END,
         CASE WHEN rolcreaterole THEN 'can create roles' END,
         CASE WHEN rolcreatedb THEN 'can create databases' END,
         CASE WHEN rolreplication THEN 'can replicate' END,
         CASE WHEN has_database_privilege(current_database(), 'CREATE') THEN 'can create schemas' END,
         CASE WHEN has_database_privilege(current_database(), 'TEMPORARY')
              THEN 'can create temporary tables' END,
         CASE WHEN has_schema_privilege('public', 'CREATE') THEN 'can create tables' END,
         (SELECT 'owns ' || string_agg(relname, ', ') FROM (
            SELECT relname FROM pg_class
            WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p')
              AND pg_has_role(relowner, 'USAGE')
            ORDER BY relname LIMIT 3) AS owned)
       ], NULL)
       || ARRAY(SELECT 'is a member of ' || granted.rolname
                FROM pg_auth_members JOIN pg_roles granted ON granted.oid = roleid
                WHERE member = role.oid
                  -- Its logins take turns (login_roles.py).
                  AND role.rolname NOT IN (granted.rolname || '_a', granted.rolname || '_b'))
       || ARRAY(SELECT 'can write ' || relname FROM pg_class
                WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p')
                  AND (relname = 'alembic_version' OR starts_with(relname, 'bough_'))
                  AND has_table_privilege(oid, 'INSERT, UPDATE, DELETE, TRUNCATE'))
FROM pg_roles role WHERE rolname = current_user
"""

_SETTINGS = "SELECT name, setting || coalesce(unit, '') FROM pg_settings WHERE name = ANY(%s)"

#: Tables of the owner that it cannot read, and kinds of objects to come that it will not be able to.
_LACKING = """
SELECT (SELECT count(*) FROM pg_class
        WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p', 'v', 'm', 'f')
          AND pg_get_userbyid(relowner) = %(owner)s AND NOT has_table_privilege(oid, 'SELECT'))
     + (SELECT 2 - count(DISTINCT defaclobjtype) FROM pg_default_acl, aclexplode(defaclacl)
        WHERE defaclnamespace = 'public'::regnamespace AND pg_get_userbyid(defaclrole) = %(owner)s
          AND defaclobjtype IN ('r', 'S') AND pg_get_userbyid(grantee) = current_user)
"""


@dataclass(frozen=True, slots=True)
class Rights:
    """What the application role may do.

    Args:
        excess: What it must not be able to do, in words.
        settings: PostgreSQL's names and values of its limits, as a connection of it has them.
        lacking: How many things are not granted that should be.
    """

    excess: tuple[str, ...]
    settings: dict[str, str]
    lacking: int

    def are_complete(self, timeouts: Timeouts) -> bool:
        """Whether it has all its rights, and these limits, and nothing that can be taken away."""
        return (
            self.lacking == 0 and self.settings == {**timeouts.settings(), "jit": "off"} and not self.excess
        )


def read_rights(connection: psycopg.Connection[tuple[Any, ...]], owner: str) -> Rights:
    """Ask the server; the connection is the application role's and direct.

    Args:
        connection: Of the role.
        owner: Owns the tables that it is to use.
    """
    names = ["statement_timeout", "lock_timeout", "idle_in_transaction_session_timeout", "jit"]
    settings = dict(connection.execute(_SETTINGS, [names]).fetchall())
    (lacking,) = connection.execute(_LACKING, {"owner": owner}).fetchone() or (1,)
    return Rights(excess_rights(connection), settings, lacking)


def excess_rights(connection: psycopg.Connection[tuple[Any, ...]]) -> tuple[str, ...]:
    """Return, in words, what the connection's role may do that requests never need."""
    (excess,) = connection.execute(_EXCESS).fetchone() or ([],)
    return tuple(excess)
