"""Turn asyncpg's, psycopg's and SQLAlchemy's exceptions into `errors.py`'s, by SQLSTATE; nowhere else.

psycopg, which does not ship, is known here by the names that its exceptions use. SQLSTATEs: PostgreSQL's
Appendix A. Poolers speak differently: PgBouncer 1.18 sends 08P01 for its own
refusals, Supavisor XX000 with `(CODE) message` (its `lib/supavisor/errors/`).
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

import asyncpg
from sqlalchemy import exc
from sqlalchemy.connectors.asyncio import AsyncAdapt_Error

from api.database import errors

if TYPE_CHECKING:
    from sqlalchemy.engine import ExceptionContext

#: The driver's exceptions, and SQLAlchemy's copies of them: their messages quote values of rows and of
#: parameters. They stay in the chain of a translated error, so whoever writes a chain down leaves them out.
QUOTING_ERRORS: Final = (asyncpg.PostgresError, asyncpg.InterfaceError, AsyncAdapt_Error)

_BY_SQLSTATE: Final[dict[str, type[errors.DatabaseError]]] = {
    "23502": errors.NotNullViolationError,
    "23503": errors.ForeignKeyViolationError,
    "23001": errors.ForeignKeyViolationError,
    "23505": errors.UniqueViolationError,
    "23514": errors.CheckViolationError,
    "25P03": errors.ConnectionLostError,
    "25P04": errors.ConnectionLostError,
    "25006": errors.DatabaseUnavailableError,  # a standby after a failover
    "28000": errors.DatabaseAuthenticationError,
    "28P01": errors.DatabaseAuthenticationError,
    "3D000": errors.DatabaseUnavailableError,
    "40001": errors.SerializationError,
    "40P01": errors.DeadlockError,
    "53100": errors.DatabaseUnavailableError,  # its disk is full
    "53200": errors.DatabaseUnavailableError,
    "53300": errors.DatabaseUnavailableError,
    "55P03": errors.LockTimeoutError,
    "57014": errors.StatementTimeoutError,
    "57P01": errors.ConnectionLostError,
    "57P02": errors.ConnectionLostError,
    "57P03": errors.DatabaseUnavailableError,
    "57P05": errors.ConnectionLostError,
}
_BY_DRIVER_CLASS: Final[dict[str, type[errors.DatabaseError]]] = {
    "DeadlineExceeded": errors.DeadlineExceededError,
    "ConnectionLost": errors.ConnectionLostError,
    "CommitUncertain": errors.CommitUncertainError,
    "CommitRefused": errors.DatabaseError,
}
#: PgBouncer's answer to whoever comes while its own login is refused.
_LOGIN_FAILING: Final = "server login has been failing"
#: Where a connection cannot be made, libpq has a text and no SQLSTATE; so has PgBouncer, which sends 08P01.
_UNAUTHENTICATED: Final = re.compile(
    r"authentication failed|no pg_hba\.conf entry|role .* (does not exist|is not permitted)|no such user"
)
_SUPAVISOR: Final = re.compile(r"\((E[A-Z]+)\)")
_SUPAVISOR_BUSY: Final = {"EMAXCONN", "EMAXCONNSESSION", "ECHECKOUTTIMEOUT"}


def translate(context: ExceptionContext) -> errors.DatabaseError | None:
    """Return our error for a failed statement; `None` leaves SQLAlchemy's (a bug in the statement)."""
    error: Any = context.original_exception
    known = _BY_DRIVER_CLASS.get(type(error).__name__)
    if known is not None:
        return known(str(error))
    cause = error.__cause__
    # The server's refusal of a value, and the driver's, which has no public class of its own. Both quote it.
    if isinstance(cause, asyncpg.DataError) or (
        isinstance(cause, asyncpg.InterfaceError) and isinstance(cause, ValueError)
    ):
        return errors.InvalidValueError(f"a value does not fit its column ({type(cause).__name__})")
    if isinstance(context.sqlalchemy_exception, exc.DataError):
        return errors.InvalidValueError(f"a value does not fit its column ({type(error).__name__})")
    if not isinstance(error, Exception):
        return None  # a cancellation stays one
    sqlstate = getattr(error, "sqlstate", None)
    if sqlstate is None:
        lost = context.is_disconnect or isinstance(error, OSError)
        return errors.ConnectionLostError(_lost(error)) if lost else None
    return _from_sqlstate(sqlstate, error, lost=context.is_disconnect)


def translate_connect_error(error: BaseException, limit: float) -> errors.DatabaseError:
    """Return our error for a connection that could not be made within `limit` seconds."""
    if isinstance(error, asyncpg.PostgresError):
        if error.sqlstate == "08P01" and (kind := _refusal_of_pooler(_first_line(error))):
            return kind(_first_line(error))
        found = _from_sqlstate(error.sqlstate or "", error, lost=True)
        if isinstance(found, errors.DatabaseUnavailableError | errors.PoolExhaustedError):
            return found
        return errors.DatabaseUnavailableError(f"the database refused the connection: {_first_line(error)}")
    if isinstance(error, TimeoutError) or type(error).__name__ == "ConnectionTimeout":
        return errors.DatabaseUnavailableError(f"no connection to the database within {limit:.3g} s")
    if not isinstance(error, OSError) and _UNAUTHENTICATED.search(_first_line(error)):
        return errors.DatabaseAuthenticationError(_first_line(error))
    return errors.DatabaseUnavailableError(f"the database cannot be reached: {_first_line(error)}")


def _refusal_of_pooler(message: str) -> type[errors.DatabaseUnavailableError] | None:
    """Return what PgBouncer means where PostgreSQL has 28P01."""
    if _UNAUTHENTICATED.search(message):
        return errors.DatabaseAuthenticationError
    return errors.PoolerLoginError if _LOGIN_FAILING in message else None


def _from_sqlstate(sqlstate: str, error: Any, *, lost: bool) -> errors.DatabaseError | None:
    message = _first_line(error)
    kind = _BY_SQLSTATE.get(sqlstate)
    if kind is not None and issubclass(kind, errors.ConstraintViolationError):
        return kind(message, _constraint(error))
    if kind is not None:
        return kind(message)
    if sqlstate.startswith("23"):
        return errors.ConstraintViolationError(message, _constraint(error))
    supavisor = _SUPAVISOR.match(message)
    if supavisor:
        busy = supavisor[1] in _SUPAVISOR_BUSY
        return (errors.PoolExhaustedError if busy else errors.DatabaseUnavailableError)(message)
    if sqlstate.startswith("08") or lost:
        return errors.ConnectionLostError(message)
    return None


def _constraint(error: Any) -> str | None:
    """Return the constraint's name: psycopg's, or that of asyncpg's own exception, the adapter's cause."""
    cause = getattr(error, "diag", None) or error.__cause__ or error
    return getattr(cause, "constraint_name", None)


def _first_line(error: BaseException) -> str:
    """Return the message without DETAIL, which quotes the row's values."""
    cause = error if isinstance(error, asyncpg.PostgresError) else error.__cause__ or error
    own = getattr(getattr(cause, "diag", None), "message_primary", None)
    text = own or getattr(cause, "message", None) or str(cause) or type(cause).__name__
    return text.partition("\n")[0]


def _lost(error: BaseException) -> str:
    return f"the connection to the database was lost: {_first_line(error)}"
