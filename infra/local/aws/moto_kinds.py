"""Kinds of resources that moto 5.2.5 has, but not in CloudFormation: how they are made and called.

moto skips what it does not know, and calls the stack complete. These are made through the services' own APIs,
whose parameters are called as the properties are. AWS::S3::BucketPolicy stays left out: moto would refuse
every upload by one that asks for TLS.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Callable

Properties = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Kind:
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
    id: Callable[[Properties, Properties], str]
    deleted: Callable[[Properties, str], Properties]
    asked: Callable[[Properties], Properties] = lambda properties: properties
    update: str | None = None
    attributes: dict[str, Callable[[Properties], str]] = field(default_factory=dict)


def _url_asked(properties: Properties) -> Properties:
    asked: Properties = {
        name: properties[name]
        for name in ("Qualifier", "AuthType", "Cors", "InvokeMode")
        if name in properties
    }
    return {"FunctionName": properties["TargetFunctionArn"], **asked}


def _alias_asked(properties: Properties) -> Properties:
    names = ("FunctionName", "FunctionVersion", "Name", "Description")
    weights = {
        each["FunctionVersion"]: float(each["FunctionWeight"])
        for each in properties.get("RoutingConfig", {}).get("AdditionalVersionWeights", ())
    }
    asked = {name: str(properties[name]) for name in names if name in properties}
    return asked | {"RoutingConfig": {"AdditionalVersionWeights": weights}}


def _first_domain(answer: Properties) -> dict[str, str]:
    return next(iter(answer.get("DomainNameConfigurations", ())), {})


KINDS: Final = (
    Kind(
        "AWS::Lambda::Alias",
        "lambda",
        "create_alias",
        "delete_alias",
        lambda _, answer: answer["AliasArn"],
        lambda properties, _: {"FunctionName": properties["FunctionName"], "Name": properties["Name"]},
        _alias_asked,
        "update_alias",
    ),
    Kind(
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
    Kind(
        "AWS::CloudWatch::Alarm",
        "cloudwatch",
        "put_metric_alarm",
        "delete_alarms",
        lambda properties, _: str(properties["AlarmName"]),
        lambda _, name: {"AlarmNames": [name]},
        update="put_metric_alarm",
    ),
    Kind(
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
    Kind(
        "AWS::ApiGatewayV2::Stage",
        "apigatewayv2",
        "create_stage",
        "delete_stage",
        lambda properties, _: str(properties["StageName"]),
        lambda properties, name: {"ApiId": properties["ApiId"], "StageName": name},
    ),
    Kind(
        "AWS::ApiGatewayV2::Integration",
        "apigatewayv2",
        "create_integration",
        "delete_integration",
        lambda _, answer: str(answer["IntegrationId"]),
        lambda properties, id_: {"ApiId": properties["ApiId"], "IntegrationId": id_},
    ),
    Kind(
        "AWS::ApiGatewayV2::Route",
        "apigatewayv2",
        "create_route",
        "delete_route",
        lambda _, answer: str(answer["RouteId"]),
        lambda properties, id_: {"ApiId": properties["ApiId"], "RouteId": id_},
    ),
    Kind(
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
    Kind(
        "AWS::ApiGatewayV2::ApiMapping",
        "apigatewayv2",
        "create_api_mapping",
        "delete_api_mapping",
        lambda _, answer: str(answer["ApiMappingId"]),
        lambda properties, id_: {"DomainName": properties["DomainName"], "ApiMappingId": id_},
    ),
)
