"""The OpenAPI document: clean operation ids, problem documents declared as what they are, links."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from fastapi import FastAPI

from api.web.problems import MEDIA_TYPE, ProblemDocument, ProblemError, status_code_name
from api.web.resources import with_all_routes

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fastapi.routing import APIRoute

_PROBLEM: Final = {"schema": {"$ref": "#/components/schemas/ProblemDocument"}}

#: Declares, once for the whole app, that every error is a problem document.
ANY_PROBLEM: Final[dict[int | str, dict[str, Any]]] = {
    "default": {"model": ProblemDocument, "description": "Any error, as a problem document."}
}


def operation_id(route: APIRoute) -> str:
    """Return the function's name: what a generated client calls the operation."""
    return route.name


def problem_responses(*errors: type[ProblemError] | int) -> dict[int | str, dict[str, Any]]:
    """Declare a route's errors, by class or by status: `@router.get(…, responses=problem_responses(404))`."""
    codes: dict[int | str, list[str]] = {}
    for error in errors:
        status, code = (
            (error, status_code_name(error)) if isinstance(error, int) else (error.status, error.code)
        )
        codes.setdefault(status, []).append(code)
    return {
        status: {"model": ProblemDocument, "description": ", ".join(f"`{name}`" for name in names)}
        for status, names in codes.items()
    }


def describe(app: FastAPI, token_errors: Sequence[type[ProblemError]] = ()) -> dict[str, Any]:
    """Return the app's OpenAPI document, made once: what `app.openapi` is replaced by.

    Args:
        app: Whose document it is.
        token_errors: What every operation may answer that takes a token.
    """
    if app.openapi_schema is None:
        schema = FastAPI.openapi(with_all_routes(app))
        operations = [operation for path in schema.get("paths", {}).values() for operation in path.values()]
        for operation in operations:
            _declare_problems(operation, token_errors if "security" in operation else ())
            _link_created(operation, operations, schema)
            _link_next_page(operation, schema)
        app.openapi_schema = schema
    return app.openapi_schema


def _declare_problems(operation: dict[str, Any], token_errors: Sequence[type[ProblemError]]) -> None:
    """Correct the media type, which FastAPI declares as JSON; add its own errors, which it leaves out."""
    responses = operation["responses"]
    if "requestBody" in operation:  # JSON that Python cannot read: not UTF-8, nested too deep
        _add_code(responses, 400, "BAD_REQUEST")
    if "parameters" in operation or "requestBody" in operation:
        _add_code(responses, 422, "VALIDATION_FAILED")
    for error in token_errors:
        _add_code(responses, error.status, error.code)
    for response in responses.values():
        content = response.get("content", {})
        if content.get("application/json", {}).get("schema") == _PROBLEM["schema"]:
            response["content"] = {MEDIA_TYPE: _PROBLEM}


def _add_code(responses: dict[str, Any], status: int, code: str) -> None:
    response = responses.setdefault(str(status), {"content": {MEDIA_TYPE: _PROBLEM}})
    response["description"] = ", ".join(filter(None, (f"`{code}`", response.get("description"))))


def _link_created(
    operation: dict[str, Any], operations: Sequence[dict[str, Any]], schema: dict[str, Any]
) -> None:
    """Link a 201 to the operations that take the key of what was made: `task_id` after `create_task`."""
    response = operation["responses"].get("201", {})
    made = _properties(response, schema)
    if "id" in made:
        keys = {f"{operation['operationId'].rpartition('_')[2]}_id": "id"}
    else:
        keys = {name: name for name in made & _parameters(operation, "path")}
    for target in operations:
        if target is not operation and (taken := keys.keys() & _parameters(target, "path")):
            response.setdefault("links", {})[target["operationId"]] = {
                "operationId": target["operationId"],
                "parameters": {name: f"$response.body#/{keys[name]}" for name in sorted(taken)},
            }


def _link_next_page(operation: dict[str, Any], schema: dict[str, Any]) -> None:
    """Link a page to the one after it: the same request with its cursor."""
    response = operation["responses"].get("200", {})
    if "next_cursor" in _properties(response, schema):
        parameters = {
            name: f"$request.{place}.{name}"
            for place in ("path", "query")
            for name in sorted(_parameters(operation, place))
        }
        parameters["cursor"] = "$response.body#/next_cursor"
        response["links"] = {"next_page": {"operationId": operation["operationId"], "parameters": parameters}}


def _parameters(operation: dict[str, Any], place: str) -> set[str]:
    return {item["name"] for item in operation.get("parameters", ()) if item["in"] == place}


def _properties(response: dict[str, Any], schema: dict[str, Any]) -> set[str]:
    """Return the names of what a response's body holds."""
    body = response.get("content", {}).get("application/json", {}).get("schema", {})
    name = body.get("$ref", "").rpartition("/")[2]
    return set(schema["components"]["schemas"][name].get("properties", ())) if name else set()
