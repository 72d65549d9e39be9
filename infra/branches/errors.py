"""What can go wrong with branches, whoever hosts them. Adapters translate into these, once."""

from __future__ import annotations

from typing import ClassVar

from infra.errors import InfraError


class BranchError(InfraError):
    """The provider refused, for a reason that has no class of its own; the message quotes it."""

    code: ClassVar[str] = "BRANCH_OPERATION_FAILED"


class BranchNameMissingError(BranchError):
    """No branch was named. Providers take an empty name for production."""

    code = "BRANCH_NAME_MISSING"
    exit_code = 2


class BranchNameInvalidError(BranchError):
    """A branch cannot have this name."""

    code = "BRANCH_NAME_INVALID"
    exit_code = 2


class MomentInvalidError(BranchError):
    """A point in time that the branch cannot be given: no zone, passed, to come, or too far away."""

    code = "MOMENT_INVALID"
    exit_code = 2


class ComputeInvalidError(BranchError):
    """A branch's compute cannot have this size."""

    code = "COMPUTE_INVALID"
    exit_code = 2


class BranchNotFoundError(BranchError):
    """No branch has this id or name; the hint has the nearest names."""

    code = "BRANCH_NOT_FOUND"


class BranchDiffersError(BranchError):
    """The branch exists and is not what was asked for; nothing was changed."""

    code = "BRANCH_DIFFERS"


class BranchConflictError(BranchError):
    """What was to be made is there already; adapters then look at it."""

    code = "BRANCH_CONFLICT"


class BranchLimitError(BranchError):
    """The project has as many branches as it may have; the hint says which could go."""

    code = "BRANCH_LIMIT"


class BranchProtectedError(BranchError):
    """The branch is protected, the default branch, or the parent of others."""

    code = "BRANCH_PROTECTED"


class BranchBusyError(BranchError):
    """The provider was still at work on it when the time was up."""

    code = "BRANCH_BUSY"
    retryable = True


class HistoryError(BranchError):
    """The provider keeps nothing of that moment."""

    code = "HISTORY_NOT_KEPT"


class NotSupportedError(BranchError):
    """The provider has no such thing; the hint says what there is instead."""

    code = "NOT_SUPPORTED"


class ProjectNotFoundError(BranchError):
    """The provider knows no such project, or the token may not see it."""

    code = "PROJECT_NOT_FOUND"


class ProviderAuthError(BranchError):
    """The provider's token is missing, wrong or has too few rights."""

    code = "PROVIDER_AUTH"
    exit_code = 4


class ProviderUnavailableError(BranchError):
    """The provider did not answer, or not usefully, until the deadline."""

    code = "PROVIDER_UNAVAILABLE"
    retryable = True


class BranchNotReadyError(BranchError):
    """The branch exists, but no connection to it was answered in time."""

    code = "BRANCH_NOT_READY"
    retryable = True


class TargetError(BranchError):
    """The connected database is not the branch that was meant."""

    code = "TARGET_MISMATCH"


class TargetUnmarkedError(TargetError):
    """The connected database says of no branch that it is it."""

    code = "TARGET_UNMARKED"


class PullRequestsUnknownError(BranchError):
    """Which pull requests are open cannot be told for certain; nothing was deleted for it."""

    code = "PULL_REQUESTS_UNKNOWN"


class SweepPatternError(BranchError):
    """The pattern of the names does not say where the pull request's number is."""

    code = "SWEEP_PATTERN_INVALID"
    exit_code = 2
