"""Lambda as a deployment needs it, where moto 5.2.5 lacks it.

Functions run, for other services too; URLs and policies belong to a qualifier; whoever says a revision or a
hash is held to it; the numbers of versions are never used twice; what was configured is kept.
"""

from __future__ import annotations

import functools
import random
import threading
import types
import uuid
from typing import TYPE_CHECKING, Any, ClassVar, Final, TypeVar

from moto.awslambda import urls
from moto.awslambda.exceptions import (
    ConflictException,
    GenericResourcNotFound,
    InvalidParameterValueException,
    UnknownFunctionException,
)
from moto.awslambda.models import LambdaAlias, LambdaBackend, lambda_backends

from infra.local.aws.moto_functions import Function
from infra.local.aws.moto_lambda_responses import LambdaResponses
from infra.local.aws.moto_refusals import ResourceConflictError, TooManyRequestsError, require_revision
from infra.local.aws.url_config import UrlConfig
from infra.local.function import LATEST

if TYPE_CHECKING:
    from collections.abc import Callable

    from infra.local.aws.runner import FromThreads, Outcome

_Change = TypeVar("_Change", bound="Callable[..., Any]")

#: The server answers requests in threads, and revisions are compared before something is changed.
_CHANGING: Final = threading.RLock()


def _one_at_a_time(change: _Change) -> _Change:
    @functools.wraps(change)
    def changed(*arguments: Any, **more: Any) -> Any:
        with _CHANGING:
            return change(*arguments, **more)

    return changed  # type: ignore[return-value]


class Lambda(LambdaBackend):
    """moto's, in which functions run."""

    #: Runs functions and serves URLs.
    runner: ClassVar[FromThreads]

    @property
    def _url_module(self) -> Any:
        paths = dict.fromkeys(urls.url_paths, LambdaResponses.dispatch)
        paths[r"{0}/(?P<api_version>[^/]+)/account-settings/?$"] = LambdaResponses.dispatch
        return types.SimpleNamespace(url_bases=urls.url_bases, url_paths=paths)

    def function(self, name: str, qualifier: str | None = None) -> Function:
        """Return a function's version, or what an alias leads to without regard to its weights.

        Raises:
            UnknownFunctionException: There is none.
        """
        found = self._lambdas.get_function_by_name_or_arn_with_qualifier(name, qualifier or None)
        if not isinstance(found, Function):
            raise UnknownFunctionException(name)
        return found

    def latest(self, name: str) -> Function:
        """Return a function as it is now."""
        return self.function(name.rpartition(":function:")[2].partition(":")[0])

    def chosen(self, name: str, qualifier: str | None) -> Function:
        """Return the version that a request reaches, by the weights of the alias that it names."""
        alias = self._alias(name, qualifier) if qualifier else None
        if alias is not None:
            threshold = random.random()  # noqa: S311  which of two versions answers is no secret
            for version, weight in _weights(alias).items():
                threshold -= float(weight)
                if threshold < 0:
                    return self.function(name, version)
        return self.function(name, qualifier)

    @_one_at_a_time
    def create_function(self, spec: dict[str, Any]) -> Function:
        """Make a function; with `Publish` return its first version."""
        function = Function(self.account_id, spec, self.region_name)
        self._lambdas.put_function(function)
        return self.publish_version(function.function_name) if spec.get("Publish") else function

    @_one_at_a_time
    def update_function_code(self, function_name: str, qualifier: str | None, body: dict[str, Any]) -> Any:
        """Give a function other code; its environments end."""
        del qualifier
        function = self.latest(function_name)
        function.require_revision(body.get("RevisionId"))
        if not body.get("DryRun"):
            function.update_function_code(body)
            self.runner.retire(function.deployed().arn, LATEST)
        published = self.publish_version(function.function_name) if body.get("Publish") else function
        return published.get_configuration()

    @_one_at_a_time
    def update_function_configuration(
        self, function_name: str, qualifier: str | None, body: dict[str, Any]
    ) -> Any:
        """Give a function other settings; its environments end."""
        del qualifier
        function = self.latest(function_name)
        function.require_revision(body.get("RevisionId"))
        function.update_configuration(body)
        self.runner.retire(function.deployed().arn, LATEST)
        return function.get_configuration()

    @_one_at_a_time
    def publish_version(
        self,
        function_name: str,
        description: str = "",
        sha256: str | None = None,
        revision: str | None = None,
    ) -> Function:
        """Publish what a function is now, unless the last version is the same."""
        function = self.latest(function_name)
        function.require_revision(revision)
        function.require_code(sha256)
        versions = self._lambdas._functions[function.function_name]["versions"]  # noqa: SLF001  moto's
        if versions and function.is_as(versions[-1]):
            last: Function = versions[-1]
            return last
        version = function.published(description)
        versions.append(version)
        self._lambdas._arns[version.function_arn] = version  # noqa: SLF001  moto's
        return version

    @_one_at_a_time
    def delete_function(self, function_name: str, qualifier: str | None = None) -> None:
        """Delete a function with its URLs, or one version that no alias leads to; their environments end."""
        function = self.function(function_name, qualifier)
        arn = function.deployed().arn
        if qualifier is None:
            for config in list(function.urls.values()):
                self.runner.close_url(config)
            self._lambdas._aliases.pop(arn, None)  # noqa: SLF001  moto's
            self._lambdas.del_function(function.function_name)
            self.runner.retire(arn)
            return
        for alias in self._lambdas._aliases[arn].values():  # noqa: SLF001  moto's
            if qualifier in {alias.function_version, *_weights(alias)}:
                raise ResourceConflictError(
                    f"Version '{qualifier}' is currently referenced by the following aliases: {alias.name}"
                )
        versions = self._lambdas._functions[function.function_name]["versions"]  # noqa: SLF001  moto's
        if function not in versions:
            raise InvalidParameterValueException(
                f"{qualifier} cannot be deleted without deleting the function: it is no published version"
            )
        versions.remove(function)
        self.runner.retire(arn, qualifier)

    @_one_at_a_time
    def create_alias(self, name: str, function_name: str, *arguments: Any, **more: Any) -> LambdaAlias:
        """Make an alias."""
        try:
            return super().create_alias(name, function_name, *arguments, **more)
        except ConflictException as error:
            raise ResourceConflictError(f"Alias already exists: {name}") from error

    @_one_at_a_time
    def change_alias(self, name: str, function_name: str, body: dict[str, Any]) -> LambdaAlias:
        """Take what UpdateAlias was asked for."""
        alias = self.get_alias(name, function_name)
        require_revision(alias.revision_id, body.get("RevisionId"))
        version = body.get("FunctionVersion")
        if version:
            self.function(function_name, version)
        alias.update(body.get("Description"), version, body.get("RoutingConfig"))
        alias.revision_id = str(uuid.uuid4())
        return alias

    @_one_at_a_time
    def delete_alias(self, name: str, function_name: str) -> None:
        """Delete an alias with its URL and its policy."""
        function = self.latest(function_name)
        if name in function.urls:
            self.runner.close_url(function.urls.pop(name))
        function.statements.pop(name, None)
        super().delete_alias(name, function_name)

    @_one_at_a_time
    def add_url(self, name: str, qualifier: str, wanted: dict[str, Any]) -> UrlConfig:
        """Have a function or an alias answer HTTP."""
        function = self.latest(name)
        if qualifier:
            self.get_alias(qualifier, name)
        if qualifier in function.urls:
            raise ResourceConflictError("Failed to create function url config: it exists already.")
        arn = function.deployed().arn + (f":{qualifier}" if qualifier else "")
        config = UrlConfig(function.function_name, qualifier, arn, wanted["AuthType"])
        config.update(wanted)
        config.url = self.runner.open_url(self, config)
        function.urls[qualifier] = config
        return config

    def url(self, name: str, qualifier: str) -> UrlConfig:
        """Return where a function or an alias answers HTTP.

        Raises:
            GenericResourcNotFound: Nowhere.
        """
        config = self.latest(name).urls.get(qualifier)
        if config is None:
            raise GenericResourcNotFound
        return config

    @_one_at_a_time
    def delete_url(self, name: str, qualifier: str) -> None:
        """Have it answer no more."""
        self.runner.close_url(self.url(name, qualifier))
        del self.latest(name).urls[qualifier]

    def revision_of(self, name: str, qualifier: str) -> str:
        """Return the revision of an alias, a version or the function, which their policies share."""
        alias = self._alias(name, qualifier)
        return alias.revision_id if alias is not None else self.function(name, qualifier).revision_id

    def change_revision(self, name: str, qualifier: str) -> None:
        """Note that a policy was changed."""
        alias = self._alias(name, qualifier)
        if alias is not None:
            alias.revision_id = str(uuid.uuid4())
        else:
            self.function(name, qualifier).touch()

    def throttles(self, name: str) -> bool:
        """Say whether nothing of a function may run: its reserved concurrency is 0."""
        return str(self.latest(name).reserved_concurrency) == "0"

    def invoke(
        self, function_name: str, qualifier: str | None, body: Any, headers: Any, response_headers: Any
    ) -> bytes:
        """Invoke a function for another service, such as a queue: moto would ask for Docker."""
        del headers
        name, _, named = function_name.rpartition(":function:")[2].partition(":")
        outcome = self.run(name, qualifier or named or None, body.encode(), wait=True)
        if outcome is not None and outcome.error is not None:
            response_headers["x-amz-function-error"] = outcome.error
        return b"" if outcome is None else outcome.payload

    def run(self, name: str, qualifier: str | None, payload: bytes, *, wait: bool) -> Outcome | None:
        """Invoke a function; `None` where nobody waits for its outcome.

        Raises:
            TooManyRequestsError: Nothing of it may run.
        """
        if self.throttles(name):
            raise TooManyRequestsError
        function = self.chosen(name, qualifier)
        deployed = function.deployed()
        arn = deployed.arn + (f":{qualifier}" if qualifier else "")
        return self.runner.invoke(deployed, payload, arn, wait=wait)

    def _alias(self, name: str, qualifier: str | None) -> LambdaAlias | None:
        return self._lambdas._aliases[self.latest(name).deployed().arn].get(qualifier or "")  # noqa: SLF001  moto's


def _weights(alias: LambdaAlias) -> dict[str, float]:
    # It is no string, whatever moto says.
    routing: Any = alias.routing_config
    weights: dict[str, float] = (routing or {}).get("AdditionalVersionWeights") or {}
    return weights


def mend(runner: FromThreads) -> None:
    """Put this into moto's place; before the first request."""
    Lambda.runner = runner
    lambda_backends.backend = Lambda
