"""Calls the deployed API: through its URL, or one version of it past every alias."""

from __future__ import annotations

import json
import time
import uuid
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Final

import httpx2
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest

from infra.aws import function_url
from infra.aws.errors import AwsError, AwsUnreachableError, CredentialsMissingError, translated
from infra.aws.function_url import MalformedResponseError

if TYPE_CHECKING:
    from infra.aws.account import Account
    from infra.aws.function import FunctionUrl
    from infra.aws.function_url import Request, Response
    from infra.aws.functions import Functions

#: Seconds: a function may take 15 minutes.
_PATIENCE: Final = httpx2.Timeout(910, connect=10)


class CallFailedError(AwsError):
    """The function ran and gave no response: it raised, was ended, or returned what is none."""

    code: ClassVar[str] = "CALL_FAILED"


@dataclass(frozen=True, slots=True)
class Answer:
    """What came of a call.

    Args:
        response: Of any status.
        seconds: As seen from here.
        version: The number of the version that ran; `None` where a URL does not say.
    """

    response: Response
    seconds: float
    version: str | None = None


def through_url(account: Account, url: FunctionUrl, request: Request) -> Answer:
    """Send a request to a function's URL, signed by the account's caller where it takes no others.

    Raises:
        AwsUnreachableError: It does not answer.
        CredentialsMissingError: There is nobody to sign it.
    """
    # As it is sent: a signature is of the path and the query as they are encoded.
    target = str(httpx2.URL(f"{url.url}{request.path}" + (f"?{request.query}" if request.query else "")))
    headers = dict(request.headers)
    if url.auth == "AWS_IAM":
        headers = _signed(account, request, target)
    started = time.monotonic()
    # A proxy from the environment is of no use for this machine's own services.
    with httpx2.Client(timeout=_PATIENCE, trust_env=account.endpoint is None) as client:
        try:
            answer = client.request(request.method, target, headers=headers, content=request.body)
        except httpx2.HTTPError as error:
            raise AwsUnreachableError(f"{url.url} does not answer: {error}", hint="try again") from error
    response = function_url.Response(answer.status_code, tuple(answer.headers.items()), answer.content)
    return Answer(response, time.monotonic() - started)


def through_invoke(functions: Functions, name: str, qualifier: str, request: Request) -> Answer:
    """Send a request to a version or alias of a function, as its URL would.

    Raises:
        CallFailedError: It gave no response.
        AwsError: As AWS does.
    """
    event = function_url.event(request, str(uuid.uuid4()))
    invocation = functions.invoke(name, qualifier, json.dumps(event).encode())
    if invocation.error is not None:
        raise CallFailedError(
            f"{name}:{qualifier} failed: {invocation.failure}", hint="see: bough logs --since 5m"
        )
    try:
        response = function_url.response(invocation.result)
    except MalformedResponseError as error:
        raise CallFailedError(f"{name}:{qualifier} gave no HTTP response: {error}") from error
    return Answer(response, invocation.seconds, invocation.version)


def _signed(account: Account, request: Request, target: str) -> dict[str, str]:
    with translated("read the credentials of AWS"):
        credentials = account.session.get_credentials()
        if credentials is None:
            raise CredentialsMissingError("there are no credentials for AWS", hint="log in again")
        signing = AWSRequest(request.method, target, dict(request.headers), request.body)
        SigV4Auth(credentials.get_frozen_credentials(), "lambda", account.region).add_auth(signing)
    return dict(signing.headers.items())
