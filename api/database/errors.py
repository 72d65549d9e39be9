"""What can go wrong between a request and its database, in the application's own words.

SQLAlchemy's and asyncpg's exceptions are translated into these once (`engine.py`); nothing above
catches a vendor's exception. `code` is stable and goes into the problem document.
"""

from __future__ import annotations

from typing import ClassVar


class DatabaseError(Exception):
    """Base of all; `str()` is safe to log: it holds no password and no parameter's value."""

    code: ClassVar[str] = "DATABASE_ERROR"


class DatabaseUnavailableError(DatabaseError):
    """No connection could be made: refused, unreachable, timed out, or too many connections."""

    code = "DATABASE_UNAVAILABLE"


class DatabaseAuthenticationError(DatabaseUnavailableError):
    """The database refused the user or the password (SQLSTATE class 28)."""

    code = "DATABASE_AUTHENTICATION_FAILED"


class PoolerLoginError(DatabaseUnavailableError):
    """The pooler cannot log in to the server: the password may be an old one, or the server be starting."""


class ConnectionLostError(DatabaseError):
    """An established connection ended under a statement; nothing of it was committed."""

    code = "CONNECTION_LOST"


class CommitUncertainError(ConnectionLostError):
    """The connection ended under `COMMIT`: whether it took effect is not known."""

    code = "COMMIT_UNCERTAIN"


class PoolExhaustedError(DatabaseError):
    """No connection of the pool became free in time; in a Lambda, a request that waits for itself."""

    code = "POOL_EXHAUSTED"


class StatementTimeoutError(DatabaseError):
    """The server cancelled the statement: its `statement_timeout` passed."""

    code = "STATEMENT_TIMEOUT"


class LockTimeoutError(DatabaseError):
    """The server gave up waiting for a lock: `lock_timeout` passed."""

    code = "LOCK_TIMEOUT"


class DeadlineExceededError(DatabaseError):
    """The invocation's time ran out; the statement was cancelled on the server."""

    code = "DEADLINE_EXCEEDED"


class SerializationError(DatabaseError):
    """A concurrent transaction won (SQLSTATE 40001); the whole transaction may be tried again."""

    code = "SERIALIZATION_FAILURE"


class DeadlockError(DatabaseError):
    """The server ended this transaction to break a deadlock (40P01); it may be tried again."""

    code = "DEADLOCK"


class InvalidValueError(DatabaseError):
    """A value does not fit its column (SQLSTATE class 22): too long, out of range, a NUL byte in a text."""

    code = "INVALID_VALUE"


class ReadOnlySessionError(DatabaseError):
    """A read session was asked to write: a bug in the caller, found before anything was sent."""

    code = "READ_ONLY_SESSION"


class ConstraintViolationError(DatabaseError):
    """A constraint refused the data; `constraint` is its name, by which services tell conflicts apart."""

    code = "CONSTRAINT_VIOLATION"

    def __init__(self, message: str, constraint: str | None = None) -> None:
        """Keep the constraint's name, which PostgreSQL sends for all but NOT NULL violations."""
        super().__init__(message)
        self.constraint = constraint


class UniqueViolationError(ConstraintViolationError):
    """The value exists already (23505)."""

    code = "UNIQUE_VIOLATION"


class ForeignKeyViolationError(ConstraintViolationError):
    """The row referred to does not exist, or is still referred to (23503)."""

    code = "FOREIGN_KEY_VIOLATION"


class CheckViolationError(ConstraintViolationError):
    """A CHECK constraint refused the value (23514)."""

    code = "CHECK_VIOLATION"


class NotNullViolationError(ConstraintViolationError):
    """A required value is missing (23502)."""

    code = "NOT_NULL_VIOLATION"
