"""What AWS refuses, in the words of this kit, and where its exceptions are translated."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, ClassVar, Final

from botocore import exceptions as botocore
from botocore.exceptions import BotoCoreError, ClientError

from infra.errors import InfraError

if TYPE_CHECKING:
    from collections.abc import Iterator


class AwsError(InfraError):
    """AWS refused something, or answered with what cannot be used; the message holds its own words."""

    code: ClassVar[str] = "AWS_ERROR"


class AwsUnreachableError(AwsError):
    """AWS did not answer; whether it has done what was asked is not known."""

    code: ClassVar[str] = "AWS_UNREACHABLE"
    retryable: ClassVar[bool] = True


class AwsThrottledError(AwsError):
    """AWS was asked too often, also after botocore's own retries."""

    code: ClassVar[str] = "AWS_THROTTLED"
    retryable: ClassVar[bool] = True


class AwsAuthError(AwsError):
    """Nobody is known to ask, or not for this; nothing was changed."""

    code: ClassVar[str] = "AWS_AUTH"
    exit_code: ClassVar[int] = 4


class CredentialsMissingError(AwsAuthError):
    """There are no credentials, or only a part of them."""

    code: ClassVar[str] = "AWS_CREDENTIALS_MISSING"


class CredentialsExpiredError(AwsAuthError):
    """The credentials are known and no longer valid."""

    code: ClassVar[str] = "AWS_CREDENTIALS_EXPIRED"


class CredentialsInvalidError(AwsAuthError):
    """AWS does not know the credentials."""

    code: ClassVar[str] = "AWS_CREDENTIALS_INVALID"


class AccessDeniedError(AwsAuthError):
    """The credentials are valid, and may not do this."""

    code: ClassVar[str] = "AWS_ACCESS_DENIED"


class RegionError(AwsAuthError):
    """No region was named, or one that cannot be meant."""

    code: ClassVar[str] = "AWS_REGION"


class WrongAccountError(AwsAuthError):
    """The credentials are those of another account than the project's."""

    code: ClassVar[str] = "AWS_WRONG_ACCOUNT"


_LOGIN: Final = "log in, for instance with `aws sso login`, or set AWS_PROFILE or AWS_ACCESS_KEY_ID"
_DENIED: Final = {"AccessDenied", "AccessDeniedException", "UnauthorizedOperation", "403"}
_EXPIRED: Final = {"ExpiredToken", "ExpiredTokenException", "RequestExpired", "TokenRefreshRequired"}
_UNKNOWN: Final = {
    "InvalidClientTokenId",
    "UnrecognizedClientException",
    "SignatureDoesNotMatch",
    "InvalidAccessKeyId",
    "AuthFailure",
    "InvalidSignatureException",
    "IncompleteSignature",
    "MissingAuthenticationToken",
}
_THROTTLED: Final = {"Throttling", "ThrottlingException", "TooManyRequestsException", "RequestLimitExceeded"}


@contextmanager
def translated(what: str) -> Iterator[None]:
    """Turn botocore's exceptions into those of this module.

    Args:
        what: What was asked, as the message goes on after "could not": `publish a version of …`.

    Raises:
        AwsError: Or one of its kinds. A code that means something to the block is caught inside it.
    """
    try:
        yield
    except ClientError as error:
        raise _refused(what, error) from error
    except (botocore.NoCredentialsError, botocore.PartialCredentialsError) as error:
        raise CredentialsMissingError(
            f"could not {what}: there are no credentials for AWS", hint=_LOGIN
        ) from error
    except (
        botocore.CredentialRetrievalError,
        botocore.SSOError,
        botocore.TokenRetrievalError,
        botocore.LoginTokenLoadError,
    ) as error:
        raise CredentialsExpiredError(f"could not {what}: {error}", hint=_LOGIN) from error
    except botocore.ProfileNotFound as error:
        raise CredentialsMissingError(f"could not {what}: {error}", hint="see AWS_PROFILE") from error
    except (botocore.NoRegionError, botocore.InvalidRegionError) as error:
        raise RegionError(f"could not {what}: {error}", hint="set `region` of [tool.bough.aws]") from error
    except (botocore.HTTPClientError, botocore.ConnectionError) as error:
        raise AwsUnreachableError(f"could not {what}: {error}", hint="try again") from error
    except BotoCoreError as error:
        raise AwsError(f"could not {what}: {error}") from error


def code_of(error: ClientError) -> str:
    """Return AWS's own code of an error, such as `ResourceConflictException`."""
    return error.response.get("Error", {}).get("Code", "")


def _refused(what: str, error: ClientError) -> AwsError:
    code = code_of(error)
    said = error.response.get("Error", {}).get("Message") or code
    message = f"could not {what}: {said}"
    if code in _EXPIRED:
        return CredentialsExpiredError(message, hint=_LOGIN)
    if code in _UNKNOWN:
        return CredentialsInvalidError(message, hint=_LOGIN)
    if code in _DENIED:
        return AccessDeniedError(message, hint="docs/guides/deploy.md lists what a deployer must be allowed")
    if code in _THROTTLED:
        return AwsThrottledError(message, hint="try again later")
    return AwsError(f"{message} ({code})" if code and code not in said else message)
