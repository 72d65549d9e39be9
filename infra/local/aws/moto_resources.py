"""Resources of stacks where moto 5.2.5 has none, or cannot change or delete them."""

from __future__ import annotations

from contextlib import contextmanager, suppress
from functools import lru_cache
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, ClassVar, Self

import boto3
from botocore.exceptions import ClientError
from moto.awslambda.exceptions import UnknownFunctionException
from moto.awslambda.utils import get_backend
from moto.cloudformation.exceptions import UnformattedGetAttTemplateException
from moto.core.common_models import CloudFormationModel
from moto.logs.models import LogGroup as MotoLogGroup

from infra.aws.account import LocalAccess
from infra.local.aws.moto_kinds import KINDS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from infra.local.aws.moto_kinds import Kind, Properties


class _Made:
    """What the classes have in common that `register` makes of the kinds."""

    kind: ClassVar[Kind]
    endpoint: ClassVar[str]

    def __init__(self, id_: str, properties: Properties, answer: Properties) -> None:
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
        cls, _name: str, cloudformation_json: Properties, _account_id: str, region_name: str, **_kwargs: Any
    ) -> Self:
        return cls._made(cls.kind.create, cloudformation_json["Properties"], region_name)

    @classmethod
    def update_from_cloudformation_json(
        cls,
        original_resource: Self,
        new_resource_name: str,
        cloudformation_json: Properties,
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
        with _gone_already():
            getattr(_client(self.endpoint, self.kind.service, region_name), self.kind.delete)(**parameters)

    def is_created(self) -> bool:
        return True

    @classmethod
    def _made(cls, action: str, properties: Properties, region: str) -> Self:
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
        cloudformation_json: Properties,
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
        """Delete it; it is gone with its function."""
        with suppress(UnknownFunctionException):
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
        cloudformation_json: Properties,
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
        with _gone_already():
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
        cloudformation_json: Properties,
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
    for kind in KINDS:
        name = kind.type.rpartition(":")[2]
        type(name, (_Made, CloudFormationModel), {"kind": kind, "__module__": __name__})


@contextmanager
def _gone_already() -> Iterator[None]:
    """Take it for deleted when what it belonged to was: moto deletes a stack's in any order."""
    try:
        yield
    except ClientError as error:
        if error.response["ResponseMetadata"]["HTTPStatusCode"] != HTTPStatus.NOT_FOUND:
            raise


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
