"""Functions, their versions and aliases: what deploys, previews and rollbacks are made of.

What changes a function or an alias says which revision of it was read before, so that of two who change it at
once only one succeeds.
"""

from __future__ import annotations

import base64
import time
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final, Literal

from botocore.config import Config
from botocore.exceptions import ClientError, WaiterError

from infra.aws.errors import code_of, translated
from infra.aws.function import Alias, Function, Invocation, Version
from infra.aws.function_errors import (
    CHANGED,
    FunctionNotFoundError,
    changed,
    must_exist,
    never_ready,
    nothing_when_missing,
    unchanged,
)
from infra.aws.uploads import SentCode
from infra.aws.url_access import UrlAccess

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from types_boto3_lambda import LambdaClient

    from infra.aws.account import Account
    from infra.aws.function import Configuration, FunctionUrl
    from infra.aws.uploads import CodeSource

#: Seconds until code must have arrived; until a version must be ready, with SnapStart's snapshot;
#: between two looks.
_UPDATE_PATIENCE: Final = 300
_PUBLISH_PATIENCE: Final = 900
_LOOK: Final = 1

#: Seconds that an invocation may take, Lambda's longest and some more.
_LONGEST: Final = 910


class Functions:
    """The functions of an account."""

    def __init__(self, account: Account) -> None:
        """Nothing is asked of it yet."""
        self._account = account

    @property
    def _client(self) -> LambdaClient:
        return self._account.functions

    @cached_property
    def _invoker(self) -> LambdaClient:
        # A retry would run the function again, which may have been running all the time.
        config = Config(
            connect_timeout=5, read_timeout=_LONGEST, retries={"total_max_attempts": 1}, tcp_keepalive=True
        )
        return self._account.session.client("lambda", endpoint_url=self._account.endpoint, config=config)

    def find(self, name: str, version: str | None = None) -> Function | None:
        """Return a function as it is, or as a version of it is; `None` where there is none of this name."""
        arguments = {} if version is None else {"Qualifier": version}
        with translated(f"look up function {name}"), nothing_when_missing():
            return Function.of(self._client.get_function_configuration(FunctionName=name, **arguments))
        return None

    def get(self, name: str) -> Function:
        """Return a function.

        Raises:
            FunctionNotFoundError: There is none of this name.
        """
        if (function := self.find(name)) is None:
            raise FunctionNotFoundError(f"there is no function {name}", hint="make it: bough deploy")
        return function

    def list(self, prefix: str) -> tuple[Function, ...]:
        """Return the functions whose names begin so."""
        with translated("list the functions"):
            pages = self._client.get_paginator("list_functions").paginate()
            found = [each for page in pages for each in page["Functions"]]
        return tuple(Function.of(each) for each in found if each["FunctionName"].startswith(prefix))

    def create(
        self, name: str, source: CodeSource, configuration: Configuration, *, tags: Mapping[str, str]
    ) -> Function:
        """Make a function, and wait until it can be called.

        Raises:
            FunctionChangedError: There is one of this name.
            FunctionFailedError: It does not become ready.
        """
        with translated(f"make function {name}"), unchanged(f"function {name}"):
            self._client.create_function(
                FunctionName=name,
                Code=_code(source),
                Architectures=[configuration.architecture],  # type: ignore[list-item]
                Tags=tags,
                **configuration.arguments(),
            )
        self._wait("function_active", name, _UPDATE_PATIENCE)
        return self.get(name)

    def update_code(self, name: str, source: CodeSource, *, revision_id: str) -> Function:
        """Give a function new code, and wait until that has arrived.

        Args:
            name: Of the function.
            source: The zip.
            revision_id: The function's, as it was read.

        Raises:
            FunctionChangedError: It is another by now; nothing was changed.
            FunctionFailedError: The code does not become ready.
        """
        with translated(f"update the code of {name}"), unchanged(f"function {name}"):
            self._client.update_function_code(FunctionName=name, RevisionId=revision_id, **_code(source))
        self._wait("function_updated", name, _UPDATE_PATIENCE)
        # Lambda gives a function another revision id when its update has ended.
        return self.get(name)

    def update_configuration(self, name: str, configuration: Configuration, *, revision_id: str) -> Function:
        """Give a function new settings, all but the architecture, which goes with the code; wait as for code.

        Raises:
            FunctionChangedError, FunctionFailedError: As for code.
        """
        with translated(f"update the settings of {name}"), unchanged(f"function {name}"):
            self._client.update_function_configuration(
                FunctionName=name, RevisionId=revision_id, **configuration.arguments()
            )
        self._wait("function_updated", name, _UPDATE_PATIENCE)
        return self.get(name)

    def publish(self, name: str, *, code_sha256: str, description: str) -> Version:
        """Publish a version, and wait until it is ready; the newest one where nothing has changed since.

        Args:
            name: Of the function.
            code_sha256: What its code must be, in base64.
            description: At most 256 characters; a `ReleaseNote`.

        Raises:
            FunctionChangedError: Its code is another by now; nothing was published.
            FunctionFailedError: The version does not become ready.
        """
        code = f"the code of function {name}"
        with translated(f"publish a version of {name}"), unchanged(code):
            try:
                answer = self._client.publish_version(
                    FunctionName=name, CodeSha256=code_sha256, Description=description
                )
            except ClientError as error:
                # The only way in which Lambda tells this case from other wrong parameters.
                if code_of(error) == "InvalidParameterValueException" and "CodeSHA256" in str(error):
                    raise changed(code, error) from error
                raise
        self._wait("published_version_active", name, _PUBLISH_PATIENCE, Qualifier=answer["Version"])
        return Version.of(answer)

    def versions(self, name: str) -> tuple[Version, ...]:
        """Return the published versions, the newest first."""
        with translated(f"list the versions of {name}"), must_exist(f"function {name}"):
            pages = self._client.get_paginator("list_versions_by_function").paginate(FunctionName=name)
            found = [each for page in pages for each in page["Versions"]]
        versions = [Version.of(each) for each in found if each["Version"] != "$LATEST"]
        return tuple(sorted(versions, key=lambda version: int(version.number), reverse=True))

    def aliases(self, name: str) -> tuple[Alias, ...]:
        """Return all aliases."""
        with translated(f"list the aliases of {name}"), must_exist(f"function {name}"):
            pages = self._client.get_paginator("list_aliases").paginate(FunctionName=name)
            return tuple(Alias.of(each) for page in pages for each in page["Aliases"])

    def alias(self, name: str, alias: str) -> Alias | None:
        """Return an alias, `None` where there is none."""
        with translated(f"look up alias {alias} of {name}"), nothing_when_missing():
            return Alias.of(self._client.get_alias(FunctionName=name, Name=alias))
        return None

    def point(
        self,
        name: str,
        alias: str,
        version: str,
        *,
        weights: Mapping[str, float] | None = None,
        revision_id: str | None,
        before: Sequence[str] | None = None,
    ) -> Alias:
        """Have an alias lead to a version, at once for all requests that come from now on.

        Args:
            name: Of the function.
            alias: It is made where `revision_id` is `None`.
            version: Its number.
            weights: Shares of the requests, by the number of another version; the rest reaches `version`.
            revision_id: The alias's, as it was read.
            before: What it led to before (`Alias.before_at`); `None` leaves that as it is.

        Raises:
            FunctionChangedError: It leads elsewhere by now; nothing was changed.
        """
        target: Any = {
            "FunctionName": name,
            "Name": alias,
            "FunctionVersion": version,
            # Without the key an update leaves the weights as they are.
            "RoutingConfig": {"AdditionalVersionWeights": dict(weights or {})},
        }
        if before is not None:
            target["Description"] = f"before: {' '.join(before)}"
        what = f"alias {alias} of {name}"
        with translated(f"point {what} to version {version}"), unchanged(what):
            try:
                if revision_id is None:
                    return Alias.of(self._client.create_alias(**target))
                return Alias.of(self._client.update_alias(**target, RevisionId=revision_id))
            except ClientError as error:
                # botocore asks again when an answer was lost, and by then the alias is as it was asked for.
                found = self.alias(name, alias) if code_of(error) in CHANGED else None
                if found is None or (found.version, found.weights) != (version, weights or {}):
                    raise
                return found

    def ensure_url(self, name: str, qualifier: str | None, auth: Literal["NONE", "AWS_IAM"]) -> FunctionUrl:
        """Have a function or an alias answer HTTP, with the permissions that this takes.

        It changes the revision id of what the qualifier names: read that afterwards.

        Args:
            name: Of the function.
            qualifier: An alias; `None` for the function's newest code.
            auth: `NONE` for everybody; with `AWS_IAM` whom IAM allows it.
        """
        return UrlAccess(self._client, name, qualifier).ensure(auth)

    def url(self, name: str, qualifier: str | None) -> FunctionUrl | None:
        """Return where it answers HTTP, `None` where it does not."""
        return UrlAccess(self._client, name, qualifier).find()

    def delete(self, name: str, version: str | None = None) -> None:
        """Delete a version, or the function with its versions, aliases and URLs; one that is gone is fine."""
        what = name if version is None else f"version {version} of {name}"
        arguments = {} if version is None else {"Qualifier": version}
        with translated(f"delete {what}"), nothing_when_missing():
            self._client.delete_function(FunctionName=name, **arguments)

    def invoke(self, name: str, qualifier: str, event: bytes) -> Invocation:
        """Call a function and wait for its result, which may be a failure of its own.

        Args:
            name: Of the function.
            qualifier: The number of a version, an alias, or `$LATEST`.
            event: JSON.
        """
        started = time.monotonic()
        with translated(f"call {name}:{qualifier}"), must_exist(f"{name}:{qualifier}"):
            answer = self._invoker.invoke(
                FunctionName=name, Qualifier=qualifier, Payload=event, LogType="Tail"
            )
            result = answer["Payload"].read()
        return Invocation(
            result,
            answer.get("FunctionError"),
            answer.get("ExecutedVersion", qualifier),
            base64.b64decode(answer.get("LogResult", "")).decode(errors="replace"),
            time.monotonic() - started,
        )

    def _wait(
        self,
        waiter: Literal["function_active", "function_updated", "published_version_active"],
        name: str,
        patience: int,
        **qualifier: str,
    ) -> None:
        look: Any = {"Delay": _LOOK, "MaxAttempts": patience // _LOOK}
        with translated(f"wait for {name}"):
            try:
                self._client.get_waiter(waiter).wait(FunctionName=name, WaiterConfig=look, **qualifier)
            except WaiterError as error:
                raise never_ready(name, error, patience) from error


def _code(source: CodeSource) -> Any:
    if isinstance(source, SentCode):
        return {"ZipFile": source.zip.read_bytes()}
    return {"S3Bucket": source.bucket, "S3Key": source.key}
