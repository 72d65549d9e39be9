"""What holds for the role that the application logs in as: its limits, and what it may not do."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from infra.doctor.checks import failed, ok, warning

if TYPE_CHECKING:
    from api.database.timeouts import Timeouts
    from infra.doctor.checks import Finding
    from infra.doctor.target import Pooled

_PROVISION: Final = "`bough branch adopt NAME` provisions the application role"
_LIMITS: Final = (
    f"{_PROVISION} with the defaults; for others ALTER ROLE, and tell the application by"
    " BOUGH_STATEMENT_TIMEOUT, BOUGH_LOCK_TIMEOUT and BOUGH_IDLE_IN_TRANSACTION_TIMEOUT"
)

#: What the role may do that requests never need, a line each; NULL lines are not so.
_TOO_MUCH: Final = """
SELECT unnest(ARRAY[
    CASE WHEN rolsuper THEN 'is a superuser' END,
    CASE WHEN rolbypassrls THEN 'bypasses row-level security' END,
    CASE WHEN rolcreaterole THEN 'creates roles' END,
    CASE WHEN rolcreatedb THEN 'creates databases' END,
    CASE WHEN rolreplication THEN 'replicates' END,
    CASE WHEN has_schema_privilege('public', 'CREATE') THEN 'creates tables in the schema public' END,
    CASE WHEN has_database_privilege(current_database(), 'CREATE') THEN 'creates schemas' END,
    (SELECT 'owns ' || string_agg(relname, ', ') FROM (
        SELECT relname FROM pg_class
        WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p')
        AND pg_has_role(relowner, 'USAGE')
        ORDER BY relname LIMIT 3) AS owned),
    (SELECT 'writes ' || string_agg(relname, ', ') FROM pg_class
        WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p')
        AND (relname = 'alembic_version' OR relname LIKE 'bough\\_%')
        AND has_table_privilege(oid, 'INSERT, UPDATE, DELETE, TRUNCATE')),
    (SELECT 'is a member of ' || string_agg(rolname, ', ') FROM pg_roles AS groups
        WHERE rolname IN ('neon_superuser', 'pg_write_all_data', 'pg_read_all_data',
            'pg_execute_server_program')
        AND pg_has_role(groups.oid, 'MEMBER'))
]), current_user
FROM pg_roles WHERE rolname = current_user
"""


def timeouts(target: Pooled, limits: Timeouts) -> Finding:
    """Are limits in force where requests run, and no longer than the application takes them for?"""
    wanted = {
        "statement_timeout": limits.statement,
        "lock_timeout": limits.lock,
        "idle_in_transaction_session_timeout": limits.idle_in_transaction,
    }
    with target.connected() as connection:
        # What SHOW reads, in milliseconds and with where it comes from.
        rows = connection.execute(
            "SELECT name, setting::bigint, source FROM pg_settings WHERE name = ANY(%s) ORDER BY name",
            [list(wanted)],
        ).fetchall()
    said = ", ".join(f"{name} {value / 1000:g} s ({source})" for name, value, source in rows)
    if none := [name for name, value, _ in rows if value == 0]:
        return failed(f"no limit is in force: {', '.join(none)} is 0", _PROVISION)
    if longer := [f"{name} {value / 1000:g} s" for name, value, _ in rows if value > wanted[name] * 1000]:
        return warning(f"longer than the application is told: {', '.join(longer)}", _LIMITS)
    return ok(said)


def rights(target: Pooled) -> Finding:
    """Has the application's role no right that requests do not need?"""
    with target.connected() as connection:
        rows = connection.execute(_TOO_MUCH).fetchall()
    too_much = [line for line, _ in rows if line is not None]
    role = rows[0][1] if rows else target.usable().user
    if too_much:
        return failed(f"{role} {', '.join(too_much)}", f"log in as the application role; {_PROVISION}")
    return ok(f"{role} can neither change the schema nor its bookkeeping, nor get around row-level security")
