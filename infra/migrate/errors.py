"""What can go wrong in a migration, in words that name the revision and the next step."""

from __future__ import annotations

from typing import ClassVar

from infra.errors import InfraError


class MigrationError(InfraError):
    """Base of all."""

    code: ClassVar[str] = "MIGRATION_FAILED"


class DirectUrlMissingError(MigrationError):
    """No direct connection string was given or found."""

    code = "DIRECT_URL_MISSING"
    exit_code = 2


class DirectUrlInvalidError(MigrationError):
    """The direct connection string cannot be read, or is a pooled one."""

    code = "DIRECT_URL_INVALID"
    exit_code = 2


class PooledUrlRefusedError(MigrationError):
    """A pooled connection string was given: session locks and settings do not hold on one."""

    code = "POOLED_URL_REFUSED"
    exit_code = 2


class DatabaseUnreachableError(MigrationError):
    """No connection could be made, or it ended before anything was changed."""

    code = "DATABASE_UNREACHABLE"


class TimeoutsNotInForceError(MigrationError):
    """The server reads back other timeouts than were set: something between drops them."""

    code = "TIMEOUTS_NOT_IN_FORCE"


class MigrationLockedError(MigrationError):
    """Another migration of this database was still running when the wait for its lock ended."""

    code = "MIGRATION_LOCKED"


class LockNotHeldError(MigrationError):
    """The lock of migrations is not held by the session that runs the statements."""

    code = "LOCK_NOT_HELD"


class HistoryError(MigrationError):
    """The migrations folder itself is wrong: missing, not importable, or not one history."""

    code = "MIGRATION_HISTORY_INVALID"


class MultipleHeadsError(HistoryError):
    """Two revisions follow the same one: two git branches met."""

    code = "MULTIPLE_HEADS"


class UnknownRevisionError(MigrationError):
    """The revision asked for is not in the migrations folder, or not in that direction."""

    code = "REVISION_UNKNOWN"
    exit_code = 2


class DatabaseAheadError(MigrationError):
    """The database has revisions that this code does not know."""

    code = "DATABASE_AHEAD"


class DatabaseBehindError(MigrationError):
    """Revisions are pending where the database must have all of them."""

    code = "DATABASE_BEHIND"


class ReorderedError(MigrationError):
    """Revisions have changed places since the database was migrated: it lacks one below its newest."""

    code = "REVISIONS_REORDERED"


class NotLiveError(MigrationError):
    """Code that is said to be live needs a revision that the database lacks."""

    code = "CODE_CANNOT_BE_LIVE"
    exit_code = 2


class RebaseAmbiguousError(MigrationError):
    """Nothing says which of several heads comes first."""

    code = "REBASE_AMBIGUOUS"
    exit_code = 2


class RebaseRefusedError(MigrationError):
    """Revisions cannot be put into one line without moving one that must keep its place."""

    code = "REBASE_REFUSED"


class ContractRefusedError(MigrationError):
    """The live code was built without the next contract revision, or is not known."""

    code = "CONTRACT_REFUSED"
    exit_code = 3


class SquashRefusedError(MigrationError):
    """Revisions cannot be made one; the files are as they were."""

    code = "SQUASH_REFUSED"


class NothingToGenerateError(MigrationError):
    """The models and the database agree already."""

    code = "NOTHING_TO_GENERATE"


class PoolerUnusableError(MigrationError):
    """Nothing can be tried on a fork as the application logs in."""

    code = "POOLER_UNUSABLE"


class ForkDiffersError(MigrationError):
    """A fork is not what its target is: nothing that is found on it would hold there."""

    code = "FORK_DIFFERS"


class CopyImpossibleError(MigrationError):
    """A database cannot be copied to this machine: what it needs is not here."""

    code = "COPY_IMPOSSIBLE"


class RehearsalMissingError(MigrationError):
    """A rehearsal is required, and these revisions were not rehearsed for this database."""

    code = "REHEARSAL_MISSING"
    exit_code = 3


class RehearsalStaleError(MigrationError):
    """They were rehearsed, and something is not as it was then; the message says what."""

    code = "REHEARSAL_STALE"
    exit_code = 3


class RehearsalUnsafeError(MigrationError):
    """They were rehearsed, and found unsafe."""

    code = "REHEARSAL_UNSAFE"
    exit_code = 3


class InvalidMessageError(MigrationError):
    """A revision's message cannot become its file name and docstring."""

    code = "REVISION_MESSAGE_INVALID"
    exit_code = 2


class RevisionExistsError(MigrationError):
    """A new revision would overwrite one that exists."""

    code = "REVISION_EXISTS"


class RevisionFailedError(MigrationError):
    """A revision failed and was rolled back; those before it stay applied.

    Args:
        message: What failed, where.
        revision: Its id; `None` when it failed outside every revision.
        hint: The next step.
    """

    code = "REVISION_FAILED"

    def __init__(self, message: str, *, revision: str | None = None, hint: str | None = None) -> None:
        """Keep the revision's id, for output other than text."""
        super().__init__(message, hint=hint)
        self.revision = revision


class RevisionLockTimeoutError(RevisionFailedError):
    """A revision waited for a lock longer than `lock_timeout` (SQLSTATE 55P03)."""

    code = "REVISION_LOCK_TIMEOUT"


class RevisionTimeoutError(RevisionFailedError):
    """A statement of a revision ran longer than `statement_timeout` (SQLSTATE 57014)."""

    code = "REVISION_TIMEOUT"


class RevisionUncertainError(RevisionFailedError):
    """The connection ended under a revision: whether it was committed is not known here."""

    code = "REVISION_UNCERTAIN"


class MeasurementError(MigrationError):
    """A rehearsal could not be measured; the revisions themselves may be right."""

    code = "MEASUREMENT_FAILED"


class ReferenceImpossibleError(MigrationError):
    """The revisions do not run on an empty database of this machine, so nothing can be held against it."""

    code = "REFERENCE_IMPOSSIBLE"


class RevisionHalfAppliedError(RevisionFailedError):
    """What a revision had done before it was interrupted does not fit what it does now."""

    code = "REVISION_HALF_APPLIED"


class IndexNotValidError(RevisionFailedError):
    """A revision asked for an index that is not valid, and somebody else is at work on it."""

    code = "INDEX_NOT_VALID"


class NotVerifiedError(MigrationError):
    """Alembic reported success, and the database says otherwise."""

    code = "MIGRATION_NOT_VERIFIED"


class ReportUnreadableError(MigrationError):
    """A rehearsal's report was written by another version, or is none."""

    code = "REPORT_UNREADABLE"


class LinterError(MigrationError):
    """The linter itself could not run."""

    code = "LINTER_FAILED"


class GitBranchUnknownError(MigrationError):
    """The git branch to compare with is not there, or this is no git repository."""

    code = "GIT_BRANCH_UNKNOWN"
    exit_code = 2
