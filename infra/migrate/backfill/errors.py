"""What can go wrong with a backfill, in words that name it and the next step."""

from __future__ import annotations

from infra.migrate.errors import MigrationError


class BackfillUnknownError(MigrationError):
    """The migrations folder has no backfill of that name."""

    code = "BACKFILL_UNKNOWN"
    exit_code = 2


class BackfillInvalidError(MigrationError):
    """A backfill's definition cannot be run; nothing was changed by it."""

    code = "BACKFILL_INVALID"
    exit_code = 2


class BackfillFailedError(MigrationError):
    """The server ended a backfill; what was committed before stays."""

    code = "BACKFILL_FAILED"


class BackfillRunningError(MigrationError):
    """Another process runs the same backfill on the same database."""

    code = "BACKFILL_RUNNING"
    retryable = True


class BackfillEndlessError(MigrationError):
    """Rows go on meeting the condition of a backfill, or ever new ones do: it would never end."""

    code = "BACKFILL_ENDLESS"
    exit_code = 2


class BackfillBlockedError(MigrationError):
    """Others hold what is left to change; all else is done and stays."""

    code = "BACKFILL_BLOCKED"
    retryable = True
