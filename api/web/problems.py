"""Errors as RFC 9457 problem documents: `application/problem+json` with a stable `code` and the request id.

A service raises a `ProblemError`; FastAPI's, the router's and the database's errors are put into the same
form here. `type` is always `about:blank`, so by RFC 9457 section 4.2.1 `title` is the status's own phrase:
clients tell errors apart by `code`.
"""

from __future__ import annotations

import logging
import re
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, ClassVar, Final

from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, ConfigDict, Field
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse, Response

from api.database import errors as database
from api.database.request_comment import request_id
from api.settings import SettingsError
from api.web.resources import allowed_methods

if TYPE_CHECKING:
    from collections.abc import Mapping

    from fastapi import FastAPI
    from starlette.requests import Request
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

MEDIA_TYPE: Final = "application/problem+json"

_KNOWN: Final = frozenset(HTTPStatus)
_RENAMED: Final = {
    413: "Content Too Large",
    414: "URI Too Long",
    416: "Range Not Satisfiable",
    422: "Unprocessable Content",
}

logger = logging.getLogger(__name__)


class ProblemDocument(BaseModel):
    """The body of every error (RFC 9457)."""

    model_config = ConfigDict(extra="allow")

    type: str = Field(default="about:blank", description="Always this: `code` says more.")
    title: str = Field(description="The status's phrase.", examples=["Not Found"])
    status: int = Field(description="The HTTP status, repeated.", examples=[404])
    detail: str = Field(description="What went wrong this time, for people.")
    instance: str = Field(description="The path that was asked for.")
    code: str = Field(description="What went wrong, for programs: stable.", examples=["NOT_FOUND"])
    request_id: str | None = Field(description="Quote it when you report the error.")


class ProblemError(Exception):
    """An error that is the client's answer.

    Args:
        detail: What went wrong this time, for people; never a secret.
        code: Stable; the class's own unless given.
        headers: Headers of the response besides the class's own.
        extensions: More members of the document.
    """

    status: ClassVar[int] = 500
    code: str = "INTERNAL_ERROR"

    def __init__(
        self,
        detail: str,
        *,
        code: str | None = None,
        headers: Mapping[str, str] | None = None,
        **extensions: Any,
    ) -> None:
        """Keep what the document is made of."""
        super().__init__(detail)
        self.detail = detail
        self.code = code or self.code
        self.headers = dict(headers or {})
        self.extensions = extensions


class BadRequestError(ProblemError):
    """The request cannot be understood."""

    status, code = 400, "BAD_REQUEST"


class UnauthorizedError(ProblemError):
    """Nobody is logged in, or the credentials are wrong; answers with `WWW-Authenticate: Bearer`."""

    status, code = 401, "UNAUTHORIZED"

    def __init__(self, detail: str, *, headers: Mapping[str, str] | None = None, **extensions: Any) -> None:
        """Name the scheme, which RFC 9110 section 11.6.1 requires of a 401."""
        super().__init__(detail, headers={"WWW-Authenticate": "Bearer", **(headers or {})}, **extensions)


class ForbiddenError(ProblemError):
    """The user is known and may not do this."""

    status, code = 403, "FORBIDDEN"


class NotFoundError(ProblemError):
    """The resource does not exist, or is not the user's to see."""

    status, code = 404, "NOT_FOUND"


class ConflictError(ProblemError):
    """The resource's state does not allow this."""

    status, code = 409, "CONFLICT"


class UnprocessableError(ProblemError):
    """The request is well formed and its values cannot be accepted."""

    status, code = 422, "UNPROCESSABLE_CONTENT"


class TooManyRequestsError(ProblemError):
    """The client asks too often; `retry_after` is in seconds."""

    status, code = 429, "TOO_MANY_REQUESTS"

    def __init__(
        self, detail: str, *, retry_after: int, headers: Mapping[str, str] | None = None, **extensions: Any
    ) -> None:
        """Say when to come back."""
        super().__init__(detail, headers={"Retry-After": str(retry_after), **(headers or {})}, **extensions)


#: Database error: status, what the client is told, seconds for `Retry-After`. The nearest class in the
#: error's MRO counts. A lost race (serialization, deadlock) is 503 and not 409: the same request may simply
#: be sent again, and that is what clients do with 503 and `Retry-After`. An uncertain commit gets no such
#: advice: it may have happened.
_DATABASE: Final[dict[type[database.DatabaseError], tuple[int, str, int | None]]] = {
    database.DatabaseError: (500, "The database could not carry out the request.", None),
    database.DatabaseUnavailableError: (503, "The database cannot be reached.", 2),
    database.DatabaseAuthenticationError: (503, "The database cannot be reached.", None),
    database.ConnectionLostError: (503, "The connection to the database was lost; nothing was saved.", 1),
    database.CommitUncertainError: (
        503,
        "The connection was lost while saving: check whether it took effect before trying again.",
        None,
    ),
    database.PoolExhaustedError: (503, "No connection to the database became free in time.", 1),
    database.StatementTimeoutError: (504, "The database took too long and was stopped.", None),
    database.DeadlineExceededError: (504, "The request took too long and was stopped.", None),
    database.LockTimeoutError: (503, "Another request holds what this one needs; nothing was saved.", 1),
    database.SerializationError: (503, "Another request changed the same data; nothing was saved.", 1),
    database.DeadlockError: (503, "Another request changed the same data; nothing was saved.", 1),
    database.ConstraintViolationError: (409, "The data conflicts with what is stored.", None),
    database.UniqueViolationError: (409, "It exists already.", None),
    database.ForeignKeyViolationError: (409, "Something it refers to does not exist, or refers to it.", None),
    database.InvalidValueError: (422, "A value cannot be stored.", None),
    database.CheckViolationError: (422, "A value is not acceptable.", None),
    database.NotNullViolationError: (422, "A required value is missing.", None),
}


def problem_response(
    scope: Scope,
    status: int,
    code: str,
    detail: str,
    *,
    headers: Mapping[str, str] | None = None,
    extensions: Mapping[str, Any] | None = None,
) -> Response:
    """Make the response; extensions cannot replace the document's own members."""
    document = {
        **(extensions or {}),
        "type": "about:blank",
        "title": _phrase(status),
        "status": status,
        "detail": detail,
        "instance": scope["path"],
        "code": code,
        "request_id": request_id.get(),
    }
    return JSONResponse(document, status, dict(headers or {}), MEDIA_TYPE)


def _phrase(status: int) -> str:
    """Return the status's phrase as RFC 9110 has it; Python's own names changed between 3.11 and 3.13."""
    return _RENAMED.get(status) or (HTTPStatus(status).phrase if status in _KNOWN else "Error")


def status_code_name(status: int) -> str:
    """Return the `code` of an error that is nothing but its status, such as `NOT_FOUND`."""
    return re.sub(r"[^A-Z]+", "_", _phrase(status).upper())


def install_problems(app: FastAPI) -> None:
    """Make `app` answer every error with a problem document."""
    handlers: dict[Any, Any] = {
        ProblemError: _problem,
        HTTPException: _http,
        RequestValidationError: _invalid_request,
        database.DatabaseError: _database,
        SettingsError: _settings,
    }
    for kind, handler in handlers.items():
        app.add_exception_handler(kind, handler)


class UnhandledErrorMiddleware:
    """Answer what no handler knows with a 500, log it with its traceback, and end it here.

    Not an exception handler: Starlette runs one for `Exception` outside all middleware, where the response
    has lost its request id and CORS headers, and raises the exception again afterwards.
    """

    def __init__(self, app: ASGIApp) -> None:
        """Wrap `app`."""
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Run the application; raise only when part of its response is on its way."""
        started = False

        async def note_start(message: Message) -> None:
            nonlocal started
            started = True
            await send(message)

        try:
            await self.app(scope, receive, note_start)
        except Exception:
            if scope["type"] != "http" or started:
                raise
            logger.exception("unhandled error")
            response = problem_response(scope, 500, "INTERNAL_ERROR", "Something went wrong on our side.")
            await response(scope, receive, send)


async def _problem(request: Request, error: ProblemError) -> Response:
    return problem_response(
        request.scope,
        error.status,
        error.code,
        error.detail,
        headers=error.headers,
        extensions=error.extensions,
    )


async def _http(request: Request, error: HTTPException) -> Response:
    status = error.status_code
    if status < HTTPStatus.BAD_REQUEST:
        return Response(status_code=status, headers=error.headers)
    detail = error.detail if isinstance(error.detail, str) else _phrase(status)
    headers = dict(error.headers or {})
    if status == HTTPStatus.METHOD_NOT_ALLOWED:
        headers["Allow"] = ", ".join(sorted(allowed_methods(request.app, request.scope)))
    return problem_response(request.scope, status, status_code_name(status), detail, headers=headers)


async def _invalid_request(request: Request, error: RequestValidationError) -> Response:
    # Where and why, never what: the input may be a password.
    errors = [
        {"pointer": _pointer(item["loc"]), "detail": item["msg"].removeprefix("Value error, ")}
        for item in error.errors()
    ]
    detail = "The request is not valid; see `errors`."
    return problem_response(request.scope, 422, "VALIDATION_FAILED", detail, extensions={"errors": errors})


def _pointer(location: tuple[int | str, ...]) -> str:
    """Return a JSON pointer (RFC 6901) whose first part says where: body, query, path, header or cookie."""
    return "".join("/" + str(part).replace("~", "~0").replace("/", "~1") for part in location)


async def _database(request: Request, error: database.DatabaseError) -> Response:
    status, detail, retry_after = next(_DATABASE[kind] for kind in type(error).__mro__ if kind in _DATABASE)
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        # Without the traceback: the driver's own exceptions in its chain quote values of rows.
        logger.error("%s: %s", error.code, error)
    headers = None if retry_after is None else {"Retry-After": str(retry_after)}
    return problem_response(request.scope, status, error.code, detail, headers=headers)


async def _settings(request: Request, error: SettingsError) -> Response:
    logger.error("%s: %s", error.code, error)
    return problem_response(request.scope, 500, error.code, "The service is not configured; see /readyz.")
