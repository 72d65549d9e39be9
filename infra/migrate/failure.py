"""Alembic's, SQLAlchemy's and PostgreSQL's exceptions, translated once."""

from __future__ import annotations

import traceback
from typing import TYPE_CHECKING

import psycopg
from alembic.util import CommandError
from sqlalchemy.exc import DBAPIError

from infra.migrate.errors import (
    MigrationError,
    RevisionFailedError,
    RevisionLockTimeoutError,
    RevisionTimeoutError,
    RevisionUncertainError,
)

if TYPE_CHECKING:
    from api.database.connection_url import DirectUrl
    from api.database.timeouts import Timeouts
    from infra.migrate.history import Revision

_STATUS = "look at it with: bough migrate status"

_TRANSIENT = {psycopg.errors.LockNotAvailable.sqlstate, psycopg.errors.DeadlockDetected.sqlstate}


def lost(error: Exception, url: DirectUrl) -> MigrationError:
    """Translate the end of a run whose connection did not survive it."""
    message = f"the connection to {url} ended during the migration: {reason(error)}"
    return RevisionUncertainError(message, hint=_STATUS)


def is_transient(error: Exception) -> bool:
    """Tell whether the same may succeed in a moment: after a lock timeout, or a deadlock."""
    return _state(error) in _TRANSIENT


def failed(
    error: Exception,
    revision: Revision | None,
    timeouts: Timeouts,
    done: int,
    *,
    kept: int = 0,
    tried: int = 1,
    blocker: str | None = None,
) -> MigrationError:
    """Translate what ended a run.

    Args:
        error: What was caught.
        revision: The one that failed; `None` when none was left to run.
        timeouts: What was in force.
        done: How many revisions of the run before it stay.
        kept: How many statements of the revision itself stay: it commits in the middle.
        tried: How often the revision was.
        blocker: A clause about who was last seen to stand in its way.
    """
    line = _where(error, revision) if revision else ""
    # PostgreSQL's errors need no line: one may come with the revision's COMMIT.
    if revision is None or not (line or isinstance(error, DBAPIError)):
        return RevisionFailedError(f"Alembic stopped: {reason(error)}", hint=_STATUS)
    where = f"revision {revision.id}{line}"
    state = "it was rolled back"
    if kept:
        first = "its first statement stays" if kept == 1 else f"its first {kept} statements stay"
        state = f"{first}, and the next run goes on after {'it' if kept == 1 else 'them'}"
    if done:
        state += f"; {done} before it {'stays' if done == 1 else 'stay'} done"
    named = {"revision": revision.id}
    code = _state(error)
    if code in _TRANSIENT:
        often = f", {tried} times" if tried > 1 else ""
        what = (
            "met a deadlock"
            if code == psycopg.errors.DeadlockDetected.sqlstate
            else f"waited more than {timeouts.lock:g} s for a lock"
        )
        message = f"{where} {what}{often}{f' ({blocker})' if blocker else ''}; {state}"
        return RevisionLockTimeoutError(message, hint="run it again when the table is less busy", **named)
    if code == psycopg.errors.QueryCanceled.sqlstate:
        message = f"a statement of {where} ran longer than {timeouts.statement:g} s; {state}"
        return RevisionTimeoutError(message, hint="split the statement into smaller ones", **named)
    return RevisionFailedError(f"{where} failed: {reason(error)}; {state}", **named)


def _state(error: Exception) -> str | None:
    original = error.orig if isinstance(error, DBAPIError) else error
    return original.sqlstate if isinstance(original, psycopg.Error) else None


def reason(error: Exception) -> str:
    """Return an error's own message, without its parameters, which may be data."""
    original = error.orig if isinstance(error, DBAPIError) else error
    if isinstance(original, psycopg.Error) and original.diag.message_primary:
        return original.diag.message_primary
    return (
        f"{type(original).__name__}: {original}" if not isinstance(original, CommandError) else str(original)
    )


def _where(error: Exception, revision: Revision) -> str:
    lines = [f.lineno for f in traceback.extract_tb(error.__traceback__) if f.filename == str(revision.path)]
    return f" ({revision.path.name}, line {lines[-1]})" if lines else ""
