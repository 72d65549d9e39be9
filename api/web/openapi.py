"""The OpenAPI document: clean operation ids, and problem documents declared as what they are."""

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
        for path in schema.get("paths", {}).values():
            for operation in path.values():
                _declare_problems(operation, token_errors if "security" in operation else ())
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
