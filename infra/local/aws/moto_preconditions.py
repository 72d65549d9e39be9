"""Revision ids and code hashes that are checked, as Lambda does and moto 5.2.5 does not."""

from __future__ import annotations

import functools
import json
import uuid
from typing import TYPE_CHECKING, Any, Final

from moto.awslambda.exceptions import InvalidParameterValueException, PreconditionFailedException
from moto.awslambda.models import LambdaAlias, LambdaFunction
from moto.awslambda.responses import LambdaResponse
from moto.core.utils import iso_8601_datetime_with_nanoseconds

if TYPE_CHECKING:
    from collections.abc import Callable

_ANOTHER: Final = (
    "The RevisionId provided does not match the latest RevisionId for the Lambda function or alias. Call the"
    " GetFunction or the GetAlias API to retrieve the latest RevisionId for your resource."
)


def mend() -> None:
    """Put this into moto's place; before the first request to Lambda."""
    LambdaFunction.get_configuration = _with_revision_id(LambdaFunction.get_configuration)  # type: ignore[method-assign]
    for name in ("update_function_code", "update_configuration"):
        setattr(LambdaFunction, name, _dated(getattr(LambdaFunction, name)))
    LambdaAlias.update = _renewed(LambdaAlias.update)  # type: ignore[method-assign]
    for name, check in (
        ("update_function_code", _function_is_as_read),
        ("update_function_configuration", _function_is_as_read),
        ("publish_version", _code_is_as_read),
        ("update_alias", _alias_is_as_read),
    ):
        setattr(LambdaResponse, name, _checked(getattr(LambdaResponse, name), check))


def _with_revision_id(configuration: Callable[..., dict[str, Any]]) -> Callable[..., dict[str, Any]]:
    @functools.wraps(configuration)
    def described(self: LambdaFunction, on_create: bool = False) -> dict[str, Any]:  # noqa: FBT001, FBT002  moto's
        found = configuration(self, on_create)
        # It holds when it was changed, to the microsecond. What only the first answer lacks is left out.
        content = {key: value for key, value in found.items() if key != "LastUpdateStatus"}
        return found | {"RevisionId": str(uuid.uuid5(uuid.NAMESPACE_OID, json.dumps(content, default=str)))}

    return described


def _dated(update: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(update)
    def dated(self: LambdaFunction, change: dict[str, Any]) -> Any:
        self.last_modified = iso_8601_datetime_with_nanoseconds()
        return update(self, change)

    return dated


def _renewed(update: Callable[..., None]) -> Callable[..., None]:
    @functools.wraps(update)
    def renewed(self: LambdaAlias, *change: Any) -> None:
        update(self, *change)
        self.revision_id = str(uuid.uuid4())

    return renewed


def _checked(respond: Callable[..., Any], check: Callable[[LambdaResponse], None]) -> Callable[..., Any]:
    @functools.wraps(respond)
    def checked(self: LambdaResponse) -> Any:
        check(self)
        return respond(self)

    return checked


def _function_is_as_read(request: LambdaResponse) -> None:
    name = request.path.rsplit("/", 2)[-2]
    _same(request.json_body.get("RevisionId"), request.backend.get_function(name).get_configuration())


def _alias_is_as_read(request: LambdaResponse) -> None:
    name, alias = request.path.split("/")[-3], request.path.rsplit("/", 1)[-1]
    given = json.loads(request.body).get("RevisionId")
    _same(given, request.backend.get_alias(alias, name).to_json())


def _code_is_as_read(request: LambdaResponse) -> None:
    wanted = request._get_param("CodeSha256")  # noqa: SLF001  where moto's responses find parameters
    found = request.backend.get_function(request.path.split("/")[-2]).get_configuration()["CodeSha256"]
    if wanted not in {None, found}:
        message = f"CodeSHA256 ({wanted}) is different from current CodeSHA256 in $LATEST ({found})."
        raise InvalidParameterValueException(message)


def _same(given: str | None, described: dict[str, Any]) -> None:
    if given is not None and given != described["RevisionId"]:
        raise PreconditionFailedException(_ANOTHER)
