"""What Lambda refuses where moto 5.2.5 does not."""

from __future__ import annotations

from typing import TYPE_CHECKING

from moto.awslambda.exceptions import (
    InvalidParameterValueException,
    LambdaClientError,
    PreconditionFailedException,
)

from infra.local.function import RESERVED

if TYPE_CHECKING:
    from collections.abc import Iterable


class ResourceConflictError(LambdaClientError):
    """It exists already, or something else refers to it."""

    code = 409

    def __init__(self, message: str) -> None:
        """Name it as AWS does."""
        super().__init__("ResourceConflictException", message)


class TooManyRequestsError(LambdaClientError):
    """The function's concurrency is reserved, and used up."""

    code = 429

    def __init__(self) -> None:
        """Name it as AWS does."""
        super().__init__("TooManyRequestsException", "Rate Exceeded.")


def require_revision(current: str, revision_id: str | None) -> None:
    """Refuse what was asked of another revision.

    Raises:
        PreconditionFailedException: As AWS words it.
    """
    if revision_id and revision_id != current:
        raise PreconditionFailedException(
            "The RevisionId provided does not match the latest RevisionId for the Lambda function or alias. "
            "Call the GetFunction or the GetAlias API to retrieve the latest RevisionId for your resource."
        )


def require_own_variables(variables: Iterable[str]) -> None:
    """Refuse variables that Lambda sets itself.

    Raises:
        InvalidParameterValueException: As AWS words it.
    """
    if reserved := sorted(RESERVED & set(variables)):
        raise InvalidParameterValueException(
            "Lambda was unable to configure your environment variables because the environment variables you "
            "have provided contains reserved keys that are currently not supported for modification. "
            f"Reserved keys used in this request: {', '.join(reserved)}"
        )
