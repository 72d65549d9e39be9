"""What Lambda says of functions, versions, aliases and URLs."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

from infra.aws.release_note import ReleaseNote

if TYPE_CHECKING:
    from collections.abc import Mapping

    from types_boto3_lambda.type_defs import (
        AliasConfigurationResponseTypeDef,
        AliasConfigurationTypeDef,
        FunctionConfigurationResponseTypeDef,
        FunctionConfigurationTypeDef,
    )

    _Configuration = FunctionConfigurationTypeDef | FunctionConfigurationResponseTypeDef
    _Alias = AliasConfigurationTypeDef | AliasConfigurationResponseTypeDef

#: Where functions log whose settings name no group.
LOG_GROUPS: Final = "/aws/lambda/"

#: An alias's description, and how many versions are remembered in it.
_BEFORE: Final = re.compile(r"before: ([0-9 ]*)")
_REMEMBERED: Final = 10


@dataclass(frozen=True, slots=True)
class Configuration:
    """What a function runs with.

    Args:
        handler: In Lambda's notation.
        role: The ARN of what it may do.
        runtime: Such as `python3.13`.
        architecture: `arm64` or `x86_64`.
        memory: In MB.
        timeout: In seconds.
        environment: Its variables.
        layers: ARNs of layers' versions.
        log_group: Where its output goes; `None` for Lambda's default.
    """

    handler: str
    role: str
    runtime: str
    architecture: str
    memory: int
    timeout: int
    environment: Mapping[str, str] = field(default_factory=dict, repr=False)
    layers: tuple[str, ...] = ()
    log_group: str | None = None

    @classmethod
    def of(cls, answer: _Configuration) -> Configuration:
        """Return that of a function's description by Lambda."""
        return cls(
            answer["Handler"],
            answer["Role"],
            answer["Runtime"],
            answer["Architectures"][0],
            answer["MemorySize"],
            answer["Timeout"],
            answer.get("Environment", {}).get("Variables", {}),
            tuple(layer["Arn"] for layer in answer.get("Layers", ())),
            answer.get("LoggingConfig", {}).get("LogGroup"),
        )

    def arguments(self) -> dict[str, Any]:
        """Return what CreateFunction and UpdateFunctionConfiguration both take of it."""
        return {
            "Handler": self.handler,
            "Role": self.role,
            "Runtime": self.runtime,
            "MemorySize": self.memory,
            "Timeout": self.timeout,
            "Environment": {"Variables": dict(self.environment)},
            "Layers": list(self.layers),
            **({"LoggingConfig": {"LogGroup": self.log_group}} if self.log_group else {}),
        }


@dataclass(frozen=True, slots=True)
class Function:
    """A function's newest code and settings, which Lambda calls $LATEST.

    Args:
        name: In its account and region.
        arn: Without a qualifier, which would be an eighth part.
        code_sha256: Of its zip, in base64.
        revision_id: Changes with code and settings; what changes the function is given the one that was read.
        modified_at: When it last did, as Lambda writes it.
        configuration: What it runs with.
        settings: What else a version keeps of the settings that it was published with.
        note: What it was built from; `None` where this is no version that `bough deploy` has published.
    """

    name: str
    arn: str
    code_sha256: str
    revision_id: str
    modified_at: str
    configuration: Configuration
    settings: Mapping[str, Any] = field(default_factory=dict, repr=False)
    note: ReleaseNote | None = None

    @property
    def log_group(self) -> str:
        """Where its output goes."""
        return self.configuration.log_group or f"{LOG_GROUPS}{self.name}"

    @classmethod
    def of(cls, answer: _Configuration) -> Function:
        """Return it as Lambda describes it."""
        return cls(
            answer["FunctionName"],
            ":".join(answer["FunctionArn"].split(":")[:7]),
            answer["CodeSha256"],
            answer["RevisionId"],
            answer["LastModified"],
            Configuration.of(answer),
            _settings(answer),
            ReleaseNote.parse(answer.get("Description", "")),
        )


def _settings(answer: Any) -> dict[str, Any]:
    """Return those settings that no `Configuration` has, without what Lambda adds to some of them."""
    network = answer.get("VpcConfig", {})
    return {
        "subnets": sorted(network.get("SubnetIds", ())),
        "security groups": sorted(network.get("SecurityGroupIds", ())),
        "storage": answer.get("EphemeralStorage", {}).get("Size"),
        "snapshots": answer.get("SnapStart", {}).get("ApplyOn"),
        "tracing": answer.get("TracingConfig", {}).get("Mode"),
        "logging": answer.get("LoggingConfig"),
        "key": answer.get("KMSKeyArn"),
    }


@dataclass(frozen=True, slots=True)
class Version:
    """A published version: code and settings that never change.

    Args:
        number: As Lambda counts, from `1`.
        code_sha256: Of its zip, in base64.
        size: Of its zip, in bytes.
        published_at: With time zone.
        note: What it was built from; `None` where `bough deploy` has not published it.
    """

    number: str
    code_sha256: str
    size: int
    published_at: datetime
    note: ReleaseNote | None

    @classmethod
    def of(cls, answer: _Configuration) -> Version:
        """Return it as Lambda describes it."""
        return cls(
            answer["Version"],
            answer["CodeSha256"],
            answer["CodeSize"],
            datetime.fromisoformat(answer["LastModified"]),
            ReleaseNote.parse(answer.get("Description", "")),
        )


@dataclass(frozen=True, slots=True)
class Alias:
    """A name that leads to a version, or for a while to two.

    Args:
        name: Such as `live`.
        version: The number of the version that all requests reach that the weights leave over.
        weights: Shares of the requests, from 0 to 1, by the number of another version.
        revision_id: Changes whenever the alias does; what moves it is given the one that was read.
        before: The numbers of the versions that it led to before, the last first: those that a rollback
            returns to. A version that was published and never live is none of them.
    """

    name: str
    version: str
    weights: Mapping[str, float]
    revision_id: str
    before: tuple[str, ...] = ()

    @classmethod
    def of(cls, answer: _Alias) -> Alias:
        """Return it as Lambda describes it."""
        weights = answer.get("RoutingConfig", {}).get("AdditionalVersionWeights", {})
        match = _BEFORE.fullmatch(answer.get("Description", ""))
        before = tuple(match[1].split()) if match else ()
        return cls(answer["Name"], answer["FunctionVersion"], weights, answer["RevisionId"], before)

    def before_at(self, version: str) -> tuple[str, ...]:
        """Return what it will have led to before, once it leads to a version."""
        if version == self.version:
            return self.before
        if version in self.before:
            return self.before[self.before.index(version) + 1 :]
        return (self.version, *self.before)[:_REMEMBERED]

    @property
    def shares(self) -> dict[str, float]:
        """Shares of the requests, from 0 to 1, of each version that gets any."""
        return {self.version: 1 - sum(self.weights.values()), **self.weights}


@dataclass(frozen=True, slots=True)
class FunctionUrl:
    """Where a function answers HTTP.

    Args:
        url: Without a slash at the end.
        auth: `NONE`, or `AWS_IAM` for signed requests alone.
    """

    url: str
    auth: str


@dataclass(frozen=True, slots=True)
class Invocation:
    """What came of calling a function.

    Args:
        result: JSON, the function's own or, with `error`, the runtime's about what went wrong.
        error: `None`, or how Lambda names the failure: `Unhandled`, mostly.
        version: The number of the version that ran.
        log: The last 4 KB of what it logged.
        seconds: From the request to the answer, as seen from here.
    """

    result: bytes = field(repr=False)
    error: str | None
    version: str
    log: str = field(repr=False)
    seconds: float

    @property
    def failure(self) -> str:
        """What the runtime says of an `error`: its type and message, without the traceback."""
        try:
            given = json.loads(self.result)
            return f"{given['errorType']}: {given['errorMessage']}"
        except (ValueError, TypeError, KeyError):
            return self.result.decode(errors="replace")
