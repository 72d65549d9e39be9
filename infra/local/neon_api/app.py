"""The ASGI application: the routes, who may use them, and the form of refusals."""

from __future__ import annotations

import hmac
from http import HTTPStatus
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.routing import Mount

from infra.errors import InfraError
from infra.local.neon_api.backend import refusal
from infra.local.neon_api.errors import ApiError
from infra.local.neon_api.faults import FaultyAnswers
from infra.local.neon_api.routes import branches, databases, endpoints, projects, roles, schemas

if TYPE_CHECKING:
    from collections.abc import Callable

    from starlette.responses import Response
    from starlette.types import ASGIApp, Receive, Scope, Send

    from infra.local.neon_api.backend import Backend
    from infra.local.neon_api.faults import Faults

_LOOPBACK = frozenset({"127.0.0.1", "localhost", "[::1]"})


def create_app(
    backend: Backend, *, api_key: str, faults: Faults | None = None, cut: Callable[[Any], None] | None = None
) -> ASGIApp:
    """Return the application.

    Args:
        backend: What it acts on.
        api_key: Every request must bear it.
        faults: For tests: what requests are to meet.
        cut: With faults: aborts the connection of a client's address.
    """
    routes = (branches, databases, endpoints, projects, roles, schemas)
    mount = Mount("/api/v2", routes=[route for module in routes for route in module.ROUTES])
    app = Starlette(
        routes=[mount, *(faults.routes if faults else ())],
        middleware=[Middleware(FaultyAnswers, faults=faults, cut=cut)] if faults and cut else [],
        exception_handlers={ApiError: _refused, HTTPException: _no_route, InfraError: _failed},
    )
    app.router.redirect_slashes = False
    app.state.backend = backend
    return _Guard(app, api_key)


class _Guard:
    """Refuses who does not bear the key, and browsers that were led here under another name."""

    def __init__(self, app: ASGIApp, api_key: str) -> None:
        self._app = app
        self._expected = f"Bearer {api_key}".encode()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope)
        request.state.request_id = request.headers.get("x-request-id") or str(uuid4())
        given = request.headers.get("authorization", "").encode()
        answer: ASGIApp = self._app
        if _host(request.headers.get("host", "")) not in _LOOPBACK:
            answer = refusal(request, ApiError(403, "this control plane answers to loopback names only"))
        elif not hmac.compare_digest(given, self._expected):
            answer = refusal(
                request, ApiError(401, "authentication required: the API key is missing or wrong")
            )
        await answer(scope, receive, send)


def _host(header: str) -> str:
    return header if header.endswith("]") else header.rpartition(":")[0] or header


async def _refused(request: Request, error: Exception) -> Response:
    assert isinstance(error, ApiError)  # noqa: S101  what it is registered for
    return refusal(request, error)


async def _no_route(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)  # noqa: S101  what it is registered for
    # A method that a route does not have is a route that there is not.
    status = 404 if error.status_code == HTTPStatus.METHOD_NOT_ALLOWED else error.status_code
    return refusal(request, ApiError(status, f"no such route here: {request.method} {request.url.path}"))


async def _failed(request: Request, error: Exception) -> Response:
    return refusal(request, ApiError(500, str(error)))
