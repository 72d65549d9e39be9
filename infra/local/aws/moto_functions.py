"""A function as Lambda keeps it, where moto 5.2.5 forgets: revisions, layers, settings, policies."""

from __future__ import annotations

import base64
import copy
import datetime as dt
import uuid
from typing import TYPE_CHECKING, Any, Final, Self

from moto.awslambda.exceptions import (
    InvalidParameterValueException,
    UnknownLayerVersionException,
)
from moto.awslambda.models import LambdaFunction
from moto.awslambda.utils import get_backend
from moto.core.common_models import CloudFormationModel

from infra.local.aws.deployed import Deployed
from infra.local.aws.moto_refusals import require_own_variables, require_revision

if TYPE_CHECKING:
    from collections.abc import Mapping

    from infra.local.aws.url_config import UrlConfig

#: What a template and CreateFunction both may say.
_PROPERTIES: Final = (
    "Architectures",
    "Code",
    "Description",
    "Environment",
    "EphemeralStorage",
    "Handler",
    "KmsKeyArn",
    "Layers",
    "LoggingConfig",
    "MemorySize",
    "PackageType",
    "ReservedConcurrentExecutions",
    "Role",
    "Runtime",
    "SnapStart",
    "Timeout",
    "TracingConfig",
    "VpcConfig",
)

#: What makes a version another than the last one.
_OF_A_VERSION: Final = (
    "code_sha_256",
    "handler",
    "role",
    "run_time",
    "environment_vars",
    "memory_size",
    "timeout",
    "layers",
    "architectures",
    "logging_config",
    "snap_start",
)


class Function(LambdaFunction, CloudFormationModel):
    """moto's, which it also is to CloudFormation: that looks at direct subclasses, and the last one wins."""

    def __init__(self, account_id: str, spec: dict[str, Any], region: str, version: str = "$LATEST") -> None:
        """Take what CreateFunction was asked for."""
        super().__init__(account_id, spec, region, version)
        self.revision_id = _revision()
        self.last_modified = _now()
        require_own_variables(self.environment_vars)
        self.logging_config: dict[str, str] = spec.get("LoggingConfig") or {}
        self.snap_start: str = spec.get("SnapStart", {}).get("ApplyOn", "None")
        #: What the next version is called; a number is never used twice, also when versions are deleted.
        self.next_version = 1
        #: By qualifier, the empty one for the function itself; shared by all versions.
        self.statements: dict[str, list[dict[str, Any]]] = {}
        self.urls: dict[str, UrlConfig] = {}

    def require_revision(self, revision_id: str | None) -> None:
        """Refuse what was asked of another revision.

        Raises:
            PreconditionFailedException: As AWS words it.
        """
        require_revision(self.revision_id, revision_id)

    def require_code(self, sha256: str | None) -> None:
        """Refuse to publish other code than is meant.

        Raises:
            InvalidParameterValueException: As AWS words it.
        """
        if sha256 and sha256 != self.code_sha_256:
            raise InvalidParameterValueException(
                f"CodeSHA256 ({sha256}) is different from current CodeSHA256 in $LATEST "
                f"({self.code_sha_256}). Please try again with the CodeSHA256 in $LATEST."
            )

    def published(self, description: str) -> Self:
        """Return a version of it as it is now."""
        version = copy.copy(self)
        version.code = dict(self.code)
        version.set_version(self.next_version)
        version.last_modified = _now()
        version.revision_id = _revision()
        version.description = description or self.description
        self.next_version += 1
        return version

    def is_as(self, version: LambdaFunction) -> bool:
        """Say whether publishing it would only repeat that version."""
        return all(getattr(self, name) == getattr(version, name) for name in _OF_A_VERSION)

    def touch(self) -> str:
        """Note that it was changed; return the new revision."""
        self.revision_id = _revision()
        self.last_modified = _now()
        return self.revision_id

    def update_configuration(self, config_updates: dict[str, Any]) -> dict[str, Any]:
        """Take what UpdateFunctionConfiguration was asked for."""
        updates = dict(config_updates)
        if "Environment" in updates:
            variables = updates["Environment"].get("Variables", {})
            require_own_variables(variables)
            updates["Environment"] = {"Variables": variables}
        self.logging_config = updates.get("LoggingConfig", self.logging_config)
        self.snap_start = updates.get("SnapStart", {}).get("ApplyOn", self.snap_start)
        super().update_configuration(updates)
        self.touch()
        return self.get_configuration()

    def update_function_code(self, updated_spec: dict[str, Any]) -> dict[str, Any]:
        """Take what UpdateFunctionCode was asked for."""
        self.architectures = updated_spec.get("Architectures", self.architectures)
        super().update_function_code(updated_spec)
        self.touch()
        return self.get_configuration()

    def get_configuration(self, on_create: bool = False) -> dict[str, Any]:  # noqa: FBT001, FBT002  moto's
        """Return it as GetFunctionConfiguration does."""
        is_version = str(self.version).isdigit()
        optimized = "On" if self.snap_start != "None" and is_version else "Off"
        return super().get_configuration(on_create) | {
            "RevisionId": self.revision_id,
            "SnapStart": {"ApplyOn": self.snap_start, "OptimizationStatus": optimized},
            "LoggingConfig": {"LogFormat": "Text", "LogGroup": self.logs_group_name, **self.logging_config},
            "LastUpdateStatus": "Successful",
        }

    def invoke(self, body: str, request_headers: Any, response_headers: Any) -> bytes:
        """Run for another service, such as a topic or a bucket: moto would ask for Docker."""
        backend = get_backend(self.account_id, self.region)
        answer: Any = backend.invoke(self.function_arn, None, body, request_headers, response_headers)
        return bytes(answer)

    def deployed(self) -> Deployed:
        """Return what running it takes, as it is now."""
        code: bytes = self.code_bytes
        return Deployed(
            name=self.function_name,
            version=str(self.version),
            arn=f"arn:{self.partition}:lambda:{self.region}:{self.account_id}:function:{self.function_name}",
            region=self.region,
            account=self.account_id,
            code_sha256=self.code_sha_256,
            handler=str(self.handler),
            variables=dict(self.environment_vars),
            timeout=int(self.timeout),
            memory_mb=int(self.memory_size),
            role=self.role,
            layers=tuple(str(layer["Arn"]) for layer in self.layers),
            log_group=self.logging_config.get("LogGroup") or self.logs_group_name,
            built_for=(str(self.run_time), self.architectures[0]),
            code=lambda: code,
        )

    def _get_layers_data(self, layers_versions_arns: list[str]) -> Any:
        """Keep layers of other accounts, such as AWS's own: moto knows only those that it holds itself."""
        layers: list[dict[str, Any]] = []
        for arn in layers_versions_arns:
            if arn.split(":")[4] == self.account_id:
                found = get_backend(self.account_id, self.region).layers_versions_by_arn(arn)
                if found is None:
                    raise UnknownLayerVersionException([arn])
                layers.append({"Arn": found.arn, "CodeSize": found.code_size})
            else:
                layers.append({"Arn": arn, "CodeSize": 0})
        return layers

    def is_created(self) -> bool:
        """Say that it is: nothing takes time here."""
        return True

    @classmethod
    def delete_from_cloudformation_json(
        cls, resource_name: str, cloudformation_json: dict[str, Any], account_id: str, region_name: str
    ) -> None:
        """Delete it."""
        del cloudformation_json
        get_backend(account_id, region_name).delete_function(resource_name)

    @classmethod
    def create_from_cloudformation_json(
        cls,
        resource_name: str,
        cloudformation_json: dict[str, Any],
        account_id: str,
        region_name: str,
        **_kwargs: Any,
    ) -> Any:
        """Make what a template describes, with all of its properties."""
        spec = _spec(cloudformation_json["Properties"])
        return get_backend(account_id, region_name).create_function(spec | {"FunctionName": resource_name})

    @classmethod
    def update_from_cloudformation_json(  # type: ignore[override]
        cls,
        original_resource: Function,
        new_resource_name: str,
        cloudformation_json: dict[str, Any],
        account_id: str,
        region_name: str,
    ) -> Function:
        """Change it to what a template describes now; what the template leaves out has its default again."""
        del new_resource_name
        spec = _spec(cloudformation_json["Properties"])
        code, architectures = spec.pop("Code"), spec.pop("Architectures", ["x86_64"])
        defaults: dict[str, Any] = {
            "Description": "",
            "MemorySize": 128,
            "Timeout": 3,
            "Environment": {"Variables": {}},
            "Layers": [],
            "LoggingConfig": {},
            "SnapStart": {"ApplyOn": "None"},
        }
        original_resource.reserved_concurrency = spec.pop("ReservedConcurrentExecutions", None)
        name = original_resource.function_name
        backend: Any = get_backend(account_id, region_name)
        backend.update_function_configuration(name, None, defaults | spec)
        backend.update_function_code(name, None, code | {"Architectures": architectures})
        return original_resource


def _spec(properties: Mapping[str, Any]) -> dict[str, Any]:
    spec = {name: properties[name] for name in _PROPERTIES if name in properties}
    tags = {tag["Key"]: tag["Value"] for tag in properties.get("Tags", ())}
    if isinstance(text := spec["Code"].get("ZipFile"), str):
        # In a template it is the source of one module.
        spec["Code"] = {"ZipFile": base64.b64encode(Function._create_zipfile_from_plaintext_code(text))}  # noqa: SLF001  moto's
    for number in ("MemorySize", "Timeout", "ReservedConcurrentExecutions"):
        if number in spec:
            spec[number] = int(spec[number])
    return spec | ({"Tags": tags} if tags else {})


def _revision() -> str:
    return str(uuid.uuid4())


def _now() -> str:
    return dt.datetime.now(dt.UTC).strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "+0000"
