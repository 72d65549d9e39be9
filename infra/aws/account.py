"""The account and region that a command acts on, known before anything is changed."""

from __future__ import annotations

import difflib
import os
import threading
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final

import boto3
import botocore.session
from botocore.config import Config

from infra.aws.errors import CredentialsMissingError, RegionError, WrongAccountError, translated

if TYPE_CHECKING:
    from collections.abc import Mapping

    from types_boto3_cloudformation import CloudFormationClient
    from types_boto3_cloudwatch import CloudWatchClient
    from types_boto3_lambda import LambdaClient
    from types_boto3_logs import CloudWatchLogsClient
    from types_boto3_s3 import S3Client
    from types_boto3_ssm import SSMClient

    from infra.config_tables import AwsSettings

#: Seconds for a connection and for an answer; a synchronous invocation may take longer, and says so itself.
_CONNECT_TIMEOUT: Final = 5
_READ_TIMEOUT: Final = 60
_CONFIG: Final = Config(
    connect_timeout=_CONNECT_TIMEOUT,
    read_timeout=_READ_TIMEOUT,
    retries={"mode": "standard", "total_max_attempts": 5},
    # Steps of a plan run at the same time.
    max_pool_connections=16,
)
#: Steps of a plan run in several threads, which may share clients, and not the making of them.
_MAKING: Final = threading.Lock()
#: botocore's variables: their names in files, in the environment, and what they are without those.
_UNSET: Final = (None, None, None, None)
_NO_FILE: Final = (None, None, os.devnull, None)


@dataclass(frozen=True, slots=True)
class LocalAccess:
    """How to reach the AWS of this machine (`infra.local.aws`).

    Args:
        endpoint: Base URL of all its services.
        access_key_id: It accepts any; this one says whose they are.
        secret_access_key: Likewise.
        region: Where it pretends to be.
    """

    endpoint: str
    access_key_id: str = "local"
    secret_access_key: str = field(default="local", repr=False)
    region: str = "us-east-1"


@dataclass(frozen=True)
class Account:
    """An account of AWS in one region, whose credentials AWS has accepted.

    Args:
        id: Its twelve digits.
        region: Of everything that is asked of it.
        partition: `aws`, `aws-cn` or `aws-us-gov`.
        caller: The ARN of who asks.
        endpoint: Another AWS than Amazon's, such as the one of `bough up --aws`.
        session: Makes clients; use those of this class.
    """

    id: str
    region: str
    partition: str
    caller: str
    endpoint: str | None
    session: boto3.Session = field(repr=False)

    @cached_property
    def functions(self) -> LambdaClient:
        """Lambda."""
        client: LambdaClient = self._client("lambda")
        return client

    @cached_property
    def stacks(self) -> CloudFormationClient:
        """CloudFormation."""
        client: CloudFormationClient = self._client("cloudformation")
        return client

    @cached_property
    def parameters(self) -> SSMClient:
        """Systems Manager's parameters."""
        client: SSMClient = self._client("ssm")
        return client

    @cached_property
    def logs(self) -> CloudWatchLogsClient:
        """CloudWatch's logs."""
        client: CloudWatchLogsClient = self._client("logs")
        return client

    @cached_property
    def metrics(self) -> CloudWatchClient:
        """CloudWatch's metrics and alarms."""
        client: CloudWatchClient = self._client("cloudwatch")
        return client

    @cached_property
    def objects(self) -> S3Client:
        """S3."""
        client: S3Client = self._client("s3")
        return client

    def _client(self, service: Any) -> Any:
        with _MAKING:
            return self.session.client(service, endpoint_url=self.endpoint, config=_CONFIG)

    def environment(self) -> dict[str, str]:
        """Return the variables by which another program acts as this account, **with the secret key**."""
        credentials = self.session.get_credentials()
        if credentials is None:
            raise CredentialsMissingError("there are no credentials for AWS", hint="log in again")
        with translated("read the credentials of AWS"):
            frozen = credentials.get_frozen_credentials()
        variables = {
            "AWS_REGION": self.region,
            "AWS_DEFAULT_REGION": self.region,
            "AWS_ACCESS_KEY_ID": frozen.access_key,
            "AWS_SECRET_ACCESS_KEY": frozen.secret_key,
            "AWS_SESSION_TOKEN": frozen.token,
            "AWS_ENDPOINT_URL": self.endpoint,
        }
        return {name: value for name, value in variables.items() if value}

    def arn(self, service: str, resource: str) -> str:
        """Return the ARN of something in this account and region."""
        return f"arn:{self.partition}:{service}:{self.region}:{self.id}:{resource}"


def connect(settings: AwsSettings, local: LocalAccess | None = None) -> Account:
    """Ask AWS who the credentials belong to, and refuse another account or region than the project's.

    One request; nothing is changed.

    Args:
        settings: What the project says.
        local: The AWS of this machine; without it credentials, endpoint (AWS_ENDPOINT_URL) and what the
            settings leave open come from the environment and the profile, as botocore reads them.

    Raises:
        CredentialsMissingError, CredentialsExpiredError, CredentialsInvalidError: Nobody is known to ask.
        RegionError: No region was named, one that does not exist, or another than the project's.
        WrongAccountError: The project belongs to another account.
        AwsUnreachableError: AWS does not answer.
    """
    with translated("read the configuration of AWS"):
        session = _session(settings, local)
        region = _region(session, settings, os.environ if local is None else {})
    endpoint = local.endpoint if local else None
    with translated("ask AWS who you are"):
        identity = session.client("sts", endpoint_url=endpoint, config=_CONFIG).get_caller_identity()
    if local is None and settings.account and identity["Account"] != settings.account:
        raise WrongAccountError(
            f"the credentials are those of account {identity['Account']} ({identity['Arn']}), and the project"
            f" belongs to {settings.account}",
            hint="choose the right AWS_PROFILE, or change `account` of [tool.bough.aws]; nothing was changed",
        )
    partition = identity["Arn"].split(":")[1]
    return Account(identity["Account"], region, partition, identity["Arn"], endpoint, session)


def _session(settings: AwsSettings, local: LocalAccess | None) -> boto3.Session:
    if local is None:
        return boto3.Session(region_name=settings.region or os.environ.get("AWS_REGION"))
    # Neither the user's profiles and their files, which may be missing or name endpoints, nor a proxy.
    core = botocore.session.Session(
        {"profile": _UNSET, "config_file": _NO_FILE, "credentials_file": _NO_FILE}
    )
    core.set_default_client_config(Config(proxies={}))
    return boto3.Session(
        aws_access_key_id=local.access_key_id,
        aws_secret_access_key=local.secret_access_key,
        region_name=settings.region or local.region,
        botocore_session=core,
    )


def _region(session: boto3.Session, settings: AwsSettings, environment: Mapping[str, str]) -> str:
    region = session.region_name
    if not region:
        raise RegionError(
            "no region was named", hint="set `region` of [tool.bough.aws], or AWS_REGION in the environment"
        )
    for name in ("AWS_REGION", "AWS_DEFAULT_REGION"):
        if settings.region and environment.get(name, settings.region) != settings.region:
            raise RegionError(
                f"{name} is {environment[name]}, and the project belongs to {settings.region}",
                hint=f"unset {name}, or change `region` of [tool.bough.aws]; nothing was changed",
            )
    known = [
        each
        for name in session.get_available_partitions()
        for each in session.get_available_regions("lambda", name)
    ]
    if region not in known:
        near = difflib.get_close_matches(region, known, n=1)
        raise RegionError(
            f"there is no region {region}",
            hint=f"did you mean {near[0]}?" if near else "is boto3 up to date?",
        )
    return region
