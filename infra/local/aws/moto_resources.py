"""Kinds of resources that moto 5.2.5 has, but not in CloudFormation.

moto skips what it does not know, and calls the stack complete. These are made through the services' own APIs,
whose parameters are called as the properties are. AWS::S3::BucketPolicy stays left out: moto would refuse
every upload by one that asks for TLS.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING, Any, ClassVar, Final, Self

import boto3
from moto.awslambda.utils import get_backend
from moto.cloudformation.exceptions import UnformattedGetAttTemplateException
from moto.core.common_models import CloudFormationModel
from moto.logs.models import LogGroup as MotoLogGroup

from infra.aws.account import LocalAccess

if TYPE_CHECKING:
    from collections.abc import Callable

_Properties = dict[str, Any]


@dataclass(frozen=True, slots=True)
class _Kind:
    """How a resource is made and deleted.

    Args:
        type: CloudFormation's name of it.
        service: boto3's name of its service.
        create: The action that makes it, of what `asked` returns.
        delete: The action that deletes it.
        id: The physical id, which `Ref` gives, by the properties and the answer.
        deleted: The parameters of `delete`, by the properties and the id.
        asked: The parameters of `create`, by the properties.
        update: The action that changes it, of the same; without one it is replaced.
        attributes: What `GetAtt` gives, by name, of the answer.
    """

    type: str
    service: str
    create: str
    delete: str
    id: Callable[[_Properties, _Properties], str]
    deleted: Callable[[_Properties, str], _Properties]
    asked: Callable[[_Properties], _Properties] = lambda properties: properties
    update: str | None = None
    attributes: dict[str, Callable[[_Properties], str]] = field(default_factory=dict)


def _url_asked(properties: _Properties) -> _Properties:
    asked: _Properties = {
        name: properties[name]
        for name in ("Qualifier", "AuthType", "Cors", "InvokeMode")
        if name in properties
    }
    return {"FunctionName": properties["TargetFunctionArn"], **asked}


def _alias_asked(properties: _Properties) -> _Properties:
    names = ("FunctionName", "FunctionVersion", "Name", "Description")
    weights = {
        each["FunctionVersion"]: float(each["FunctionWeight"])
        for each in properties.get("RoutingConfig", {}).get("AdditionalVersionWeights", ())
    }
    asked = {name: str(properties[name]) for name in names if name in properties}
    return asked | {"RoutingConfig": {"AdditionalVersionWeights": weights}}


_KINDS: Final = (
    _Kind(
        "AWS::Lambda::Alias",
        "lambda",
        "create_alias",
        "delete_alias",
        lambda _, answer: answer["AliasArn"],
        lambda properties, _: {"FunctionName": properties["FunctionName"], "Name": properties["Name"]},
        _alias_asked,
        "update_alias",
    ),
    _Kind(
        "AWS::Lambda::Url",
        "lambda",
        "create_function_url_config",
        "delete_function_url_config",
        lambda _, answer: answer["FunctionArn"],
        lambda properties, _: {
            name: value
            for name, value in _url_asked(properties).items()
            if name in ("FunctionName", "Qualifier")
        },
        _url_asked,
        "update_function_url_config",
        {
            "FunctionUrl": lambda answer: str(answer["FunctionUrl"]),
            "FunctionArn": lambda answer: str(answer["FunctionArn"]),
        },
    ),
    _Kind(
        "AWS::CloudWatch::Alarm",
        "cloudwatch",
        "put_metric_alarm",
        "delete_alarms",
        lambda properties, _: str(properties["AlarmName"]),
        lambda _, name: {"AlarmNames": [name]},
        update="put_metric_alarm",
    ),
    _Kind(
        "AWS::ApiGatewayV2::Api",
        "apigatewayv2",
        "create_api",
        "delete_api",
        lambda _, answer: str(answer["ApiId"]),
        lambda _, id_: {"ApiId": id_},
        attributes={
            "ApiEndpoint": lambda answer: str(answer["ApiEndpoint"]),
            "ApiId": lambda answer: str(answer["ApiId"]),
        },
    ),
    _Kind(
        "AWS::ApiGatewayV2::Stage",
        "apigatewayv2",
        "create_stage",
        "delete_stage",
        lambda properties, _: str(properties["StageName"]),
        lambda properties, name: {"ApiId": properties["ApiId"], "StageName": name},
    ),
    _Kind(
        "AWS::ApiGatewayV2::Integration",
        "apigatewayv2",
        "create_integration",
        "delete_integration",
        lambda _, answer: str(answer["IntegrationId"]),
        lambda properties, id_: {"ApiId": properties["ApiId"], "IntegrationId": id_},
    ),
    _Kind(
        "AWS::ApiGatewayV2::Route",
        "apigatewayv2",
        "create_route",
        "delete_route",
        lambda _, answer: str(answer["RouteId"]),
        lambda properties, id_: {"ApiId": properties["ApiId"], "RouteId": id_},
    ),
    _Kind(
        "AWS::ApiGatewayV2::DomainName",
        "apigatewayv2",
        "create_domain_name",
        "delete_domain_name",
        lambda properties, _: str(properties["DomainName"]),
        lambda _, name: {"DomainName": name},
        attributes={
            "RegionalDomainName": lambda answer: _first_domain(answer).get("ApiGatewayDomainName", "local"),
            "RegionalHostedZoneId": lambda answer: _first_domain(answer).get("HostedZoneId", "LOCAL"),
        },
    ),
    _Kind(
        "AWS::ApiGatewayV2::ApiMapping",
        "apigatewayv2",
        "create_api_mapping",
        "delete_api_mapping",
        lambda _, answer: str(answer["ApiMappingId"]),
        lambda properties, id_: {"DomainName": properties["DomainName"], "ApiMappingId": id_},
    ),
)


class _Made:
    """What the classes have in common that `register` makes of the kinds."""

    kind: ClassVar[_Kind]
    endpoint: ClassVar[str]

    def __init__(self, id_: str, properties: _Properties, answer: _Properties) -> None:
        self.physical_resource_id = id_
        self.properties = properties
        self._answer = answer

    @classmethod
    def cloudformation_type(cls) -> str:
        return cls.kind.type

    @staticmethod
    def cloudformation_name_type() -> str:
        return ""

    @classmethod
    def has_cfn_attr(cls, attr: str) -> bool:
        return attr in cls.kind.attributes

    def get_cfn_attribute(self, attribute_name: str) -> str:
        if attribute_name not in self.kind.attributes:
            raise UnformattedGetAttTemplateException
        return self.kind.attributes[attribute_name](self._answer)

    @classmethod
    def create_from_cloudformation_json(
        cls, _name: str, cloudformation_json: _Properties, _account_id: str, region_name: str, **_kwargs: Any
    ) -> Self:
        return cls._made(cls.kind.create, cloudformation_json["Properties"], region_name)

    @classmethod
    def update_from_cloudformation_json(
        cls,
        original_resource: Self,
        new_resource_name: str,
        cloudformation_json: _Properties,
        account_id: str,
        region_name: str,
    ) -> Self:
        del new_resource_name
        properties, action = cloudformation_json["Properties"], cls.kind.update
        if action is not None and cls.kind.deleted(properties, "") == cls.kind.deleted(
            original_resource.properties,
            "",
        ):
            return cls._made(action, properties, region_name)
        original_resource.delete(account_id, region_name)
        return cls._made(cls.kind.create, properties, region_name)

    def delete(self, _account_id: str, region_name: str) -> None:
        parameters = self.kind.deleted(self.properties, self.physical_resource_id)
        getattr(_client(self.endpoint, self.kind.service, region_name), self.kind.delete)(**parameters)

    def is_created(self) -> bool:
        return True

    @classmethod
    def _made(cls, action: str, properties: _Properties, region: str) -> Self:
        client = _client(cls.endpoint, cls.kind.service, region)
        answer = getattr(client, action)(**cls.kind.asked(properties))
        return cls(cls.kind.id(properties, answer), properties, answer)


class Version(CloudFormationModel):
    """A published version, which moto can neither name nor give the number of."""

    def __init__(self, arn: str, number: str) -> None:
        """Keep what `Ref` and `GetAtt` give."""
        self.physical_resource_id = arn
        self.number = number

    @staticmethod
    def cloudformation_type() -> str:
        """Return CloudFormation's name."""
        return "AWS::Lambda::Version"

    @staticmethod
    def cloudformation_name_type() -> str:
        """Return the property that is its name: none."""
        return ""

    @classmethod
    def has_cfn_attr(cls, attr: str) -> bool:
        """Say whether `GetAtt` gives it."""
        return attr == "Version"

    def get_cfn_attribute(self, attribute_name: str) -> str:
        """Return what `GetAtt` gives."""
        if attribute_name != "Version":
            raise UnformattedGetAttTemplateException
        return self.number

    @classmethod
    def create_from_cloudformation_json(
        cls,
        resource_name: str,
        cloudformation_json: _Properties,
        account_id: str,
        region_name: str,
        **_kwargs: Any,
    ) -> Version:
        """Publish what the function is now."""
        del resource_name
        properties = cloudformation_json["Properties"]
        backend: Any = get_backend(account_id, region_name)
        version = backend.publish_version(properties["FunctionName"], properties.get("Description", ""))
        return cls(version.function_arn, str(version.version))

    def delete(self, account_id: str, region_name: str) -> None:
        """Delete it."""
        get_backend(account_id, region_name).delete_function(
            self.physical_resource_id.rpartition(":")[0], self.number
        )


class Permission(CloudFormationModel):
    """A statement of a function's policy, which moto never takes away again, and whose qualifier it drops."""

    def __init__(self, function: str, sid: str) -> None:
        """Keep where it is."""
        self.physical_resource_id = sid
        self._function = function

    @staticmethod
    def cloudformation_type() -> str:
        """Return CloudFormation's name."""
        return "AWS::Lambda::Permission"

    @staticmethod
    def cloudformation_name_type() -> str:
        """Return the property that is its name: none."""
        return ""

    @classmethod
    def create_from_cloudformation_json(
        cls,
        resource_name: str,
        cloudformation_json: _Properties,
        account_id: str,
        region_name: str,
        **_kwargs: Any,
    ) -> Permission:
        """Add it."""
        del account_id
        properties = dict(cloudformation_json["Properties"])
        function = properties.pop("FunctionName")
        _client(_Made.endpoint, "lambda", region_name).add_permission(
            FunctionName=function, StatementId=resource_name, **properties
        )
        return cls(function, resource_name)

    def delete(self, _account_id: str, region_name: str) -> None:
        """Take it away."""
        _client(_Made.endpoint, "lambda", region_name).remove_permission(
            FunctionName=self._function, StatementId=self.physical_resource_id
        )


class LogGroup(MotoLogGroup, CloudFormationModel):
    """moto's, which it would delete with all of its events to change how long they are kept."""

    @classmethod
    def update_from_cloudformation_json(
        cls,
        original_resource: MotoLogGroup,
        new_resource_name: str,
        cloudformation_json: _Properties,
        account_id: str,
        region_name: str,
    ) -> MotoLogGroup:
        """Change how long events are kept."""
        del new_resource_name, account_id, region_name
        days = cloudformation_json["Properties"].get("RetentionInDays")
        original_resource.retention_in_days = None if days is None else int(days)
        return original_resource


def register(endpoint: str) -> None:
    """Let CloudFormation know the kinds; it looks for direct subclasses of its model.

    Args:
        endpoint: Where the services' APIs are: this process's own.
    """
    _Made.endpoint = endpoint
    for kind in _KINDS:
        name = kind.type.rpartition(":")[2]
        type(name, (_Made, CloudFormationModel), {"kind": kind, "__module__": __name__})


def _first_domain(answer: _Properties) -> dict[str, str]:
    return next(iter(answer.get("DomainNameConfigurations", ())), {})


@lru_cache(maxsize=64)
def _client(endpoint: str, service: str, region: str) -> Any:
    access = LocalAccess(endpoint)
    session: Any = boto3.Session()
    return session.client(
        service,
        endpoint_url=endpoint,
        region_name=region,
        aws_access_key_id=access.access_key_id,
        aws_secret_access_key=access.secret_access_key,
    )
