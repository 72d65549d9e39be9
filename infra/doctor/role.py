"""What holds for the role that the application logs in as: its limits, and what it may not do."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from infra.branches.application_rights import excess_rights
from infra.branches.application_role import own_role
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
        # Not the URL's: a shared pooler's user name has more in it.
        role, excess = own_role(connection), excess_rights(connection)
    if excess:
        return failed(f"{role} {', '.join(excess)}", f"log in as the application role; {_PROVISION}")
    return ok(f"{role} can neither change the schema nor its bookkeeping, nor get around row-level security")
