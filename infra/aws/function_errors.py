"""What Lambda refuses, where its codes mean something to who asked."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, ClassVar, Final

from botocore.exceptions import ClientError

from infra.aws.errors import AwsError, code_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from botocore.exceptions import WaiterError

#: Lambda's codes for what is no longer as it was read.
CHANGED: Final = {"PreconditionFailedException", "ResourceConflictException"}


class FunctionNotFoundError(AwsError):
    """There is no such function, version or alias."""

    code: ClassVar[str] = "FUNCTION_NOT_FOUND"


class FunctionChangedError(AwsError):
    """Somebody else changed it since it was read; nothing was changed by this."""

    code: ClassVar[str] = "FUNCTION_CHANGED"
    retryable: ClassVar[bool] = True


class FunctionFailedError(AwsError):
    """Lambda took new code, settings or a version, and could not get it to run."""

    code: ClassVar[str] = "FUNCTION_FAILED"


@contextmanager
def nothing_when_missing() -> Iterator[None]:
    """Leave the block when what it asks for does not exist."""
    try:
        yield
    except ClientError as error:
        if code_of(error) != "ResourceNotFoundException":
            raise


@contextmanager
def must_exist(what: str) -> Iterator[None]:
    """Refuse what does not exist.

    Raises:
        FunctionNotFoundError: `what` is not there.
    """
    try:
        yield
    except ClientError as error:
        if code_of(error) == "ResourceNotFoundException":
            raise FunctionNotFoundError(f"there is no {what}", hint="see: bough releases") from error
        raise


@contextmanager
def unchanged(what: str) -> Iterator[None]:
    """Refuse to change what somebody else has changed since it was read, or is changing now.

    Raises:
        FunctionChangedError: So it is; `what` is named.
    """
    try:
        yield
    except ClientError as error:
        if code_of(error) in CHANGED:
            raise changed(what, error) from error
        raise


def changed(what: str, error: ClientError) -> FunctionChangedError:
    """Return the error that says so, with Lambda's own words."""
    said = error.response.get("Error", {}).get("Message", "")
    return FunctionChangedError(
        f"somebody else has changed {what} since it was read, or is changing it now: {said}",
        hint="another deploy, rollback or console? look with `bough releases`, then try again;"
        " nothing was changed",
    )


def never_ready(name: str, error: WaiterError, patience: int) -> FunctionFailedError:
    """Return the error for what did not become ready, with the reason that Lambda has."""
    last = error.last_response
    status = last.get("LastUpdateStatusReason") or last.get("StateReason")
    code = last.get("LastUpdateStatusReasonCode") or last.get("StateReasonCode")
    if "Failed" in {last.get("State"), last.get("LastUpdateStatus")}:
        return FunctionFailedError(f"{name} did not become ready: {status or 'no reason given'} ({code})")
    return FunctionFailedError(
        f"{name} was not ready after {patience} s" + (f": {status} ({code})" if status else ""),
        hint="it may still become ready; try again",
    )
